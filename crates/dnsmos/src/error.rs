//! Why the model cannot be used, or failed.

use std::{io, path::PathBuf};

/// An error of DNSMOS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DnsmosError {
    /// No file was named, and no Python environment has the package.
    #[error(
        "no DNSMOS model was found in the Python environments of VIRTUAL_ENV, CONDA_PREFIX, PATH and ~/.local; \
         `pip install --no-deps speechmos` installs it"
    )]
    Missing,
    /// The model's file could not be read.
    #[error("cannot read the DNSMOS model {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file is another model. Its scores would need another calibration, which is not in the file.
    #[error(
        "{} is not the DNSMOS P.835 model of the package speechmos 0.0.1.1 (dnsmos_models/sig_bak_ovr.onnx); its SHA-256 \
         is {sha256}",
        path.display()
    )]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// Its hash, in hexadecimal.
        sha256: String,
    },
    /// The crate was built without the feature `onnx`.
    #[error("DNSMOS needs ONNX Runtime, which is not compiled in")]
    OnnxNotCompiled,
    /// ONNX Runtime is missing, or refuses the model.
    #[cfg(feature = "onnx")]
    #[error("DNSMOS cannot be computed: {0}")]
    Runtime(#[from] prepare_audio_vad::OnnxError),
    /// A computation failed.
    #[error("DNSMOS failed: {0}")]
    Run(String),
}

impl DnsmosError {
    /// Whether the same call may succeed later without any change.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Run(_))
    }
}
