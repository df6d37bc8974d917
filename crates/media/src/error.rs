//! Why a recording cannot be decoded to samples, and the error code of each reason. Names no command-line flag.

use std::{fmt, io, time::Duration};

use prepare_audio_types::ErrorCode;
use symphonia::core::errors::Error as SymphoniaError;

use crate::{ResamplerError, decode::NoSuchTrack};

/// A fault of a recording or of its storage. The message says what is wrong and how to fix it; the caller adds the file's
/// name.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// There is no file of that name.
    #[error("no such file; check the path, and that the folder it is in is mounted")]
    NotFound,
    /// Reading the file is not permitted.
    #[error("permission denied; let the user that runs prepare-audio read it")]
    PermissionDenied,
    /// The path leads to a folder, a device, a pipe or a socket.
    #[error("{0}, not a file")]
    NotAFile(NotAFile),
    /// The file has zero bytes.
    #[error("the file is empty (0 bytes)")]
    EmptyFile,
    /// The file does not begin like a known container or stream.
    #[error("{0}")]
    UnsupportedFormat(String),
    /// The container is known, its codec is not.
    #[error(
        "the {container} file holds {codec}, which ffmpeg decodes: put it on the PATH, or convert the file, as with \
         `ffmpeg -i IN OUT.flac`"
    )]
    UnsupportedCodec {
        /// The container's short name.
        container: String,
        /// The codec's name or number.
        codec: String,
    },
    /// The file has no audio: a video without sound, or subtitles.
    #[error("the {0} file holds no audio track")]
    NoAudioTrack(String),
    /// One channel was requested, and the recording has fewer channels.
    #[error("has no channel {wanted}: it has {channels}")]
    NoSuchChannel {
        /// The requested channel, from 1.
        wanted: u16,
        /// The number of channels in the recording.
        channels: usize,
    },
    /// The requested segment format cannot hold the recording's channels, rate or length.
    #[error("{0}")]
    UnsupportedSegment(String),
    /// The header declares values that no recording has.
    #[error("the header is implausible: {0}")]
    ImplausibleHeader(String),
    /// The file lacks the requested audio track.
    #[error(transparent)]
    NoSuchTrack(#[from] NoSuchTrack),
    /// The container is valid and holds no sample.
    #[error("the file holds no audio samples")]
    NoSamples,
    /// Only its seller's player can decrypt the file; the scheme is named.
    #[error("encrypted ({0}): decrypt it first")]
    Encrypted(&'static str),
    /// The format is known, but nothing can be decoded.
    #[error("corrupt: {0}")]
    Corrupt(String),
    /// ffmpeg was to decode the file, and could not be run.
    #[error("ffmpeg: {0}")]
    Ffmpeg(String),
    /// Part of the recording is missing, and only whole recordings are accepted.
    #[error(
        "damaged: {decode_errors} packets do not decode, {lost_s:.1} s are missing{}{}",
        if *truncated { ", and so is its end" } else { "" },
        if *skipped_bytes > 0 { format!("; {skipped_bytes} bytes were skipped") } else { String::new() }
    )]
    Damaged {
        /// Seconds of audio that are missing before the end.
        lost_s: f64,
        /// Packets that did not decode.
        decode_errors: u64,
        /// The file ends early.
        truncated: bool,
        /// Bytes that are neither audio nor a known header or tag.
        skipped_bytes: u64,
    },
    /// The recording is longer than the limit.
    #[error("plays for longer than {}", humantime::format_duration(*.0))]
    TooLong(Duration),
    /// The file is larger than the limit.
    #[error("{bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The file's length.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The resampler failed. No recording causes this.
    #[error(transparent)]
    Resample(#[from] ResamplerError),
    /// The disk or the network failed; the file is not at fault.
    #[error("read error: {0}")]
    Io(#[source] io::Error),
}

/// What a path leads to instead of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAFile {
    /// A folder.
    Folder,
    /// A device.
    Device,
    /// A pipe, or a socket.
    Pipe,
}

impl fmt::Display for NotAFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::Device => "a device",
            Self::Pipe => "a pipe or a socket",
        })
    }
}

impl AudioError {
    /// The stable code for the row's `error_code`.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound => ErrorCode::NotFound,
            Self::PermissionDenied => ErrorCode::PermissionDenied,
            Self::NotAFile(NotAFile::Folder) => ErrorCode::IsAFolder,
            Self::NotAFile(NotAFile::Device) => ErrorCode::IsADevice,
            Self::NotAFile(NotAFile::Pipe) => ErrorCode::IsAPipe,
            Self::EmptyFile => ErrorCode::EmptyFile,
            Self::UnsupportedFormat(_) => ErrorCode::UnsupportedFormat,
            Self::UnsupportedCodec { .. } => ErrorCode::UnsupportedCodec,
            Self::NoAudioTrack(_) => ErrorCode::NoAudioTrack,
            Self::NoSuchChannel { .. } => ErrorCode::NoSuchChannel,
            Self::UnsupportedSegment(_) => ErrorCode::UnsupportedSegment,
            Self::ImplausibleHeader(_) => ErrorCode::ImplausibleHeader,
            Self::NoSuchTrack(_) => ErrorCode::NoSuchTrack,
            Self::NoSamples => ErrorCode::NoSamples,
            Self::Encrypted(_) => ErrorCode::Encrypted,
            Self::Corrupt(_) | Self::Resample(_) => ErrorCode::Corrupt,
            Self::Ffmpeg(_) => ErrorCode::FfmpegError,
            Self::Damaged { .. } => ErrorCode::Damaged,
            Self::TooLong(_) => ErrorCode::TooLong,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::Io(_) => ErrorCode::ReadError,
        }
    }

    /// Whether a later attempt at the same file may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Ffmpeg(_))
    }

    /// Whether a decoder that supports more formats may succeed.
    pub(super) fn is_for_another_decoder(&self) -> bool {
        matches!(self, Self::UnsupportedFormat(_) | Self::UnsupportedCodec { .. } | Self::NoAudioTrack(_))
    }

    /// Classifies the error of opening or reading the input called `name`.
    pub fn from_io(error: io::Error, name: &str) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            io::ErrorKind::IsADirectory => Self::NotAFile(NotAFile::Folder),
            // A name with a NUL byte or of 4 kB: no file can have it.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => Self::NotFound,
            _ => {
                tracing::debug!(path = name, %error, "read error");
                Self::Io(error)
            }
        }
    }

    /// Classifies an error of the demuxer, or of creating a decoder, after the container was recognised.
    pub(super) fn from_container(error: SymphoniaError) -> Self {
        match error {
            SymphoniaError::IoError(e) if e.kind() != io::ErrorKind::UnexpectedEof && e.raw_os_error().is_some() => {
                Self::Io(e)
            }
            other => Self::Corrupt(other.to_string()),
        }
    }
}
