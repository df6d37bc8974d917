//! Whether and how noise is removed.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};
use prepare_audio::{
    denoise::{DenoiseError, DenoiseModel},
    pipeline::{Denoising, VadInput},
};

use crate::cli::{exit, hints};

/// Denoising.
#[derive(Debug, Args)]
#[command(next_help_heading = "Denoising")]
pub struct DenoiseArgs {
    /// Write a second file of each segment without noise: rnnoise (built in), or the ONNX file of another model
    #[arg(long, value_name = "rnnoise|FILE", env = "PREPARE_AUDIO_DENOISE")]
    pub denoise: Option<DenoiserName>,
    /// What the detector receives: raw, or denoised, which needs --denoise
    #[arg(
        long,
        value_name = "raw|denoised",
        env = "PREPARE_AUDIO_VAD_ON",
        default_value = "raw",
        hide_possible_values = true
    )]
    pub vad_on: VadOn,
}

/// A denoising model on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenoiserName {
    RnNoise,
    File(PathBuf),
}

impl FromStr for DenoiserName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("write rnnoise, or the path of an ONNX file".into()),
            "rnnoise" => Ok(Self::RnNoise),
            path => Ok(Self::File(path.into())),
        }
    }
}

/// Signals that the detector may receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VadOn {
    Raw,
    Denoised,
}

impl DenoiseArgs {
    /// Loads the model. It reads files, so call it on a thread that may block.
    pub fn open(&self) -> Result<Option<Denoising>, exit::Usage> {
        let vad_input = match self.vad_on {
            VadOn::Raw => VadInput::Raw,
            VadOn::Denoised => VadInput::Denoised,
        };
        let model = match &self.denoise {
            None if vad_input == VadInput::Denoised => {
                return Err(exit::Usage("--vad-on denoised needs a model: add --denoise rnnoise".into()));
            }
            None => return Ok(None),
            Some(DenoiserName::RnNoise) => DenoiseModel::rnnoise(),
            Some(DenoiserName::File(path)) => DenoiseModel::open(path).map_err(usage)?,
        };
        Ok(Some(Denoising { model, vad_input }))
    }
}

fn usage(error: DenoiseError) -> exit::Usage {
    exit::Usage(hints::with_denoise_hint(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rnnoise_is_a_name_and_all_else_a_file() {
        for (text, name) in [
            ("rnnoise", Some(DenoiserName::RnNoise)),
            ("./rnnoise", Some(DenoiserName::File("./rnnoise".into()))),
            ("gtcrn.onnx", Some(DenoiserName::File("gtcrn.onnx".into()))),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), name, "{text}");
        }
    }
}
