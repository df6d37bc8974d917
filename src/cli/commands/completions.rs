//! `prepare-audio completions`: a shell's completion script, generated from the command line's definition.

use std::io::{self, Write};

use clap::Command;
use clap_complete::Shell;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell
    pub shell: Shell,
}

/// Runs the command.
pub fn run(args: &Args, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "prepare-audio", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}
