//! `inspect` in a program that was built without the feature `inspect`: the command is refused.

#[path = "inspect/args.rs"]
#[allow(dead_code)] // parsed, so that the command is refused and not its options
mod args;

use std::process::ExitCode;

pub use self::args::{Args, HELP};
use crate::cli::{args::GlobalArgs, features};

/// Has the signature of the command.
pub async fn run(_: &GlobalArgs, _: &Args) -> anyhow::Result<ExitCode> {
    Err(features::not_compiled("inspect"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::command_line::{Cli, Command};

    #[tokio::test]
    async fn the_command_is_refused_with_a_hint() {
        let Cli { global, command } = Cli::parse_from(["prepare-audio", "inspect", "--port", "8017"]);
        let Command::Inspect(args) = command else { panic!("{command:?}") };
        let error = run(&global, &args).await.unwrap_err().to_string();
        assert!(error.contains("without the feature \"inspect\"; build the program with it"), "{error}");
    }
}
