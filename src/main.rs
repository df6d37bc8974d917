//! The program: parses the command line, runs the command, exits in one place.

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
