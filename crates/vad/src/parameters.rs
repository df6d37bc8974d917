//! The segmenter's parameters, with Silero's names, defaults and arithmetic.

use serde::{Deserialize, Serialize};

use super::{DetectorSpec, VadError};

/// Parameters of [`Segmenter`](super::Segmenter): those of `get_speech_timestamps` of silero-vad 6.2.3, with the unit in
/// each name, followed by extensions.
///
/// Extensions are off by default, and JSON leaves them out while they are off. So the JSON of the official behaviour,
/// and any hash of it, stays the same however many extensions are added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// A window with at least this probability is speech.
    pub threshold: f64,
    /// Within speech, a window below this probability is silence. A window between the two thresholds changes nothing.
    /// By default 0.15 below `threshold`, but not below 0.01.
    pub neg_threshold: Option<f64>,
    /// Speech that is not longer than this is dropped (milliseconds).
    pub min_speech_duration_ms: u32,
    /// Longer speech is cut (seconds). Infinite by default, which is `null` in JSON.
    #[serde(with = "infinite_as_null")]
    pub max_speech_duration_s: f64,
    /// Speech ends when silence has lasted this long (milliseconds).
    pub min_silence_duration_ms: u32,
    /// Padding at both ends of a segment, or less if the neighbouring segment is too close (milliseconds).
    pub speech_pad_ms: u32,
    /// Speech that is too long is cut at a silence longer than this, if there is one (milliseconds).
    pub min_silence_at_max_speech_ms: u32,
    /// Whether that is the longest such silence (`true`) or the last (`false`).
    pub use_max_possible_silence: bool,
    /// Padding at the start of a segment instead of `speech_pad_ms` (milliseconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_pad_start_ms: Option<u32>,
    /// Padding at the end of a segment instead of `speech_pad_ms` (milliseconds).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_pad_end_ms: Option<u32>,
    /// Where speech that is too long is cut.
    #[serde(skip_serializing_if = "MaxSpeechCut::is_official")]
    pub max_speech_cut: MaxSpeechCut,
    /// Neighbouring segments are joined into chunks of at most this length (seconds). [`Merger`](super::Merger) reads
    /// this, not the segmenter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_to_s: Option<f64>,
    /// Segments with a lower level are dropped (dB below full scale, so negative). The caller does this, because the
    /// segmenter receives no samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_dbfs: Option<f64>,
}

/// Where speech that is longer than `max_speech_duration_s` is cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxSpeechCut {
    /// As Silero does: at a pause longer than `min_silence_at_max_speech_ms`, or at the current window if there is none.
    #[default]
    Official,
    /// At the window with the lowest probability in the second half of the allowed length; of equal ones, at the last. No
    /// speech is lost: that window starts the next segment, which is kept however short it is. If the window is within a
    /// silence that has not ended yet, the segment ends where the silence began. The two parameters about pauses have no
    /// effect.
    Quietest,
}

impl MaxSpeechCut {
    fn is_official(&self) -> bool {
        *self == Self::Official
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            neg_threshold: None,
            min_speech_duration_ms: 250,
            max_speech_duration_s: f64::INFINITY,
            min_silence_duration_ms: 100,
            speech_pad_ms: 30,
            min_silence_at_max_speech_ms: 98,
            use_max_possible_silence: true,
            speech_pad_start_ms: None,
            speech_pad_end_ms: None,
            max_speech_cut: MaxSpeechCut::Official,
            merge_to_s: None,
            min_dbfs: None,
        }
    }
}

impl Parameters {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`VadError::Parameter`] for the first value that is not.
    pub fn validate(&self) -> Result<(), VadError> {
        let check = |name, value: f64, valid: bool, expected| {
            if valid { Ok(()) } else { Err(VadError::Parameter { name, value, expected }) }
        };
        let probability =
            |name, value: f64| check(name, value, (0.0..=1.0).contains(&value), "a probability from 0 to 1");
        probability("threshold", self.threshold)?;
        probability("neg_threshold", self.neg_threshold())?;
        let max = self.max_speech_duration_s;
        check("max_speech_duration_s", max, max > 0.0, "seconds above 0, or infinity")?;
        let merge = self.merge_to_s.unwrap_or(f64::INFINITY);
        check("merge_to_s", merge, merge > 0.0, "seconds above 0")?;
        let level = self.min_dbfs.unwrap_or(f64::MIN);
        check("min_dbfs", level, level <= 0.0, "decibels below full scale, 0 or less")
    }

    /// The lower threshold: the one that was set, or the default.
    pub fn neg_threshold(&self) -> f64 {
        self.neg_threshold.unwrap_or_else(|| (self.threshold - 0.15).max(0.01))
    }

    /// Samples added at a segment's start.
    pub(super) fn pad_start(&self, spec: &DetectorSpec) -> u64 {
        spec.samples(self.speech_pad_start_ms.unwrap_or(self.speech_pad_ms))
    }

    /// Samples added at a segment's end.
    pub(super) fn pad_end(&self, spec: &DetectorSpec) -> u64 {
        spec.samples(self.speech_pad_end_ms.unwrap_or(self.speech_pad_ms))
    }

    /// Samples above which speech is cut. Silero subtracts the padding and one window, so the result may be negative;
    /// speech is then cut at every window.
    pub(super) fn max_speech_samples(&self, spec: &DetectorSpec) -> f64 {
        let padding = self.pad_start(spec) + self.pad_end(spec);
        f64::from(spec.sample_rate) * self.max_speech_duration_s - spec.window as f64 - padding as f64
    }
}

/// JSON has no infinity.
mod infinite_as_null {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Some(*value).filter(|value| value.is_finite()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::INFINITY))
    }
}
