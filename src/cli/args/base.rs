//! The folders that recordings are read from and segments are written to.

use std::path::PathBuf;

use clap::Args;

/// The folders of recordings and segments.
#[derive(Clone, Debug, Args)]
pub struct BaseArgs {
    /// Folder that segments are written to; it is never searched for recordings
    #[arg(short, long, value_name = "DIR", env = "OUTPUT_DIR", default_value = "segments")]
    pub output: PathBuf,
    /// Folder that relative sources are relative to [default: the current folder]
    #[arg(long, value_name = "DIR", env = "AUDIO_FILE_DIR")]
    pub audio_dir: Option<PathBuf>,
}
