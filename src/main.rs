//! The entry point: parses the command line, runs the command, and turns the outcome into an exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match cli::config::parse() {
        Ok(arguments) => arguments,
        Err(invalid) => return invalid.report(),
    };
    match cli::run(arguments) {
        Ok(code) => code,
        Err(error) => cli::exit::report(&error),
    }
}
