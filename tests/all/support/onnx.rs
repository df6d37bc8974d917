//! ONNX Runtime and the official package's model, which `test.sh` fetches.

use std::{env, path::PathBuf};

/// What the tests of ONNX Runtime need.
pub struct Onnx {
    /// The library, named by ORT_DYLIB_PATH.
    pub library: PathBuf,
    /// The official package's `silero_vad.onnx`, one window a call, named by PREPARE_AUDIO_SILERO_ONNX.
    pub per_window: PathBuf,
}

/// Both, or `None` with a word about what is left out. With PREPARE_AUDIO_REQUIRE_ONNX set, nothing may be left out.
#[track_caller]
pub fn onnx() -> Option<Onnx> {
    let file = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.exists());
    let found = file("ORT_DYLIB_PATH").zip(file("PREPARE_AUDIO_SILERO_ONNX"));
    if found.is_none() {
        let told = "ORT_DYLIB_PATH and PREPARE_AUDIO_SILERO_ONNX do not name files; ./test.sh fetches them";
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        assert!(env::var_os("PREPARE_AUDIO_REQUIRE_ONNX").is_none_or(|v| v.is_empty()), "{told}");
        eprintln!("LEFT OUT: {test}, without ONNX Runtime. {told}");
    }
    found.map(|(library, per_window)| Onnx { library, per_window })
}
