//! The models, shared by all workers.

use std::path::Path;

#[cfg(feature = "onnx")]
use crate::onnx::OnnxModel;
use crate::{
    DenoiseError, Denoiser,
    rnnoise::{RnNoise, WEIGHTS_SHA256},
};

/// A model that removes noise. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DenoiseModel(Kind);

#[derive(Clone, Debug)]
enum Kind {
    RnNoise,
    #[cfg(feature = "onnx")]
    Onnx(OnnxModel),
}

impl DenoiseModel {
    /// RNNoise, which is built in.
    pub fn rnnoise() -> Self {
        Self(Kind::RnNoise)
    }

    /// Opens an ONNX file, loads ONNX Runtime and computes one frame of silence, so that an unusable model or library fails
    /// here and not in the first recording.
    ///
    /// # Errors
    /// If the file is not such a model, the library is missing, or the library cannot compute the model.
    #[cfg(feature = "onnx")]
    pub fn open(path: &Path) -> Result<Self, DenoiseError> {
        OnnxModel::open(path).map(Kind::Onnx).map(Self)
    }

    /// Refuses the file: this build has no ONNX Runtime.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "onnx"))]
    pub fn open(path: &Path) -> Result<Self, DenoiseError> {
        Err(DenoiseError::OnnxNotCompiled { path: path.into() })
    }

    /// What kind of model it is: `rnnoise` or `onnx`.
    pub fn kind(&self) -> &'static str {
        match &self.0 {
            Kind::RnNoise => "rnnoise",
            #[cfg(feature = "onnx")]
            Kind::Onnx(_) => "onnx",
        }
    }

    /// The model's identity: the SHA-256 of its weights or its file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        match &self.0 {
            Kind::RnNoise => WEIGHTS_SHA256,
            #[cfg(feature = "onnx")]
            Kind::Onnx(model) => model.sha256(),
        }
    }

    /// A denoiser for one channel.
    ///
    /// # Errors
    /// If ONNX Runtime cannot create another session. RNNoise never fails.
    pub fn denoiser(&self) -> Result<Denoiser, DenoiseError> {
        match &self.0 {
            Kind::RnNoise => Denoiser::new(Box::new(RnNoise::new())),
            #[cfg(feature = "onnx")]
            Kind::Onnx(model) => Denoiser::new(Box::new(model.frames()?)),
        }
    }
}
