//! Why a frame is not stored.

/// Why a frame is not stored. The session is unchanged, and takes the next frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The message is no frame.
    #[error("the message is too short for a frame of the announced kind")]
    Malformed,
    /// It belongs to another recording.
    #[error("the frame is of another audio_id; this session takes only its own")]
    WrongAudioId,
    /// It has no audio.
    #[error("the frame has no audio")]
    Empty,
    /// It ends within a sample.
    #[error("the frame has {bytes} bytes, which is no multiple of {block} (one sample of all channels)")]
    PartialSample {
        /// Its length.
        bytes: usize,
        /// Bytes of one sample of all channels.
        block: usize,
    },
    /// Frames of this session have to be authenticated.
    #[error("the frame has no number or no MAC, which this session requires")]
    MacRequired,
    /// The message authentication code is not that of the frame.
    #[error("the frame's MAC is wrong")]
    WrongMac,
    /// It begins before what is stored ends.
    #[error("the frame begins with sample {number}, which is stored already; the next one is {next}")]
    Repeated {
        /// Its number.
        number: u64,
        /// The number that is expected.
        next: u64,
    },
    /// It begins after what is stored ends.
    #[error("the frame begins with sample {number}, but sample {next} is next")]
    Gap {
        /// Its number.
        number: u64,
        /// The number that is expected.
        next: u64,
    },
    /// The recording would be too long.
    #[error("the recording has reached the greatest length, {seconds} s")]
    TooLong {
        /// The greatest length.
        seconds: u64,
    },
}

impl Refusal {
    /// Its name in protocols.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed_frame",
            Self::WrongAudioId => "wrong_audio_id",
            Self::Empty => "empty_frame",
            Self::PartialSample { .. } => "partial_sample",
            Self::MacRequired => "mac_required",
            Self::WrongMac => "wrong_mac",
            Self::Repeated { .. } => "repeated_frame",
            Self::Gap { .. } => "gap",
            Self::TooLong { .. } => "too_long",
        }
    }
}
