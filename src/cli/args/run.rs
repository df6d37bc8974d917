//! The settings of a run: workers, claims, limits, and how it reports.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, value_parser};
use prepare_audio::{
    runner::{Settings, Timeout},
    store::Scope,
};

use super::BaseArgs;
use crate::cli::{exit, hints, metrics::MetricsAddress};

/// How long a running recording may go on after the first Ctrl-C.
const GRACE: Duration = Duration::from_secs(1);

/// Settings of a run. `fetch` and `resegment` share them.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Recordings to prepare at a time [default: the number of cores]
    #[arg(short, long, value_name = "N", env = "PREPARE_AUDIO_WORKERS", value_parser = worker_count)]
    pub workers: Option<usize>,
    #[command(flatten)]
    pub base: BaseArgs,
    /// Show what would be prepared, without changing anything
    #[arg(long)]
    pub dry_run: bool,
    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
    /// How long a claim is valid without a heartbeat
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_LEASE", default_value = "90s", value_parser = duration)]
    pub lease: Duration,
    /// How often the claims of a run are renewed
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_HEARTBEAT", default_value = "20s", value_parser = duration)]
    pub heartbeat: Duration,
    /// Keep running and prepare new recordings as they are added, until Ctrl-C or SIGTERM
    #[arg(long, env = "PREPARE_AUDIO_WATCH")]
    pub watch: bool,
    /// Serve the run's metrics to Prometheus on this port (loopback only), or on this address and port
    #[arg(long, value_name = "[ADDR:]PORT", env = "PREPARE_AUDIO_METRICS")]
    pub metrics: Option<MetricsAddress>,
    /// How long one recording may take: auto (10 min plus the length of the audio processed so far), off, or a time
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_TIMEOUT", default_value = "auto")]
    pub timeout: Timeout,
    /// Attempts before a recording is failed or quarantined [default: as its row says, 3]
    #[arg(long, value_name = "N", env = "PREPARE_AUDIO_MAX_ATTEMPTS", value_parser = value_parser!(i64).range(1..=1_000_000))]
    pub max_attempts: Option<i64>,
    /// How long to wait for folders of recordings that are away (not mounted), when nothing else is left; with --watch, for ever
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_SOURCE_WAIT", default_value = "1m", value_parser = duration)]
    pub source_wait: Duration,
}

impl RunArgs {
    /// Number of recordings that are prepared at a time.
    pub fn worker_count(&self) -> usize {
        self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// The base of relative sources. It is absolute, so that messages name the whole path.
    pub fn audio_dir(&self) -> io::Result<PathBuf> {
        std::path::absolute(self.base.audio_dir.as_deref().unwrap_or(Path::new(".")))
    }

    /// The settings of the library's runner.
    pub fn settings(&self, scope: Scope) -> anyhow::Result<Settings> {
        if self.heartbeat * 2 > self.lease {
            let message = "--heartbeat must be at most half of --lease, or claims expire while they are in use";
            anyhow::bail!(exit::Usage(message.into()));
        }
        Ok(Settings {
            workers: self.worker_count(),
            lease: self.lease,
            heartbeat: self.heartbeat,
            audio_dir: self.audio_dir()?,
            grace: GRACE,
            scope,
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            source_wait: self.source_wait,
            watch: self.watch,
            hint: hints::for_error,
        })
    }
}

/// Parses a number of workers.
pub fn worker_count(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("at least 1 worker is needed".into()),
        Ok(n) if n > 1024 => Err("at most 1024 workers are allowed".into()),
        Ok(n) => Ok(n),
        Err(e) => Err(e.to_string()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| format!("{e}; write 90s or 2m, for example"))?;
    if time < Duration::from_secs(1) { Err("at least 1s is needed".into()) } else { Ok(time) }
}
