//! What the sessions of a server have in common.

use std::{io, path::PathBuf, time::Duration};

use prepare_audio_vad::{Engine, Parameters};

use crate::store::StoreError;

/// Settings of a server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where recordings are stored. No other server may use it at the same time.
    pub folder: PathBuf,
    /// The model that detects speech.
    pub engine: Engine,
    /// Its parameters, those of the rows as well.
    pub parameters: Parameters,
    /// Whether audio is on the disk, and not only in the system's memory, before it is acknowledged.
    pub sync: bool,
    /// Origins of web pages that may connect, besides those of the server itself.
    pub origins: Vec<String>,
    /// Threads that store and detect.
    pub threads: usize,
    /// Limits on what clients may use.
    pub limits: Limits,
}

/// Limits on what clients may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions at a time, those that wait for their client included.
    pub sessions: usize,
    /// Length of a recording, seconds.
    pub session_seconds: u64,
    /// Bytes of a message.
    pub message_bytes: usize,
    /// How long a client may take for its first message.
    pub handshake: Duration,
    /// How long a client may be silent afterwards.
    pub idle: Duration,
    /// How long a client may take to receive a message.
    pub send: Duration,
    /// How long a session waits for its client to come back.
    pub resume_window: Duration,
    /// Seconds of audio that are read in a second, in the long run.
    pub speed: f64,
    /// Refused frames in a row that end a connection.
    pub refusals: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 1000,
            session_seconds: 12 * 3600,
            message_bytes: 256 << 10,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            send: Duration::from_secs(10),
            resume_window: Duration::from_secs(120),
            speed: 50.0,
            refusals: 20,
        }
    }
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used.
    #[error("cannot store recordings in {}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the file system reports.
        error: io::Error,
    },
    /// Another server stores its recordings there.
    #[error("another `prepare-audio listen` stores its recordings in {}; choose another --output", .0.display())]
    InUse(PathBuf),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refuses more threads.
    #[error("cannot start compute threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}
