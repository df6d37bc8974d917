//! The codes that a recording's row may have in `error_code`.

use std::{fmt, str::FromStr};

/// Whether a failed recording is retried automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// A retry is useless until the file or the settings change.
    Never,
    /// After a backoff, as long as attempts are left.
    Later,
    /// At once, alone in its process, as long as attempts are left.
    Isolated,
}

/// Declares the codes: variant, text, retry, and what the code means.
macro_rules! error_codes {
    ($($variant:ident = $text:literal, $retry:ident, $meaning:literal;)*) => {
        /// Why a recording failed. The text of a code is stable: scripts and queries rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as rows, logs and JSON have it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Whether the recording is retried automatically.
            pub fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// What the code means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

error_codes! {
    NotFound = "not_found", Never, "No file has this path.";
    PermissionDenied = "permission_denied", Never, "The file may not be read by this user.";
    IsAFolder = "is_a_folder", Never, "The path is a folder.";
    IsADevice = "is_a_device", Never, "The path is a device.";
    IsAPipe = "is_a_pipe", Never, "The path is a pipe or a socket.";
    EmptyFile = "empty_file", Never, "The file has 0 bytes.";
    UnsupportedFormat = "unsupported_format", Never, "The file's format is unknown, or needs ffmpeg.";
    UnsupportedCodec = "unsupported_codec", Never, "The container is supported, but its codec needs ffmpeg.";
    NoAudioTrack = "no_audio_track", Never, "The file has no audio track.";
    Encrypted = "encrypted", Never, "The audio is encrypted, by Common Encryption or by its seller's DRM.";
    NoSuchChannel = "no_such_channel", Never, "The recording has fewer channels than `--channels N` asks for.";
    NoSuchTrack = "no_such_track", Never, "The file has no audio track with the number or language that `--audio-track` asks for.";
    UnsupportedSegment = "unsupported_segment", Never,
        "The format of segments does not support the recording's channels or sample rate.";
    ImplausibleHeader = "implausible_header", Never, "The header has values that no real recording has.";
    Corrupt = "corrupt", Never, "The file is too damaged to decode.";
    NoSamples = "no_samples", Never, "The file has no audio samples.";
    Damaged = "damaged", Never, "Part of the audio is missing, and `--strict` refuses that.";
    TooLong = "too_long", Never, "The recording is longer than `--max-duration`.";
    TooLarge = "too_large", Never, "The file is larger than `--max-bytes`.";
    FfmpegError = "ffmpeg_error", Later, "ffmpeg could not be started, or sent nothing for two minutes.";
    ReadError = "read_error", Later, "The disk or the network failed while the file was read.";
    WriteError = "write_error", Later, "A segment could not be written.";
    DiskFull = "disk_full", Later, "The disk of the output folder is full.";
    UnsafeOutput = "unsafe_output", Never, "A link or a file is in the place of the recording's output folder.";
    Timeout = "timeout", Never, "The recording took longer than `--timeout` allows.";
    VadError = "vad_error", Later, "ONNX Runtime failed, for example because a GPU was out of memory.";
    DenoiseError = "denoise_error", Later, "The denoising model failed: ONNX Runtime reported an error, or the output was not finite.";
    DnsmosError = "dnsmos_error", Later, "The DNSMOS model failed: ONNX Runtime reported an error.";
    Panic = "panic", Never, "The program has a bug that this file triggers; please report it.";
    Crashed = "crashed", Isolated,
        "The process died while it held the recording. When no attempts are left, the recording is quarantined.";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The error for text that is not an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownErrorCode;

impl fmt::Display for UnknownErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown error code")
    }
}

impl std::error::Error for UnknownErrorCode {}

impl FromStr for ErrorCode {
    type Err = UnknownErrorCode;

    fn from_str(text: &str) -> Result<Self, UnknownErrorCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownErrorCode)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn texts_are_distinct_and_parse_back() {
        let texts: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        for &code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        }
        assert_eq!("no_such_code".parse::<ErrorCode>(), Err(UnknownErrorCode));
    }
}
