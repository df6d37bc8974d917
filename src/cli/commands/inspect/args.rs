//! The arguments of `inspect`. They are the same whether the command is compiled in or not.

use std::path::PathBuf;

/// Help below the flags.
pub const HELP: &str = "\
Examples:
  prepare-audio inspect                                 prints an address to open in a browser
  prepare-audio inspect --port 8017 --database corpus.db
  ssh -L 8017:127.0.0.1:8017 HOST prepare-audio inspect --port 8017    from another machine

The pages are for browsers on this machine: the server listens on the loopback address alone, and reads only files that the
database names. The database may be read-only. Sources are decoded into temporary files, of 115 MB an hour, in TMPDIR.";

/// Arguments of `inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Port on the loopback address; 0 for any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Folder that relative sources are relative to [default: the current folder]
    #[arg(long, value_name = "DIR", env = "AUDIO_FILE_DIR")]
    pub audio_dir: Option<PathBuf>,
    /// Print the address as JSON
    #[arg(long)]
    pub json: bool,
}
