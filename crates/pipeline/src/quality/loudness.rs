//! Loudness of a segment, as EBU R128 defines it.

use ebur128::{EbuR128, Mode};
use prepare_audio_vad::SAMPLE_RATE;

/// Measures the integrated loudness of mono audio at 16 kHz.
pub(super) struct LoudnessMeter {
    /// `None` cannot happen: the crate takes this rate.
    meter: Option<EbuR128>,
}

impl Default for LoudnessMeter {
    fn default() -> Self {
        Self { meter: EbuR128::new(1, SAMPLE_RATE, Mode::I).ok() }
    }
}

impl LoudnessMeter {
    /// Begins a segment.
    pub fn begin(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.reset();
        }
    }

    /// Adds samples.
    pub fn add(&mut self, samples: &[i16]) {
        let is_added = self.meter.as_mut().is_none_or(|meter| meter.add_frames_i16(samples).is_ok());
        debug_assert!(is_added, "only a wrong mode or number of channels is an error");
    }

    /// Integrated loudness in LUFS. `None` where no block of 400 ms is above the absolute gate of -70 LUFS.
    pub fn lufs(&self) -> Option<f64> {
        self.meter.as_ref()?.loudness_global().ok().filter(|lufs| lufs.is_finite())
    }
}
