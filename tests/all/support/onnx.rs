//! ONNX Runtime and the official package's model, which `test.sh` fetches.

use std::{env, path::PathBuf};

/// The files that the tests of ONNX Runtime need.
pub struct Onnx {
    /// The library, which ORT_DYLIB_PATH names.
    pub library: PathBuf,
    /// The official package's `silero_vad.onnx`, which takes one window per call. PREPARE_AUDIO_SILERO_ONNX names it.
    pub per_window: PathBuf,
}

/// Both files. Without them, prints that the test is skipped and returns `None`, or fails if PREPARE_AUDIO_REQUIRE_ONNX
/// is set.
#[track_caller]
pub fn onnx() -> Option<Onnx> {
    let file = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.exists());
    let found = file("ORT_DYLIB_PATH").zip(file("PREPARE_AUDIO_SILERO_ONNX"));
    if found.is_none() {
        let reason = "ORT_DYLIB_PATH and PREPARE_AUDIO_SILERO_ONNX do not name files; ./test.sh fetches them";
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        assert!(env::var_os("PREPARE_AUDIO_REQUIRE_ONNX").is_none_or(|v| v.is_empty()), "{reason}");
        eprintln!("SKIPPED: {test}, without ONNX Runtime. {reason}");
    }
    found.map(|(library, per_window)| Onnx { library, per_window })
}
