//! Why a connection ends before its recording does, as the client is told.

use prepare_audio_live::{DetectionError, FormatError};

use crate::{pool::Panicked, store::StoreError};

/// Why a connection ends. Its session stays, and may be resumed, except where there is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the message is not understood: {0}")]
    BadMessage(String),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("no session has this resume token: it has ended, or waited for too long")]
    UnknownSession,
    #[error("the server has as many sessions as it takes; try again later")]
    Overloaded,
    #[error("the server is being stopped; come back with the resume token")]
    Draining,
    #[error("the session was resumed by another connection")]
    TakenOver,
    #[error("nothing was received for too long; come back with the resume token")]
    Idle,
    #[error("too many frames in a row were refused")]
    Refusals,
    /// The database or the disk. What happened is in the log, because it is none of the client's business.
    #[error("the server cannot store recordings at the moment; come back with the resume token")]
    Unavailable,
    /// The client is gone.
    #[error("the connection was lost")]
    Gone,
}

impl Failure {
    /// Its name in the protocol.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadMessage(_) => "bad_message",
            Self::Format(_) => "bad_format",
            Self::UnknownSession => "unknown_session",
            Self::Overloaded => "overloaded",
            Self::Draining => "draining",
            Self::TakenOver => "taken_over",
            Self::Idle => "idle",
            Self::Refusals => "too_many_refusals",
            Self::Unavailable => "unavailable",
            Self::Gone => "gone",
        }
    }

    /// The WebSocket's close code: RFC 6455 and IANA's registry; from 4000 on our own.
    pub fn close_code(&self) -> u16 {
        match self {
            Self::BadMessage(_) | Self::Format(_) | Self::UnknownSession | Self::Refusals => 1008,
            Self::Draining => 1012,
            Self::Overloaded | Self::Unavailable => 1013,
            Self::TakenOver => 4001,
            Self::Idle => 4002,
            Self::Gone => 1001,
        }
    }

    /// Seconds after which another attempt is useful.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Overloaded => Some(10),
            Self::Unavailable => Some(5),
            Self::Draining => Some(1),
            _ => None,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a live session cannot be written to the database");
        Self::Unavailable
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        tracing::error!(%error, "a live session cannot be stored");
        Self::Unavailable
    }
}

impl From<DetectionError> for Failure {
    fn from(error: DetectionError) -> Self {
        tracing::error!(%error, "a live session cannot be analysed");
        Self::Unavailable
    }
}

impl From<Panicked> for Failure {
    fn from(panic: Panicked) -> Self {
        tracing::error!(%panic, "a live session panicked");
        Self::Unavailable
    }
}
