//! Why a recording cannot be turned into samples.

use std::{fmt, io, path::Path, time::Duration};

use symphonia::core::errors::Error as SymphoniaError;

/// A recording's fault (or its disk's). The message says what is wrong and what to do; the caller names the file.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// No file of that name.
    #[error("no such file; check the path, and that the folder it is in is mounted")]
    NotFound,
    /// The file may not be read.
    #[error("permission denied; let the user that runs prepare-audio read it")]
    PermissionDenied,
    /// A folder, a device, a pipe or a socket.
    #[error("{0}, not a file")]
    NotAFile(NoFile),
    /// Zero bytes.
    #[error("the file is empty (0 bytes)")]
    EmptyFile,
    /// No known container or stream begins here.
    #[error("{0}")]
    UnsupportedFormat(String),
    /// The container is known, what is in it is not.
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
    /// A video without sound, or a file of subtitles.
    #[error("the {0} file holds no audio track")]
    NoAudioTrack(String),
    /// One channel was to be listened to, and there are fewer.
    #[error("has no channel {wanted}: it has {channels}")]
    NoSuchChannel {
        /// The channel, from 1.
        wanted: u16,
        /// How many there are.
        channels: usize,
    },
    /// Segments of the wanted format cannot hold what it has.
    #[error("{0}")]
    UnsupportedSegment(String),
    /// The header claims what no recording has.
    #[error("the header is implausible: {0}")]
    ImplausibleHeader(String),
    /// The container is fine and holds no sample.
    #[error("the file holds no audio samples")]
    NoSamples,
    /// Known, but broken beyond use.
    #[error("corrupt: {0}")]
    Corrupt(String),
    /// ffmpeg was to decode it, and could not be brought to.
    #[error("ffmpeg: {0}")]
    Ffmpeg(String),
    /// Something of it is missing, and only whole recordings are wanted.
    #[error("damaged: {decode_errors} packets do not decode{}", if *truncated { ", and its end is missing" } else { "" })]
    Damaged {
        /// Packets that did not decode.
        decode_errors: u64,
        /// The file ended before it should have.
        truncated: bool,
    },
    /// It plays for longer than is wanted.
    #[error("plays for longer than {}, the most that --max-duration allows", humantime::format_duration(*.0))]
    TooLong(Duration),
    /// The file is larger than is wanted.
    #[error("{bytes} bytes; --max-bytes allows {most}")]
    TooLarge {
        /// The file's length.
        bytes: u64,
        /// What is allowed.
        most: u64,
    },
    /// The disk or the network failed, not the file.
    #[error("read error: {0}")]
    Io(#[source] io::Error),
}

/// What a path leads to that is no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFile {
    /// A folder.
    Folder,
    /// A device.
    Device,
    /// A pipe, or a socket.
    Pipe,
}

impl fmt::Display for NoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "a folder",
            Self::Device => "a device",
            Self::Pipe => "a pipe or a socket",
        })
    }
}

impl AudioError {
    /// The stable name that goes into the row's `error_code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::PermissionDenied => "permission_denied",
            Self::NotAFile(NoFile::Folder) => "is_a_folder",
            Self::NotAFile(NoFile::Device) => "is_a_device",
            Self::NotAFile(NoFile::Pipe) => "is_a_pipe",
            Self::EmptyFile => "empty_file",
            Self::UnsupportedFormat(_) => "unsupported_format",
            Self::UnsupportedCodec { .. } => "unsupported_codec",
            Self::NoAudioTrack(_) => "no_audio_track",
            Self::NoSuchChannel { .. } => "no_such_channel",
            Self::UnsupportedSegment(_) => "unsupported_segment",
            Self::ImplausibleHeader(_) => "implausible_header",
            Self::NoSamples => "no_samples",
            Self::Corrupt(_) => "corrupt",
            Self::Ffmpeg(_) => "ffmpeg_error",
            Self::Damaged { .. } => "damaged",
            Self::TooLong(_) => "too_long",
            Self::TooLarge { .. } => "too_large",
            Self::Io(_) => "read_error",
        }
    }

    /// Whether the same file may well succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Ffmpeg(_))
    }

    /// Whether a decoder that knows more formats may do better.
    pub(super) fn is_for_another_decoder(&self) -> bool {
        matches!(self, Self::UnsupportedFormat(_) | Self::UnsupportedCodec { .. } | Self::NoAudioTrack(_))
    }

    /// Sorts the error of opening or reading `path`.
    pub(super) fn from_io(error: io::Error, path: &Path) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            io::ErrorKind::IsADirectory => Self::NotAFile(NoFile::Folder),
            // A NUL or a 4 kB name: no such file can be there.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => Self::NotFound,
            _ => {
                tracing::debug!(path = %path.display(), %error, "read error");
                Self::Io(error)
            }
        }
    }

    /// Sorts an error of the demuxer or of setting up a decoder, after the container was recognised.
    pub(super) fn from_container(error: SymphoniaError) -> Self {
        match error {
            SymphoniaError::IoError(e) if e.kind() != io::ErrorKind::UnexpectedEof && e.raw_os_error().is_some() => {
                Self::Io(e)
            }
            other => Self::Corrupt(other.to_string()),
        }
    }
}
