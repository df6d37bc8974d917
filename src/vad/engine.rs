//! The two engines behind one face: what is shared by all workers, and what each of them listens with.

use std::fmt;

use super::{Detector, Device, Interface, Model, ModelFile, OnnxDetector, OnnxModel, VadError};

/// Which engine is to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The native one where it can: for models of Silero's architecture, on the processor. ONNX Runtime for all else.
    #[default]
    Auto,
    /// The native one.
    Native,
    /// ONNX Runtime.
    Onnx,
}

/// A model in the hands of the engine that computes it. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Engine {
    /// This program's own.
    Native(Model),
    /// ONNX Runtime.
    Onnx(OnnxModel),
}

impl Engine {
    /// Gives the model in `file` to an engine, and makes sure that this one can compute it.
    ///
    /// # Errors
    /// Where it cannot.
    pub fn open(file: ModelFile, choice: EngineChoice, device: Device) -> Result<Self, VadError> {
        match (choice, device) {
            (EngineChoice::Native, Device::Cuda) => Err(VadError::NativeOnCuda),
            (EngineChoice::Native, Device::Cpu) => Model::read(&file).map(Self::Native),
            (EngineChoice::Onnx, _) | (EngineChoice::Auto, Device::Cuda) => {
                OnnxModel::open(file, device).map(Self::Onnx)
            }
            (EngineChoice::Auto, Device::Cpu) => match Model::read(&file) {
                Err(native @ VadError::WrongModel { .. }) => {
                    let other = OnnxModel::open(file, device).map(Self::Onnx);
                    other.map_err(|onnx| VadError::Neither { native: native.into(), onnx: onnx.into() })
                }
                model => model.map(Self::Native),
            },
        }
    }

    /// Something to listen with, for one worker.
    ///
    /// # Errors
    /// Where ONNX Runtime cannot make one more session; the native engine always can.
    pub fn listener(&self) -> Result<Listener, VadError> {
        Ok(match self {
            Self::Native(model) => Listener::Native(Box::new(Detector::new(model))),
            Self::Onnx(model) => Listener::Onnx(Box::new(model.detector()?)),
        })
    }

    /// The model's name, for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Native(model) => model.name(),
            Self::Onnx(model) => model.file().name(),
        }
    }

    /// The model's identity: SHA-256 of its file. The engine is no part of it.
    pub fn sha256(&self) -> &str {
        match self {
            Self::Native(model) => model.sha256(),
            Self::Onnx(model) => model.file().sha256(),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Native(_) => write!(f, "native, {}", super::SimdLevel::detect()),
            Self::Onnx(model) => {
                let device = match model.device() {
                    Device::Cpu => "CPU",
                    Device::Cuda => "CUDA",
                };
                let calls = match model.interface() {
                    Interface::PerWindow { .. } => "a window a call",
                    Interface::Batched => "many windows a call",
                };
                write!(f, "ONNX Runtime, {device}, {calls}")
            }
        }
    }
}

/// Computes the speech probability of each window of a recording, from samples that come in pieces of any size. A
/// worker keeps one and calls [`reset`](Self::reset) between recordings.
#[derive(Debug)]
pub enum Listener {
    /// The native engine, which cannot fail.
    Native(Box<Detector>),
    /// A session of ONNX Runtime.
    Onnx(Box<OnnxDetector>),
}

impl Listener {
    /// Forgets everything heard, as if new.
    pub fn reset(&mut self) {
        match self {
            Self::Native(detector) => detector.reset(),
            Self::Onnx(detector) => detector.reset(),
        }
    }

    /// Hears the next samples (16 kHz, mono, in -1..=1) and adds a probability for each window that is full now.
    ///
    /// # Errors
    /// Where ONNX Runtime fails.
    pub fn push(&mut self, samples: &[f32], probabilities: &mut Vec<f32>) -> Result<(), VadError> {
        match self {
            Self::Native(detector) => detector.push(samples, probabilities),
            Self::Onnx(detector) => detector.push(samples, probabilities)?,
        }
        Ok(())
    }

    /// Adds the probability of the last, incomplete window, filled up with zeros, if there is one.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, probabilities: &mut Vec<f32>) -> Result<(), VadError> {
        match self {
            Self::Native(detector) => detector.finish(probabilities),
            Self::Onnx(detector) => detector.finish(probabilities)?,
        }
        Ok(())
    }
}
