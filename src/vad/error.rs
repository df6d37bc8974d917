//! What can go wrong before the first window is computed. After that nothing can with the native engine; ONNX Runtime
//! may fail at any window.

use std::path::PathBuf;

use super::{OnnxError, SimdLevel};

/// An error of the voice activity detector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VadError {
    /// The model's file could not be read.
    #[error("cannot read the VAD model {}: {source}", path.display())]
    ReadModel {
        /// The file that was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The model's bytes are no ONNX file, or only a part of one.
    #[error("the VAD model is not a whole ONNX file: {0}")]
    NotOnnx(String),
    /// An ONNX file of another architecture.
    #[error("the VAD model is not a Silero VAD v6 at 16 kHz: found {found}, expected {expected}")]
    WrongModel {
        /// What the file holds.
        found: String,
        /// What a file of this architecture holds in its place.
        expected: String,
    },
    /// The model inside this program differs from the one it was released with.
    #[error("the bundled VAD model has sha256 {found}, expected {expected}: the program's file is damaged")]
    Damaged {
        /// Hash of the bytes inside the program.
        found: String,
        /// Hash of the model as released.
        expected: String,
    },
    /// A SIMD level was asked for that this processor does not have.
    #[error("this processor has no {0}")]
    LevelMissing(SimdLevel),
    /// The native engine was asked to compute on a GPU.
    #[error(
        "the native engine computes on the processor: --device cuda needs ONNX Runtime (--vad-engine onnx or auto)"
    )]
    NativeOnCuda,
    /// ONNX Runtime, or a model for it.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A model that neither engine can compute.
    #[error("{native}; so it is left to ONNX Runtime. {onnx}")]
    Neither {
        /// Why the native engine cannot.
        native: Box<VadError>,
        /// Why ONNX Runtime cannot.
        onnx: Box<VadError>,
    },
    /// A parameter of the segmenter is out of its range.
    #[error("{name} is {value}, expected {expected}")]
    Parameter {
        /// Silero's name of the parameter.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The range in words.
        expected: &'static str,
    },
}

impl VadError {
    /// A stable name of this kind of error, for rows, logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ReadModel { .. } => "vad_model_unreadable",
            Self::NotOnnx(_) => "vad_model_not_onnx",
            Self::WrongModel { .. } => "vad_model_wrong",
            Self::Damaged { .. } => "vad_model_damaged",
            Self::LevelMissing(_) => "vad_simd_missing",
            Self::NativeOnCuda => "vad_native_on_cuda",
            Self::Onnx(error) => error.code(),
            Self::Neither { onnx, .. } => onnx.code(),
            Self::Parameter { .. } => "vad_parameter",
        }
    }

    /// Whether the same call may succeed later without anybody's help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Onnx(error) if error.is_retryable())
    }
}
