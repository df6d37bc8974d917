//! The command line: parse, resolve, run, exit once.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let typed = match cli::config::parse() {
        Ok(typed) => typed,
        Err(refusal) => return refusal.tell(),
    };
    match cli::run(typed) {
        Ok(code) => code,
        Err(error) => cli::exit::explain(&error),
    }
}
