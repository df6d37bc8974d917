//! Why a model cannot be used, or failed.

use std::{io, path::PathBuf};

use prepare_audio_media::ResamplerError;

/// An error of a denoising model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DenoiseError {
    /// The model's file could not be read.
    #[error("cannot read the denoising model {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// ONNX Runtime is needed, and the crate was built without the feature `onnx`.
    #[error("the denoising model {} needs ONNX Runtime, which is not compiled in", path.display())]
    OnnxNotCompiled {
        /// The model's file.
        path: PathBuf,
    },
    /// ONNX Runtime is missing.
    #[cfg(feature = "onnx")]
    #[error("the denoising model {} cannot be loaded: {source}", path.display())]
    Runtime {
        /// The model's file.
        path: PathBuf,
        /// Why not.
        source: prepare_audio_vad::OnnxError,
    },
    /// The model's inputs, outputs or metadata are not those of a denoiser.
    #[error("the denoising model {} cannot be used: {problem}; found {found}", path.display())]
    Interface {
        /// The model's file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// Its inputs and outputs.
        found: String,
    },
    /// A computation failed.
    #[error("the denoising model {} failed: {reason}", path.display())]
    Run {
        /// The model's file.
        path: PathBuf,
        /// What ONNX Runtime reports, or what is wrong with the output.
        reason: String,
    },
    /// The model's sample rate cannot be resampled to.
    #[error("the denoising model's sample rate: {0}")]
    Rate(String),
    /// The resampler failed, which no input causes.
    #[error(transparent)]
    Resample(#[from] ResamplerError),
}

impl DenoiseError {
    /// Whether the same call may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Run { .. })
    }
}
