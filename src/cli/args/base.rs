//! The folders that recordings are read from and segments are written to.

use std::path::PathBuf;

use clap::Args;

/// Where recordings are, and which folder holds none.
#[derive(Clone, Debug, Args)]
pub struct BaseArgs {
    /// Folder that the segments go to; it is never searched for recordings
    #[arg(short, long, value_name = "DIR", env = "OUTPUT_DIR", default_value = "segments")]
    pub output: PathBuf,
    /// Folder that relative sources are read from [default: the current folder]
    #[arg(long, value_name = "DIR", env = "AUDIO_FILE_DIR")]
    pub audio_dir: Option<PathBuf>,
}
