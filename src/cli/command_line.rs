//! The command line as a whole: the program and all of its commands. Only this module knows every command.
//!
//! Defaults and environment names are declared with the arguments; `config` puts a file's values below them.

use clap::{Parser, Subcommand};

use super::{
    args::GlobalArgs,
    commands::{
        add, cancel, completions, export, fetch, gc, inspect, listen, quality, quarantine, report, requeue, resegment,
        retry, segments, status, verify, workers,
    },
    doctor::DoctorArgs,
    exit,
};

const EXAMPLES: &str = "\
Examples:
  prepare-audio fetch recordings/ --workers 4      prepare a folder of recordings
  prepare-audio add corpus.jsonl                   put a manifest's recordings into the table ...
  prepare-audio fetch                              ... and prepare whatever is pending
  prepare-audio fetch --dry-run                    how much work is pending
  prepare-audio status                             progress and the newest failures
  prepare-audio segments talk.mp3 --json           a recording's segments, for machines
  prepare-audio export lhotse --to corpus/         the segments as a corpus that a trainer loads
  prepare-audio report                             figures, charts and excerpts as one HTML page
  prepare-audio inspect                            pages to look at recordings, to listen, and to try parameters
  prepare-audio listen --bind 127.0.0.1:8765       receive audio while it is spoken
  prepare-audio resegment --merge-to 30            other segments, from stored probabilities
  prepare-audio retry --all && prepare-audio fetch
  prepare-audio workers                            which worker holds which recording
  prepare-audio verify                             compare segment files with their rows
  prepare-audio gc --dry-run                       files that no row refers to
  prepare-audio doctor                             check that this machine has what a run needs";

const SETTINGS: &str = "\
Settings come from flags, the environment (a .env file is read too), and the TOML file that --config names. The first
of these that has a setting wins. The file's keys are the flags' names: `workers = 4`, `vad-threshold = 0.6`.";

const MORE: &str = "--help shows all flags and the exit codes.";

/// Turns a table of recordings into clean speech segments
#[derive(Debug, Parser)]
#[command(name = "prepare-audio", version, about, max_term_width = 110, propagate_version = true)]
#[command(after_help = exit::HELP, after_long_help = format!("{EXAMPLES}\n\n{SETTINGS}\n\n{}", exit::HELP))]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prepare every pending recording: decode, detect speech, write the segments
    #[command(after_help = MORE, after_long_help = exit::HELP)]
    Fetch(Box<fetch::Args>),
    /// Segment done recordings again from their stored probabilities; audio is decoded only where boundaries change
    #[command(after_help = MORE, after_long_help = exit::HELP)]
    Resegment(Box<resegment::Args>),
    /// Add recordings to the table, for a later fetch to prepare
    #[command(after_help = add::HELP)]
    Add(add::Args),
    /// Show counts by state, hours, speed and the newest failures
    Status(status::Args),
    /// List the segments of done recordings
    Segments(segments::Args),
    /// Write done recordings as other tools load them: manifests, corpora, annotations, subtitles, tables
    #[command(after_help = MORE, after_long_help = export::HELP)]
    Export(Box<export::Args>),
    /// Write a page with figures, charts and excerpts to listen to, as one HTML file
    #[command(after_help = report::HELP)]
    Report(report::Args),
    /// Serve pages on this machine to look at recordings, to listen to them, and to try other parameters
    #[command(after_help = inspect::HELP)]
    Inspect(inspect::Args),
    /// Show how many segments have quality figures, and compute those that are missing
    #[command(after_help = quality::HELP)]
    Quality(quality::Args),
    /// Receive audio over a WebSocket while it is spoken, report speech at once, and prepare the recordings
    #[command(after_help = MORE, after_long_help = listen::HELP)]
    Listen(Box<listen::Args>),
    /// Put failed and quarantined recordings back to pending, and cancelled ones if they are named
    Retry(retry::Args),
    /// Cancel pending and running recordings; done recordings stay as they are
    Cancel(cancel::Args),
    /// Prepare recordings again: those that failed with a certain error, or any that have ended
    Requeue(requeue::Args),
    /// List the recordings that are quarantined because they crash the process
    Quarantine(quarantine::Args),
    /// Show which worker holds which recordings, and since when
    Workers(workers::Args),
    /// Compare segment files with their rows
    #[command(after_help = verify::HELP)]
    Verify(verify::Args),
    /// Remove files that no row refers to from the output folder
    #[command(after_help = gc::HELP)]
    Gc(gc::Args),
    /// Show whether this machine has what a run needs: processor, model, database, ONNX Runtime, output folder
    #[command(after_help = exit::HELP)]
    Doctor(DoctorArgs),
    /// Print a shell's completion script
    Completions(completions::Args),
    /// Print the manual page
    Man,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use prepare_audio::vad::Parameters;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_vad_defaults_equal_sileros() {
        for name in ["fetch", "resegment"] {
            let preparation = match Cli::parse_from(["prepare-audio", name]).command {
                Command::Fetch(args) => args.preparation,
                Command::Resegment(args) => args.preparation,
                other => panic!("{other:?}"),
            };
            assert_eq!(preparation.parameters(), Parameters::default());
        }
    }
}
