//! One interface over both engines: all workers share an [`Engine`], and each worker has a [`Detector`].

use std::fmt;

use super::{DetectorSpec, ModelFile, SILERO_16K, SileroDetector, SileroModel, VadError};
#[cfg(feature = "onnx")]
use super::{Interface, OnnxDetector, OnnxModel};

/// Which engine computes a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The native engine if it can: models of Silero VAD v6's architecture, on the CPU. ONNX Runtime otherwise.
    #[default]
    Auto,
    /// The native engine.
    Native,
    /// ONNX Runtime. Needs the feature `onnx`.
    Onnx,
}

/// Where a model is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The CPU. ONNX Runtime uses one thread for each session.
    #[default]
    Cpu,
    /// The first NVIDIA GPU. Needs an ONNX Runtime library with CUDA, and the feature `onnx`.
    Cuda,
}

/// A model with the engine that computes it. Cheap to clone.
///
/// ```
/// use prepare_audio_vad::{Device, Engine, EngineChoice, ModelFile};
///
/// let engine = Engine::open(ModelFile::bundled()?, EngineChoice::Auto, Device::Cpu)?;
/// let mut detector = engine.detector()?; // one for each worker
/// let mut probabilities = Vec::new();
/// detector.push(&[0.0; 16_000], &mut probabilities)?;
/// detector.finish(&mut probabilities)?;
/// assert_eq!(probabilities.len(), 32);
/// # Ok::<(), prepare_audio_vad::VadError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Engine {
    /// The native engine.
    Native(SileroModel),
    /// ONNX Runtime.
    #[cfg(feature = "onnx")]
    Onnx(OnnxModel),
}

impl Engine {
    /// Opens the model in `file` with the chosen engine and checks that this engine can compute it.
    ///
    /// # Errors
    /// If the engine cannot compute the model or does not run on `device`, or if the build lacks ONNX Runtime.
    pub fn open(file: ModelFile, choice: EngineChoice, device: Device) -> Result<Self, VadError> {
        match (choice, device) {
            (EngineChoice::Native, Device::Cuda) => Err(VadError::NativeOnCuda),
            (EngineChoice::Native, Device::Cpu) => SileroModel::read(&file).map(Self::Native),
            (EngineChoice::Onnx, _) | (EngineChoice::Auto, Device::Cuda) => Self::open_onnx(file, device),
            (EngineChoice::Auto, Device::Cpu) => match SileroModel::read(&file) {
                Err(native @ VadError::WrongModel { .. }) => Self::open_onnx(file, device)
                    .map_err(|onnx| VadError::Neither { native: native.into(), onnx: onnx.into() }),
                model => model.map(Self::Native),
            },
        }
    }

    #[cfg(feature = "onnx")]
    fn open_onnx(file: ModelFile, device: Device) -> Result<Self, VadError> {
        OnnxModel::open(file, device).map(Self::Onnx)
    }

    #[cfg(not(feature = "onnx"))]
    fn open_onnx(_: ModelFile, _: Device) -> Result<Self, VadError> {
        Err(VadError::OnnxNotCompiled)
    }

    /// A detector for one worker.
    ///
    /// # Errors
    /// If ONNX Runtime cannot create another session. The native engine never fails.
    pub fn detector(&self) -> Result<Detector, VadError> {
        Ok(match self {
            Self::Native(model) => Detector::Native(Box::new(SileroDetector::new(model))),
            #[cfg(feature = "onnx")]
            Self::Onnx(model) => Detector::Onnx(Box::new(model.detector()?)),
        })
    }

    /// A detector for audio that arrives live: it computes each window as soon as it is complete, and takes a twentieth of the
    /// memory. The probabilities are the same.
    ///
    /// # Errors
    /// As [`detector`](Self::detector).
    pub fn live_detector(&self) -> Result<Detector, VadError> {
        match self {
            Self::Native(model) => {
                let detector = SileroDetector::with_block(model, super::SimdLevel::detect(), 1)?;
                Ok(Detector::Native(Box::new(detector)))
            }
            #[cfg(feature = "onnx")]
            Self::Onnx(_) => self.detector(),
        }
    }

    /// The specification of its detectors. Every model that an engine accepts has that of Silero at 16 kHz.
    pub fn spec(&self) -> DetectorSpec {
        SILERO_16K
    }

    /// The model's name, for display.
    pub fn name(&self) -> &str {
        match self {
            Self::Native(model) => model.name(),
            #[cfg(feature = "onnx")]
            Self::Onnx(model) => model.file().name(),
        }
    }

    /// The model's identity: the SHA-256 of its file. It does not depend on the engine.
    pub fn sha256(&self) -> &str {
        match self {
            Self::Native(model) => model.sha256(),
            #[cfg(feature = "onnx")]
            Self::Onnx(model) => model.file().sha256(),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native(_) => write!(f, "native, {}", super::SimdLevel::detect()),
            #[cfg(feature = "onnx")]
            Self::Onnx(model) => {
                let device = match model.device() {
                    Device::Cpu => "CPU",
                    Device::Cuda => "CUDA",
                };
                let calls = match model.interface() {
                    Interface::PerWindow { .. } => "one window per call",
                    Interface::Batched => "many windows per call",
                };
                write!(f, "ONNX Runtime, {device}, {calls}")
            }
        }
    }
}

/// Computes the speech probability of each window of a recording, from samples that arrive in pieces of any size. A
/// worker keeps one and calls [`reset`](Self::reset) between recordings.
#[derive(Debug)]
#[non_exhaustive]
pub enum Detector {
    /// The native engine, which cannot fail.
    Native(Box<SileroDetector>),
    /// A session of ONNX Runtime.
    #[cfg(feature = "onnx")]
    Onnx(Box<OnnxDetector>),
}

impl Detector {
    /// Returns to the state at the start of a recording.
    pub fn reset(&mut self) {
        match self {
            Self::Native(detector) => detector.reset(),
            #[cfg(feature = "onnx")]
            Self::Onnx(detector) => detector.reset(),
        }
    }

    /// Takes the next samples (16 kHz, mono, in -1..=1) and appends a probability for each window that they complete.
    ///
    /// # Errors
    /// If ONNX Runtime fails.
    pub fn push(&mut self, samples: &[f32], probabilities: &mut Vec<f32>) -> Result<(), VadError> {
        match self {
            Self::Native(detector) => detector.push(samples, probabilities),
            #[cfg(feature = "onnx")]
            Self::Onnx(detector) => detector.push(samples, probabilities)?,
        }
        Ok(())
    }

    /// Appends the probability of the last, incomplete window, padded with zeros, if there is one.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, probabilities: &mut Vec<f32>) -> Result<(), VadError> {
        match self {
            Self::Native(detector) => detector.finish(probabilities),
            #[cfg(feature = "onnx")]
            Self::Onnx(detector) => detector.finish(probabilities)?,
        }
        Ok(())
    }
}
