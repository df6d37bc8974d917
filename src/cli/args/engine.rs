//! The speech detection model, and the engine that computes it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use prepare_audio::vad::{Device, Engine, EngineChoice, ModelFile, VadError};

/// The model and the engine that computes it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Model and engine")]
pub struct EngineArgs {
    /// Silero VAD model file (16 kHz, ONNX) [default: the bundled v6.2]
    #[arg(long, value_name = "FILE", env = "MODEL_FOR_VAD")]
    pub vad_model: Option<PathBuf>,
    /// What computes the model
    #[arg(long, value_name = "ENGINE", env = "PREPARE_AUDIO_VAD_ENGINE", default_value = "auto")]
    pub vad_engine: EngineName,
    /// What ONNX Runtime computes on
    #[arg(long, value_name = "DEVICE", env = "PREPARE_AUDIO_DEVICE", default_value = "cpu")]
    pub device: DeviceName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EngineName {
    /// The native engine where it can compute the model, else ONNX Runtime
    Auto,
    /// The program's own, the fastest; models of Silero's architecture, on the processor
    Native,
    /// ONNX Runtime, which must be installed; Silero models of v5 and v6, whatever is within
    Onnx,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DeviceName {
    /// The processor
    Cpu,
    /// An NVIDIA GPU, with a library of ONNX Runtime that can use it
    Cuda,
}

impl EngineArgs {
    /// Loads the model into its engine.
    pub fn open(&self) -> Result<Engine, VadError> {
        let file = match &self.vad_model {
            None => ModelFile::bundled(),
            Some(path) => ModelFile::read(path),
        };
        Engine::open(file?, self.vad_engine.into(), self.device.into())
    }
}

impl From<EngineName> for EngineChoice {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Auto => Self::Auto,
            EngineName::Native => Self::Native,
            EngineName::Onnx => Self::Onnx,
        }
    }
}

impl From<DeviceName> for Device {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Cpu => Self::Cpu,
            DeviceName::Cuda => Self::Cuda,
        }
    }
}
