//! Which decoder reads recordings, and which recordings are refused.

use std::time::Duration;

use prepare_audio_media::{AudioError, Damage, DecoderChoice, OpenOptions, RawFormat, TrackChoice};

/// The decoder, and what a recording has to satisfy.
#[derive(Clone, Debug, Default)]
pub struct InputLimits {
    /// The decoder.
    pub decoder: DecoderChoice,
    /// The audio track.
    pub track: TrackChoice,
    /// The format of files without a header.
    pub raw: Option<RawFormat>,
    /// Whether damaged recordings are refused.
    pub strict: bool,
    /// The longest recording. What is decoded counts, because a header may claim any length.
    pub max_duration: Option<Duration>,
    /// The largest file.
    pub max_bytes: Option<u64>,
}

impl InputLimits {
    /// How recordings are opened, with `decoder` instead of the usual decoder.
    pub(crate) fn open_options(&self, decoder: DecoderChoice) -> OpenOptions {
        OpenOptions { decoder, track: self.track.clone(), raw: self.raw }
    }

    /// Refuses a file that is too large.
    pub(crate) fn check_bytes(&self, bytes: u64) -> Result<(), AudioError> {
        match self.max_bytes {
            Some(limit) if bytes > limit => Err(AudioError::TooLarge { bytes, limit }),
            _ => Ok(()),
        }
    }

    /// Refuses a recording that has lasted for too many seconds already.
    pub(crate) fn check_seconds(&self, seconds: f64) -> Result<(), AudioError> {
        match self.max_duration {
            Some(limit) if seconds > limit.as_secs_f64() => Err(AudioError::TooLong(limit)),
            _ => Ok(()),
        }
    }

    /// Refuses a damaged recording if only whole ones are accepted.
    pub(crate) fn check_damage(&self, damage: &Damage) -> Result<(), AudioError> {
        let &Damage { decode_errors, truncated, ref gaps, skipped_bytes, .. } = damage;
        if self.strict && (truncated || decode_errors > 0 || !gaps.is_empty() || skipped_bytes > 0) {
            return Err(AudioError::Damaged { lost_s: gaps.lost_s(), decode_errors, truncated, skipped_bytes });
        }
        Ok(())
    }
}
