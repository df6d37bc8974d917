//! How recordings are read, and which of them are wanted.

use std::time::Duration;

use crate::audio::{AudioError, Damage, DecoderChoice};

/// Who decodes, and what a recording must be.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Who decodes.
    pub decoder: DecoderChoice,
    /// Whether only whole recordings are wanted.
    pub strict: bool,
    /// What a recording may play for. It is what comes out that counts: headers promise much.
    pub max_duration: Option<Duration>,
    /// How large a file may be.
    pub max_bytes: Option<u64>,
}

impl Reading {
    /// Whether a file of this length is wanted.
    pub(super) fn check_bytes(&self, bytes: u64) -> Result<(), AudioError> {
        match self.max_bytes {
            Some(most) if bytes > most => Err(AudioError::TooLarge { bytes, most }),
            _ => Ok(()),
        }
    }

    /// Whether a recording that plays for so long, at least, is wanted.
    pub(super) fn check_seconds(&self, seconds: f64) -> Result<(), AudioError> {
        match self.max_duration {
            Some(most) if seconds > most.as_secs_f64() => Err(AudioError::TooLong(most)),
            _ => Ok(()),
        }
    }

    /// Whether a recording of this damage is wanted.
    pub(super) fn check_damage(&self, damage: Damage) -> Result<(), AudioError> {
        let Damage { decode_errors, truncated } = damage;
        if self.strict && (truncated || decode_errors > 0) {
            return Err(AudioError::Damaged { decode_errors, truncated });
        }
        Ok(())
    }
}
