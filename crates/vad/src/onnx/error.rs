//! Errors of ONNX Runtime and of the models that it computes.

use std::path::PathBuf;

/// How to install ONNX Runtime.
const HOW_TO_GET_IT: &str = "`pip install onnxruntime` in an active Python environment (onnxruntime-gpu for CUDA); or \
    unpack a release of https://github.com/microsoft/onnxruntime/releases and put its library beside the program, or \
    its path into ORT_DYLIB_PATH";

/// An error of the engine that computes through ONNX Runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// No library was found.
    #[error("ONNX Runtime was not found; searched {searched}. To get it: {HOW_TO_GET_IT}")]
    Missing {
        /// The places, as text, with the reasons why the libraries found there cannot be used.
        searched: String,
    },
    /// A library was found and cannot be used.
    #[error("cannot use {} as ONNX Runtime: {reason}. To get another: {HOW_TO_GET_IT}", path.display())]
    Unusable {
        /// The library's file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The loaded library cannot compute on this device.
    #[error(
        "the ONNX Runtime in {} has no CUDA, only {offered}. For CUDA: `pip install onnxruntime-gpu`, or set \
         ORT_DYLIB_PATH to the library of a release with `gpu` in its name",
        library.display()
    )]
    NoCuda {
        /// The library's file.
        library: PathBuf,
        /// The devices that it supports.
        offered: String,
    },
    /// The model's inputs and outputs are not those of a Silero VAD.
    #[error("the VAD model has an unknown interface: found {found}; expected {expected}")]
    Interface {
        /// The model's inputs and outputs.
        found: String,
        /// Those of the models that can be used.
        expected: &'static str,
    },
    /// ONNX Runtime cannot create a session for the model, or not on this device.
    #[error("ONNX Runtime refuses the model: {0}")]
    Refused(String),
    /// A computation failed.
    #[error("ONNX Runtime failed: {0}")]
    Run(String),
}

impl OnnxError {
    /// A stable name of this kind of error, for databases, logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "onnx_runtime_missing",
            Self::Unusable { .. } => "onnx_runtime_unusable",
            Self::NoCuda { .. } => "onnx_no_cuda",
            Self::Interface { .. } => "vad_model_wrong",
            Self::Refused(_) => "vad_model_refused",
            Self::Run(_) => "vad_error",
        }
    }

    /// Whether the same call may succeed later. A computation may fail because a GPU is out of memory.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Run(_))
    }
}
