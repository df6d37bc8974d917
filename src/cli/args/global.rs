//! Settings of every command: configuration file, database, log.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use prepare_audio::store::DatabaseUrl;

use super::DatabaseAddress;

/// Settings of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// TOML file with settings; its keys are the flags' names
    #[arg(long, global = true, value_name = "FILE", env = "PREPARE_AUDIO_CONFIG")]
    pub config: Option<PathBuf>,
    /// Database: sqlite://FILE, or postgres://USER@HOST/NAME where several machines share the work
    #[arg(long, global = true, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    #[arg(default_value = "sqlite://prepare-audio.db", value_parser = DatabaseAddress)]
    pub database: DatabaseUrl,
    /// How long fetch, resegment and add wait at the start for a database that does not answer yet
    #[arg(long, global = true, value_name = "TIME", env = "PREPARE_AUDIO_DATABASE_WAIT", default_value = "30s")]
    #[arg(value_parser = humantime::parse_duration)]
    pub database_wait: Duration,
    /// Print only errors, no progress and no summary
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Log level: error, warn, info, debug or trace [default: info; warn if a terminal shows progress]
    #[arg(long, global = true, value_name = "LEVEL", env = "LOG_LEVEL")]
    pub log_level: Option<String>,
    /// Format of log lines
    #[arg(long, global = true, value_name = "FORMAT", env = "PREPARE_AUDIO_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Append the log to this file instead of writing it to standard error
    #[arg(long, global = true, value_name = "FILE", env = "PREPARE_AUDIO_LOG_FILE")]
    pub log_file: Option<PathBuf>,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}
