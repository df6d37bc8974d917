//! Whether segments are scored.

use std::path::PathBuf;

use clap::Args;
use prepare_audio::dnsmos::{DnsmosError, DnsmosModel};

use crate::cli::{exit, features};

/// Scores of segments.
#[derive(Debug, Args)]
pub struct DnsmosArgs {
    /// Score segments with DNSMOS P.835 (speech, background, overall, 1 to 5) through ONNX Runtime: with the model of the
    /// Python package speechmos, or with its file sig_bak_ovr.onnx
    #[arg(
        long,
        value_name = "FILE",
        env = "PREPARE_AUDIO_DNSMOS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "auto"
    )]
    pub dnsmos: Option<DnsmosFile>,
}

/// Where the model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsmosFile {
    /// In a Python environment.
    Auto,
    /// In this file.
    File(PathBuf),
}

impl std::str::FromStr for DnsmosFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if ["", "auto"].contains(&text) { Self::Auto } else { Self::File(text.into()) })
    }
}

impl DnsmosArgs {
    /// Loads the model. It reads files, so call it on a thread that may block.
    pub fn open(&self) -> Result<Option<DnsmosModel>, exit::Usage> {
        let model = match &self.dnsmos {
            None => return Ok(None),
            Some(DnsmosFile::Auto) => DnsmosModel::open(None),
            Some(DnsmosFile::File(path)) => DnsmosModel::open(Some(path)),
        };
        model.map(Some).map_err(|error| exit::Usage(with_hint(&error)))
    }
}

/// The error's message, with the flag or feature that helps.
fn with_hint(error: &DnsmosError) -> String {
    match error {
        DnsmosError::Missing => format!("{error}; or name its file: --dnsmos=FILE"),
        DnsmosError::OnnxNotCompiled => format!("{error}; {}", features::how_to_get("onnx")),
        _ => error.to_string(),
    }
}
