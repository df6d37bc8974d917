//! Hints that the program adds to the library's errors: the flag or the Cargo feature that helps.
//!
//! The library's errors name the cause and no flags, because the library has none.

use prepare_audio::{denoise::DenoiseError, types::ErrorCode, vad::VadError};

use super::features;

/// The flag that helps, as text to append to the error's message.
pub fn for_error(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::Timeout => "--timeout allows more",
        ErrorCode::TooLong => "--max-duration allows more",
        ErrorCode::TooLarge => "--max-bytes allows more",
        ErrorCode::UnsupportedFormat => "samples without a header need --raw FORMAT:RATE:CHANNELS",
        ErrorCode::UnsupportedSegment => "use --format flac or wav, or --segment-channels mono",
        _ => return None,
    })
}

/// The message of a model's error, with the hint if there is one.
pub fn with_hint(error: &VadError) -> String {
    match for_model(error) {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// The message of a denoising model's error, with the hint if there is one.
pub fn with_denoise_hint(error: &DenoiseError) -> String {
    match error {
        DenoiseError::Read { .. } => format!("{error}; --denoise takes rnnoise, or the path of an ONNX file"),
        DenoiseError::OnnxNotCompiled { .. } => format!("{error}; {}", features::how_to_get("onnx")),
        DenoiseError::Interface { .. } => format!("{error}; docs/denoise.md describes the interface"),
        _ => error.to_string(),
    }
}

fn for_model(error: &VadError) -> Option<String> {
    match error {
        VadError::NativeOnCuda => Some("use --vad-engine onnx or auto with --device cuda".into()),
        VadError::OnnxNotCompiled => Some(features::how_to_get("onnx")),
        VadError::Neither { onnx, .. } => for_model(onnx),
        _ => None,
    }
}
