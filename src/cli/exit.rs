//! Exit codes, and the message of an error that ends the program.

use std::process::ExitCode;

use prepare_audio::{runner::Report, runner::RunError, sources::SourceError, store::StoreError};

/// Some recordings failed.
pub const SOME_FAILED: u8 = 1;
/// The command line, a setting or a source is wrong.
pub const USAGE: u8 = 2;
/// All recordings failed.
pub const ALL_FAILED: u8 = 3;
/// The database cannot be used.
pub const DATABASE: u8 = 4;
/// A folder of recordings is away.
const SOURCES_AWAY: u8 = 5;
/// Ended by Ctrl-C or SIGTERM.
pub const INTERRUPTED: u8 = 130;

/// The table in --help.
pub const HELP: &str = "\
Exit codes:
  0    all done; also if no speech was found or nothing was pending
  1    some recordings failed, the others are done
  2    the command line, a setting, or a source named there is wrong
  3    all recordings failed
  4    the database cannot be used
  5    a folder of recordings is away (not mounted?); its recordings stay pending
  130  interrupted";

/// A mistake in the command line or a setting: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// A database that does not exist: exit code 4.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoDatabase(pub String);

/// The exit code of a run.
pub fn code(report: &Report, interrupted: bool) -> ExitCode {
    ExitCode::from(match (interrupted, report.failed + report.quarantined, report.done) {
        (true, _, _) => INTERRUPTED,
        _ if report.unavailable_folders > 0 => SOURCES_AWAY,
        (false, 0, _) => 0,
        (false, _, 0) => ALL_FAILED,
        (false, _, _) => SOME_FAILED,
    })
}

/// Prints an error with its causes, and returns its exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS; // the reader closed the pipe, as `segments | head` does
    }
    eprintln!("error: {error:#}");
    let is_database_error = error.chain().any(|e| {
        e.is::<StoreError>()
            || e.is::<NoDatabase>()
            || matches!(e.downcast_ref(), Some(RunError::Store(_)))
            || matches!(e.downcast_ref(), Some(SourceError::Store(_)))
    });
    let is_usage_error = error.chain().any(|e| {
        e.is::<Usage>() || e.is::<SourceError>() || matches!(e.downcast_ref(), Some(RunError::OutputFolder { .. }))
    });
    ExitCode::from(if is_database_error {
        DATABASE
    } else if is_usage_error {
        USAGE
    } else {
        SOME_FAILED
    })
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    error.chain().any(|e| e.downcast_ref().is_some_and(broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_match_the_help() {
        let code_for = |done, failed, interrupted| {
            let report = Report { done, failed, ..Report::default() };
            code(&report, interrupted)
        };
        for (got, want) in [
            (code_for(0, 0, false), 0),
            (code_for(5, 0, false), 0),
            (code_for(5, 1, false), 1),
            (code_for(0, 1, false), 3),
            (code_for(5, 1, true), 130),
        ] {
            assert_eq!(got, ExitCode::from(want));
        }
        let report = Report { done: 5, failed: 1, unavailable_folders: 1, ..Report::default() };
        assert_eq!(code(&report, false), ExitCode::from(5));
    }
}
