//! Why a recording was not prepared.

use std::{io, path::PathBuf, time::Duration};

use crate::{audio::AudioError, output, vad::VadError};

/// A recording's failure. Its code and message belong into the recording's row.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The recording's own fault, or its disk's.
    #[error("{}: {error}", path.display())]
    Audio {
        /// The recording's file.
        path: PathBuf,
        /// What is wrong with it.
        error: AudioError,
    },
    /// ONNX Runtime could not listen to the recording.
    #[error("{}: {error}", path.display())]
    Vad {
        /// The recording's file.
        path: PathBuf,
        /// What ONNX Runtime said.
        error: VadError,
    },
    /// The segments could not be written.
    #[error("cannot write segments to {}: {error}", folder.display())]
    Write {
        /// The recording's output folder.
        folder: PathBuf,
        /// What the file system said.
        error: io::Error,
    },
    /// It took longer than a recording may.
    #[error(
        "{}: not done after {}; a file on a network may be slow, a damaged one may never end. --timeout allows more",
        path.display(), humantime::format_duration(*allowed)
    )]
    Timeout {
        /// The recording's file.
        path: PathBuf,
        /// How long it was allowed to take.
        allowed: Duration,
    },
    /// The run is being ended; nothing is wrong.
    #[error("stopped")]
    Stopped,
}

impl PrepareError {
    /// The stable name that goes into the row's `error_code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Audio { error, .. } => error.code(),
            Self::Vad { .. } => "vad_error",
            Self::Write { error, .. } if output::is_unsafe(error) => "unsafe_output",
            Self::Write { error, .. } => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk_full",
                _ => "write_error",
            },
            Self::Timeout { .. } => "timeout",
            Self::Stopped => "stopped",
        }
    }

    /// Whether trying again later may well succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Audio { error, .. } => error.is_retryable(),
            Self::Vad { error, .. } => error.is_retryable(),
            Self::Write { error, .. } => !output::is_unsafe(error),
            Self::Stopped => true,
            Self::Timeout { .. } => false,
        }
    }

    /// The file system's word, where no recording could be written at the moment.
    pub fn of_output(&self) -> Option<&io::Error> {
        match self {
            Self::Write { error, .. } if output::is_worlds_fault(error) => Some(error),
            _ => None,
        }
    }

    /// `source` was not done in the time it was allowed, to the second.
    pub fn timeout(source: &str, allowed: Duration) -> Self {
        Self::Timeout { path: source.into(), allowed: Duration::from_secs(allowed.as_secs().max(1)) }
    }
}
