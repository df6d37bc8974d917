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
    /// The engine that computes the model
    #[arg(long, value_name = "ENGINE", env = "PREPARE_AUDIO_VAD_ENGINE", default_value = "auto")]
    pub vad_engine: EngineName,
    /// The device that ONNX Runtime computes on
    #[arg(long, value_name = "DEVICE", env = "PREPARE_AUDIO_DEVICE", default_value = "cpu")]
    pub device: DeviceName,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EngineName {
    /// The native engine if it can compute the model, otherwise ONNX Runtime
    Auto,
    /// The built-in engine, which is the fastest; models of Silero's architecture, on the CPU
    Native,
    /// ONNX Runtime, which must be installed; any model with the inputs and outputs of Silero v5 or v6
    Onnx,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DeviceName {
    /// The CPU
    Cpu,
    /// An NVIDIA GPU; needs a GPU build of ONNX Runtime
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
