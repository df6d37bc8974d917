//! The network's weights, packed for the kernels and shared by all detectors.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::super::onnx_file::OnnxFile;
use super::super::{ModelFile, VadError};
use super::encoder::Encoder;
use super::fft::Fft;
use super::lstm::Recurrence;
use super::weights::Weights;

/// Silero VAD's weights. Cheap to clone: all clones share them.
#[derive(Clone)]
pub struct SileroModel(Arc<Inner>);

struct Inner {
    name: String,
    sha256: String,
    fft: Fft,
    encoder: Encoder,
    recurrence: Recurrence,
}

impl SileroModel {
    /// The bundled model: Silero VAD v6.2 for 16 kHz.
    ///
    /// # Errors
    /// If the bytes compiled into the program are damaged.
    pub fn bundled() -> Result<Self, VadError> {
        Self::read(&ModelFile::bundled()?)
    }

    /// A model of the same architecture, such as a fine-tuned one, from an ONNX file.
    ///
    /// # Errors
    /// If the file cannot be read or has another architecture.
    pub fn from_file(path: &Path) -> Result<Self, VadError> {
        Self::read(&ModelFile::read(path)?)
    }

    /// The weights in `file`.
    ///
    /// # Errors
    /// [`VadError::NotOnnx`] or [`VadError::WrongModel`].
    pub fn read(file: &ModelFile) -> Result<Self, VadError> {
        let weights = Weights::from_onnx(&OnnxFile::parse(file.bytes())?)?;
        Ok(Self(Arc::new(Inner {
            name: file.name().into(),
            sha256: file.sha256().into(),
            fft: Fft::new(&weights.window),
            encoder: Encoder::new(&weights),
            recurrence: Recurrence::new(&weights),
        })))
    }

    /// A name for display: `silero-vad 6.2 16k`, or the file's name without its extension.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The model's identity: SHA-256 of its file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    pub(super) fn fft(&self) -> &Fft {
        &self.0.fft
    }

    pub(super) fn encoder(&self) -> &Encoder {
        &self.0.encoder
    }

    pub(super) fn recurrence(&self) -> &Recurrence {
        &self.0.recurrence
    }
}

impl fmt::Debug for SileroModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SileroModel")
            .field("name", &self.0.name)
            .field("sha256", &self.0.sha256)
            .finish_non_exhaustive()
    }
}
