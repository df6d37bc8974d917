//! The check for ONNX Runtime: which library would be loaded. Whether the settings need it is checked with the model.

use serde_json::{Value, json};

use super::{Finding, Verdict};

/// Loads the library and reports where it is and what it computes on.
#[cfg(feature = "onnx")]
pub fn check() -> Finding {
    match prepare_audio::vad::Runtime::load() {
        Ok(runtime) => finding(Verdict::Fine, describe(runtime), facts(runtime)),
        Err(error) => absent(error.code(), error.to_string()),
    }
}

/// Reports that this build cannot use the library.
#[cfg(not(feature = "onnx"))]
pub fn check() -> Finding {
    let error = prepare_audio::vad::VadError::OnnxNotCompiled;
    absent(error.code(), super::super::hints::with_hint(&error))
}

fn finding(verdict: Verdict, text: String, facts: Value) -> Finding {
    Finding { topic: "onnx runtime", verdict, text, facts }
}

fn absent(code: &str, text: String) -> Finding {
    let facts = json!({ "error_code": code, "error": text });
    finding(Verdict::Absent, text, facts)
}

#[cfg(feature = "onnx")]
fn describe(runtime: &prepare_audio::vad::Runtime) -> String {
    let version = runtime.version().unwrap_or_else(|| runtime.build().to_owned());
    let providers = runtime.providers().join(", ");
    format!("{version}, {}, {}; computes on {providers}", runtime.path().display(), runtime.origin())
}

#[cfg(feature = "onnx")]
fn facts(runtime: &prepare_audio::vad::Runtime) -> Value {
    json!({
        "path": runtime.path().display().to_string(),
        "origin": runtime.origin().to_string(),
        "version": runtime.version(),
        "build": runtime.build(),
        "providers": runtime.providers(),
    })
}
