//! `listen` in a program that was built without the feature `live`: the command is refused.

#[path = "listen/args.rs"]
#[allow(dead_code)] // parsed, so that the command is refused and not its options
mod args;

use std::process::ExitCode;

pub use self::args::{Args, HELP};
use crate::cli::{args::GlobalArgs, features};

/// Has the signature of the command.
pub async fn run(_: &GlobalArgs, _: Args) -> anyhow::Result<ExitCode> {
    Err(features::not_compiled("live"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::command_line::{Cli, Command};

    #[tokio::test]
    async fn the_command_is_refused_with_a_hint() {
        let Cli { global, command } = Cli::parse_from(["prepare-audio", "listen", "--bind", "127.0.0.1:8765"]);
        let Command::Listen(args) = command else { panic!("{command:?}") };
        let error = run(&global, *args).await.unwrap_err().to_string();
        assert!(error.contains("without the feature \"live\"; build the program with it"), "{error}");
    }
}
