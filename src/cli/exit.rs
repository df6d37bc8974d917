//! What the program says at its end, to people and to cron.

use std::process::ExitCode;

use prepare_audio::{sources::SourceError, store::StoreError, worker::Report, worker::RunError};

/// Some recordings failed.
const SOME_FAILED: u8 = 1;
/// The command line, a setting or a source that was typed is wrong.
pub const USAGE: u8 = 2;
/// All recordings failed.
const ALL_FAILED: u8 = 3;
/// The database cannot be used.
pub const DATABASE: u8 = 4;
/// Ended by Ctrl-C or SIGTERM.
pub const INTERRUPTED: u8 = 130;

/// The table of --help.
pub const HELP: &str = "\
Exit codes:
  0    all done; no speech found and nothing pending are fine
  1    some recordings failed, the others are done
  2    usage: the command line, a setting, or a source that was typed
  3    all recordings failed
  4    the database
  130  interrupted";

/// A mistake of the one who typed: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// A database that should be there and is not: exit code 4.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoDatabase(pub String);

/// The exit code of a run that came to its end.
pub fn code(report: &Report, interrupted: bool) -> ExitCode {
    ExitCode::from(match (interrupted, report.failed + report.quarantined, report.done) {
        (true, _, _) => INTERRUPTED,
        (false, 0, _) => 0,
        (false, _, 0) => ALL_FAILED,
        (false, _, _) => SOME_FAILED,
    })
}

/// Prints an error with its causes, and finds its exit code.
pub fn explain(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS; // the reader has seen enough, as in `segments | head`
    }
    eprintln!("error: {error:#}");
    let of_database = error.chain().any(|e| {
        e.is::<StoreError>()
            || e.is::<NoDatabase>()
            || matches!(e.downcast_ref(), Some(RunError::Store(_)))
            || matches!(e.downcast_ref(), Some(SourceError::Store(_)))
    });
    let of_usage = error
        .chain()
        .any(|e| e.is::<Usage>() || e.is::<SourceError>() || matches!(e.downcast_ref(), Some(RunError::Output { .. })));
    ExitCode::from(if of_database {
        DATABASE
    } else if of_usage {
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
    fn codes_are_what_help_says() {
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
    }
}
