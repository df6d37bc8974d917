//! Why a recording was not prepared.

use std::{path::PathBuf, time::Duration};

use prepare_audio_denoise::DenoiseError;
use prepare_audio_dnsmos::DnsmosError;
use prepare_audio_media::AudioError;
use prepare_audio_types::{ErrorCode, Retry};
use prepare_audio_vad::VadError;

use crate::{WriteError, channel_segmenter::SegmentError};

/// A recording's failure. Its code and message go into the recording's row.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The recording, or the disk that it lies on, is at fault.
    #[error("{input}: {error}")]
    Audio {
        /// The recording's file, as its input names it.
        input: String,
        /// What is wrong with it.
        error: AudioError,
    },
    /// The detector failed, which only ONNX Runtime can.
    #[error("{input}: {error}")]
    Vad {
        /// The recording's file, as its input names it.
        input: String,
        /// What ONNX Runtime reported.
        error: VadError,
    },
    /// The denoising model failed, which only ONNX Runtime can.
    #[error("{input}: {error}")]
    Denoise {
        /// The recording's file, as its input names it.
        input: String,
        /// What the model reported.
        error: DenoiseError,
    },
    /// DNSMOS failed, which only ONNX Runtime can.
    #[error("{input}: {error}")]
    Dnsmos {
        /// The recording's file, as its input names it.
        input: String,
        /// What ONNX Runtime reported.
        error: DnsmosError,
    },
    /// The segments could not be written.
    #[error("cannot write segments to {}: {error}", folder.display())]
    Write {
        /// The recording's output folder.
        folder: PathBuf,
        /// Why not.
        error: WriteError,
    },
    /// The recording took longer than it may.
    #[error(
        "{input}: not done after {}; a file on a network may be slow, a damaged one may never end",
        humantime::format_duration(*limit)
    )]
    Timeout {
        /// The recording's file, as its input names it.
        input: String,
        /// How long it was allowed to take.
        limit: Duration,
    },
    /// The run is ending; the recording is not at fault.
    #[error("stopped")]
    Stopped,
}

impl PrepareError {
    /// The code for the row's `error_code`; `None` for [`PrepareError::Stopped`], which is no failure.
    pub fn code(&self) -> Option<ErrorCode> {
        Some(match self {
            Self::Audio { error, .. } => error.code(),
            Self::Vad { .. } => ErrorCode::VadError,
            Self::Denoise { .. } => ErrorCode::DenoiseError,
            Self::Dnsmos { .. } => ErrorCode::DnsmosError,
            Self::Write { error: WriteError::Unsafe(_), .. } => ErrorCode::UnsafeOutput,
            Self::Write { error: WriteError::Unsupported(_), .. } => ErrorCode::UnsupportedSegment,
            Self::Write { error, .. } if error.is_out_of_space() => ErrorCode::DiskFull,
            Self::Write { .. } => ErrorCode::WriteError,
            Self::Timeout { .. } => ErrorCode::Timeout,
            Self::Stopped => return None,
        })
    }

    /// Whether a later attempt may well succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            // A model that ONNX Runtime refuses stays refused.
            Self::Vad { error, .. } => error.is_retryable(),
            Self::Denoise { error, .. } => error.is_retryable(),
            Self::Dnsmos { error, .. } => error.is_retryable(),
            _ => self.code().is_none_or(|code| code.retry() != Retry::Never),
        }
    }

    /// The error of writing, if no recording could be written at the moment.
    pub fn disk_fault(&self) -> Option<&WriteError> {
        match self {
            Self::Write { error, .. } if error.is_disk_fault() => Some(error),
            _ => None,
        }
    }

    /// The error of segmenting `input`, whose segments are written to `folder`.
    pub(crate) fn of_segment(input: &str, folder: PathBuf, error: SegmentError) -> Self {
        let input = input.to_owned();
        match error {
            SegmentError::Detect(error) => Self::Vad { input, error },
            SegmentError::Denoise(error) => Self::Denoise { input, error },
            SegmentError::Dnsmos(error) => Self::Dnsmos { input, error },
            SegmentError::Write(error) => Self::Write { folder, error },
        }
    }

    /// `source` was not done within `limit`, rounded down to seconds.
    pub fn timeout(source: &str, limit: Duration) -> Self {
        Self::Timeout { input: source.into(), limit: Duration::from_secs(limit.as_secs().max(1)) }
    }
}
