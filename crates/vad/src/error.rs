//! The crate's error type. All errors occur before the first window is computed, except those of ONNX Runtime, which may
//! fail at any window.

use std::path::PathBuf;

#[cfg(feature = "onnx")]
use super::OnnxError;
use super::{DetectorSpec, SimdLevel};

/// An error of the voice activity detector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VadError {
    /// The model's file could not be read.
    #[error("cannot read the VAD model {}: {source}", path.display())]
    ReadModel {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The model's bytes are not an ONNX file, or only a part of one.
    #[error("the VAD model is not a complete ONNX file: {0}")]
    NotOnnx(String),
    /// An ONNX file of another architecture.
    #[error("the VAD model is not a Silero VAD v6 at 16 kHz: found {found}, expected {expected}")]
    WrongModel {
        /// What the file contains.
        found: String,
        /// What a file of this architecture contains in its place.
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
    /// This processor does not have the requested SIMD level.
    #[error("this CPU does not support {0}")]
    LevelMissing(SimdLevel),
    /// The native engine was requested to compute on a GPU.
    #[error("the native engine computes on the CPU; CUDA needs ONNX Runtime")]
    NativeOnCuda,
    /// ONNX Runtime is needed, and the crate was built without the feature `onnx`.
    #[error("ONNX Runtime is not compiled in (the Cargo feature `onnx` is off)")]
    OnnxNotCompiled,
    /// ONNX Runtime, or a model for it.
    #[cfg(feature = "onnx")]
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// A model that neither engine can compute.
    #[error("{native}; so it needs ONNX Runtime. {onnx}")]
    Neither {
        /// Why the native engine cannot.
        native: Box<VadError>,
        /// Why ONNX Runtime cannot.
        onnx: Box<VadError>,
    },
    /// An invalid detector specification.
    #[error("invalid detector specification {0:?}: rate and hop must be above 0, and the hop at most the window")]
    Spec(DetectorSpec),
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
    /// A stable name of this kind of error, for databases, logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ReadModel { .. } => "vad_model_unreadable",
            Self::NotOnnx(_) => "vad_model_not_onnx",
            Self::WrongModel { .. } => "vad_model_wrong",
            Self::Damaged { .. } => "vad_model_damaged",
            Self::LevelMissing(_) => "vad_simd_missing",
            Self::NativeOnCuda => "vad_native_on_cuda",
            Self::OnnxNotCompiled => "onnx_not_compiled",
            #[cfg(feature = "onnx")]
            Self::Onnx(error) => error.code(),
            Self::Neither { onnx, .. } => onnx.code(),
            Self::Spec(_) => "vad_spec",
            Self::Parameter { .. } => "vad_parameter",
        }
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        match self {
            #[cfg(feature = "onnx")]
            Self::Onnx(error) => error.is_retryable(),
            _ => false,
        }
    }
}
