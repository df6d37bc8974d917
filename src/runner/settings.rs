//! The settings of a run, and the errors that end one.

use std::{path::PathBuf, time::Duration};

use prepare_audio_pipeline::WriteError;
use prepare_audio_types::ErrorCode;

use super::Timeout;
use crate::store::{Scope, StoreError};

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Recordings prepared at once.
    pub workers: usize,
    /// How long a claim stands without a heartbeat.
    pub lease: Duration,
    /// How often claims are prolonged.
    pub heartbeat: Duration,
    /// Base of relative sources.
    pub audio_dir: PathBuf,
    /// How long a running recording may go on after the first Ctrl-C before it is given back.
    pub grace: Duration,
    /// Which rows to prepare. Rows that were made for resegmenting ([`Scope::Bound`]) are cut from stored probabilities;
    /// all others are decoded and run through the detector.
    pub scope: Scope,
    /// How often a recording may be tried; `None` leaves it to its row.
    pub max_attempts: Option<i64>,
    /// How long one recording may take.
    pub timeout: Timeout,
    /// How long to wait for folders of recordings that are away, when nothing else is left and [`Settings::watch`] is not
    /// set.
    pub source_wait: Duration,
    /// Whether to wait for new recordings when none is left.
    pub watch: bool,
    /// What a user can do about an error, appended to its message.
    pub hint: fn(ErrorCode) -> Option<&'static str>,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output folder.
    #[error("cannot write to the output folder {}: {error}", folder.display())]
    OutputFolder {
        /// The folder.
        folder: PathBuf,
        /// What the file system reports.
        error: WriteError,
    },
    /// The system refuses more threads.
    #[error("cannot start compute threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}
