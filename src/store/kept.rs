//! What is kept of a recording so that it can be cut anew without being listened to again.

use super::Segment;

/// The probabilities of a recording's windows, packed.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Probabilities {
    /// What gave them: the SHA-256 of the model and, where channels were not mixed, a slash and `split` or the channel.
    pub hearing: String,
    /// How they are packed.
    pub coding: i64,
    /// How many they are.
    pub windows: i64,
    /// They themselves.
    pub data: Vec<u8>,
}

/// What is known of a source that was prepared under another recipe.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Known {
    /// The recording that knows it.
    pub id: i64,
    /// The container's short name.
    pub container: String,
    /// The codec's short name.
    pub codec: String,
    /// Sample rate of the source, Hz.
    pub sample_rate: i64,
    /// Channels of the source.
    pub channels: i64,
    /// Length of the file in bytes.
    pub bytes: i64,
    /// Length at 16 kHz, in samples.
    pub samples: i64,
    /// Packets that did not decode and were left out.
    pub decode_errors: i64,
    /// Not 0 where the file ended before its own header said so.
    pub truncated: i64,
    /// What a user should know of it, a JSON array of texts.
    pub warnings: Option<String>,
    /// What the model said of it.
    #[sqlx(flatten)]
    pub probabilities: Probabilities,
    /// Segments that were cut from it, under any recipe, as far as they came from the very same probabilities: the same
    /// boundaries hold the same audio.
    #[sqlx(skip)]
    pub segments: Vec<KnownSegment>,
}

/// A segment that was cut from a source before.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct KnownSegment {
    /// The recipe that it was cut by, in words.
    pub parameters: Option<String>,
    /// The segment itself.
    #[sqlx(flatten)]
    pub segment: Segment,
}
