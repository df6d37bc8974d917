//! What can be typed. Defaults and environment names stand here, once; `config` lays a file beneath them.

use std::{path::PathBuf, time::Duration};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, value_parser};
use clap_complete::Shell;
use prepare_audio::{store::DatabaseUrl, vad, worker::Timeout};

use super::{
    cut_args::CutArgs,
    doctor::DoctorArgs,
    engine::EngineArgs,
    exit,
    gc::{self, GcArgs},
    metrics::MetricsAddress,
    operator_args::{Address, CancelArgs, QuarantineArgs, RequeueArgs, WorkersArgs},
    reading::ReadingArgs,
    segment_files::SegmentFileArgs,
    verify::{self, VerifyArgs},
};

const EXAMPLES: &str = "\
Examples:
  prepare-audio fetch recordings/ --workers 4      prepare a folder of recordings
  prepare-audio add corpus.jsonl                   put a manifest's recordings into the table ...
  prepare-audio fetch                              ... and prepare whatever is pending
  prepare-audio fetch --dry-run                    how much would that be?
  prepare-audio status                             how far is it, and what went wrong?
  prepare-audio segments talk.mp3 --json           a recording's segments, for machines
  prepare-audio resegment --merge-to 30            other segments, without listening again
  prepare-audio retry --all && prepare-audio fetch
  prepare-audio workers                            who holds what since when?
  prepare-audio verify                             are the files as their rows say?
  prepare-audio gc --dry-run                       which files does no row speak of?
  prepare-audio doctor                             has this machine what it takes?";

const SETTINGS: &str = "\
Settings come from flags, the environment (a .env file is read too), and the TOML file that --config names, in this
order of strength. The file's keys are the flags' names: `workers = 4`, `vad-threshold = 0.6`.";

const ADD_EXAMPLES: &str = "\
Examples:
  prepare-audio add corpus.jsonl --priority -1     before all that has priority 0
  prepare-audio add --from-database postgres://me@db/corpus \\
      --query 'SELECT url AS path, speaker, licence FROM recordings WHERE hours < 2'

A column or key `source`, `path`, `audio_filepath`, `audio_path`, `file`, `filename`, `file_name`, `audio` or `wav` holds \
the path. All others, of a query as of a .csv or .jsonl list, are kept as the recording's metadata, which \
`segments --json` shows. A recording that is known already stays as it was, with its metadata and its priority.";

const RESEGMENT_SOURCES: &str = "Only these recordings: ids, or sources [default: all]";

/// Cuts clean speech segments out of a table of recordings.
#[derive(Debug, Parser)]
#[command(name = "prepare-audio", version, about, max_term_width = 110, propagate_version = true)]
#[command(after_help = exit::HELP, after_long_help = format!("{EXAMPLES}\n\n{SETTINGS}\n\n{}", exit::HELP))]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prepare every pending recording: decode, find the speech, write the segments
    #[command(after_help = exit::HELP)]
    Fetch(Box<FetchArgs>),
    /// Cut done recordings anew, from their kept probabilities; audio is decoded only for what was never cut before
    #[command(after_help = exit::HELP)]
    #[command(mut_arg("sources", |arg| arg.value_name("SOURCE|ID").help(RESEGMENT_SOURCES)))]
    #[command(mut_arg("priority", |arg| arg.hide(true)))]
    Resegment(Box<FetchArgs>),
    /// Put recordings into the table, to be prepared by a later fetch
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddArgs),
    /// Show counts by state, hours, speed and the newest failures
    Status(StatusArgs),
    /// List the segments of done recordings
    Segments(SegmentsArgs),
    /// Put failed and quarantined recordings back to pending; named ones also when they were cancelled
    Retry(RetryArgs),
    /// No more work for these recordings, waiting or running; what is done stays done
    Cancel(CancelArgs),
    /// Prepare again what failed with certain errors, or any recordings that have ended
    Requeue(RequeueArgs),
    /// Look at the recordings that were set aside because they take processes down
    Quarantine(QuarantineArgs),
    /// Show who holds which recordings since when
    Workers(WorkersArgs),
    /// Look whether the files of segments are there and as their rows say
    #[command(after_help = verify::HELP)]
    Verify(VerifyArgs),
    /// Remove files that no row speaks of, from the output folder
    #[command(after_help = gc::HELP)]
    Gc(GcArgs),
    /// Show whether this machine has what a run needs: processor, model, database, ONNX Runtime, output folder
    #[command(after_help = exit::HELP)]
    Doctor(DoctorArgs),
    /// Print a shell's completion script
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

/// Settings of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// TOML file with settings; its keys are the flags' names
    #[arg(long, global = true, value_name = "FILE", env = "PREPARE_AUDIO_CONFIG")]
    pub config: Option<PathBuf>,
    /// Database: sqlite://FILE, or postgres://USER@HOST/NAME where several machines share the work
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    #[arg(default_value = "sqlite://prepare-audio.db", value_parser = Address)]
    pub database: DatabaseUrl,
    /// How long fetch, resegment and add wait at their start for a database that does not answer yet
    #[arg(long, global = true, value_name = "TIME", env = "PREPARE_AUDIO_DATABASE_WAIT", default_value = "30s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub database_wait: Duration,
    /// Only errors, no progress and no summary
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// error, warn, info, debug, trace [default: info; warn where a terminal shows progress]
    #[arg(long, global = true, value_name = "LEVEL", env = "LOG_LEVEL")]
    pub log_level: Option<String>,
    /// How log lines are written
    #[arg(long, global = true, value_name = "FORMAT", env = "PREPARE_AUDIO_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Write the log to this file (appended) instead of standard error
    #[arg(long, global = true, value_name = "FILE", env = "PREPARE_AUDIO_LOG_FILE")]
    pub log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Where recordings are, and where none are.
#[derive(Debug, Args)]
pub struct BaseArgs {
    /// Folder that the segments go to; it is never searched for recordings
    #[arg(short, long, value_name = "DIR", env = "OUTPUT_DIR", default_value = "segments")]
    pub output: PathBuf,
    /// Folder that relative sources are read from [default: the current folder]
    #[arg(long, value_name = "DIR", env = "AUDIO_FILE_DIR")]
    pub audio_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct FetchArgs {
    /// Recordings to add first: files, folders, patterns, lists (.txt, .csv, .jsonl), or - for a list on standard input
    pub sources: Vec<String>,
    /// Priority of the recordings that are added: least first, negative ones allowed [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "sources")]
    pub priority: Option<i64>,
    /// Recordings prepared at once [default: the number of cores]
    #[arg(short, long, value_name = "N", env = "PREPARE_AUDIO_WORKERS", value_parser = at_least_one)]
    pub workers: Option<usize>,
    #[command(flatten)]
    pub base: BaseArgs,
    /// Say what would be done and touch nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// How long a claimed recording is ours without a sign of life
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_LEASE", default_value = "90s", value_parser = duration)]
    pub lease: Duration,
    /// How often a sign of life is given
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_HEARTBEAT", default_value = "20s", value_parser = duration)]
    pub heartbeat: Duration,
    /// Stay when nothing is left, and take new recordings within a second, until Ctrl-C or SIGTERM (then exit code 0)
    #[arg(long, env = "PREPARE_AUDIO_WATCH")]
    pub watch: bool,
    /// Serve the run's figures for Prometheus there: a port of this machine, or an address with a port
    #[arg(long, value_name = "[ADDR:]PORT", env = "PREPARE_AUDIO_METRICS")]
    pub metrics: Option<MetricsAddress>,
    /// How long one recording may take: auto (10 min, and as long as what was listened to plays), off, or a time
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_TIMEOUT", default_value = "auto")]
    pub timeout: Timeout,
    /// How often a recording may be tried before it has failed, or is quarantined [default: as its row says, 3]
    #[arg(long, value_name = "N", env = "PREPARE_AUDIO_MAX_ATTEMPTS", value_parser = value_parser!(i64).range(1..=1_000_000))]
    pub max_attempts: Option<i64>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    #[command(flatten)]
    pub segments: SegmentFileArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub vad: VadArgs,
    #[command(flatten)]
    pub cut: CutArgs,
}

impl FetchArgs {
    /// The parameters that were typed.
    pub fn parameters(&self) -> vad::Parameters {
        self.cut.beyond(self.vad.parameters())
    }
}

/// The parameters of Silero's `get_speech_timestamps`, under their own names.
#[derive(Debug, Args)]
#[command(next_help_heading = "Voice activity detection (names and defaults of Silero's get_speech_timestamps)")]
pub struct VadArgs {
    /// A window with at least this speech probability begins a segment
    #[arg(long, value_name = "P", env = "PREPARE_AUDIO_VAD_THRESHOLD", default_value = "0.5")]
    pub vad_threshold: f64,
    /// A window below this may end it [default: the threshold less 0.15, but at least 0.01]
    #[arg(long, value_name = "P", env = "PREPARE_AUDIO_VAD_NEG_THRESHOLD")]
    pub vad_neg_threshold: Option<f64>,
    /// Shorter segments are dropped
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_MIN_SPEECH_DURATION_MS", default_value = "250")]
    pub vad_min_speech_duration_ms: u32,
    /// Longer segments are cut; inf for no limit
    #[arg(long, value_name = "S", env = "PREPARE_AUDIO_VAD_MAX_SPEECH_DURATION_S", default_value = "inf")]
    pub vad_max_speech_duration_s: f64,
    /// Silence of this length ends a segment
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_MIN_SILENCE_DURATION_MS", default_value = "100")]
    pub vad_min_silence_duration_ms: u32,
    /// Added to both ends of a segment
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_SPEECH_PAD_MS", default_value = "30")]
    pub vad_speech_pad_ms: u32,
    /// A too long segment is cut at a silence of at least this length
    #[arg(long, value_name = "MS", env = "PREPARE_AUDIO_VAD_MIN_SILENCE_AT_MAX_SPEECH_MS", default_value = "98")]
    pub vad_min_silence_at_max_speech_ms: u32,
    /// ... at the longest such silence (true) or at the last one (false)
    #[arg(long, value_name = "BOOL", env = "PREPARE_AUDIO_VAD_USE_MAX_POSSIBLE_SILENCE", default_value = "true")]
    #[arg(action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub vad_use_max_possible_silence: bool,
}

impl VadArgs {
    /// Silero's parameters as they were typed.
    fn parameters(&self) -> vad::Parameters {
        vad::Parameters {
            threshold: self.vad_threshold,
            neg_threshold: self.vad_neg_threshold,
            min_speech_duration_ms: self.vad_min_speech_duration_ms,
            max_speech_duration_s: self.vad_max_speech_duration_s,
            min_silence_duration_ms: self.vad_min_silence_duration_ms,
            speech_pad_ms: self.vad_speech_pad_ms,
            min_silence_at_max_speech_ms: self.vad_min_silence_at_max_speech_ms,
            use_max_possible_silence: self.vad_use_max_possible_silence,
            ..vad::Parameters::default()
        }
    }
}

#[derive(Debug, Args)]
pub struct AddArgs {
    /// Files, folders (searched through), patterns, lists (.txt, .csv, .jsonl), or - for a list on standard input
    #[arg(required_unless_present = "from_database")]
    pub sources: Vec<String>,
    /// Priority of the recordings that are added: least first, negative ones allowed
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value = "0")]
    pub priority: i64,
    /// Copy recordings from this database, too (sqlite://FILE or postgres://USER@HOST/NAME), which is only read
    #[arg(long, value_name = "URL", requires = "query", value_parser = Address)]
    pub from_database: Option<DatabaseUrl>,
    /// What to copy: one SELECT. Paths are taken as they stand (relative ones are read below --audio-dir), a column
    /// `priority` is the priority, and the other columns become metadata
    #[arg(long, value_name = "SELECT", requires = "from_database")]
    pub query: Option<String>,
    #[command(flatten)]
    pub base: BaseArgs,
    /// Print the counts as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// Show it again every two seconds until Ctrl-C, with the rates of the last minute and the time that is left
    #[arg(long)]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct SegmentsArgs {
    /// Only those of this recording: its id, or its source [default: all]
    #[arg(value_name = "SOURCE|ID")]
    pub recording: Option<String>,
    #[command(flatten)]
    pub base: BaseArgs,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Recordings, by the ids that status shows: failed, quarantined or cancelled ones
    pub ids: Vec<i64>,
    /// Every failed and quarantined recording
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Print the count as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("at least 1 worker is needed".into()),
        Ok(n) if n > 1024 => Err("more than 1024 workers help nobody".into()),
        Ok(n) => Ok(n),
        Err(e) => Err(e.to_string()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| format!("{e}; write it as 90s or 2m"))?;
    if time < Duration::from_secs(1) { Err("at least 1s is needed".into()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn vad_defaults_are_sileros() {
        let typed = Cli::parse_from(["prepare-audio", "fetch"]);
        let Command::Fetch(fetch) = typed.command else { panic!("fetch") };
        assert_eq!(fetch.parameters(), vad::Parameters::default());
    }
}
