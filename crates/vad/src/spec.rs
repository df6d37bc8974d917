//! A detector's specification: the numbers that the segmenter needs to place probabilities in time.

use super::VadError;

/// A detector's specification. All lengths are in samples at [`sample_rate`](Self::sample_rate).
///
/// A detector divides a recording into windows and gives one probability for each. Window `n` begins at sample
/// `n * hop`. There is one for every multiple of `hop` below the recording's length; a window that reaches past the end
/// is filled up with zeros.
///
/// ```
/// use prepare_audio_vad::SILERO_16K;
///
/// assert_eq!(SILERO_16K.windows(16_000), 32); // one second: 31 whole windows and one of 128 samples
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DetectorSpec {
    /// The rate of the samples that the detector takes, in samples a second.
    pub sample_rate: u32,
    /// The length of a window: the new samples that one probability is computed from.
    pub window: usize,
    /// The samples before a window that the model takes together with it. Zeros before the first window.
    pub context: usize,
    /// The distance between the beginnings of two consecutive windows. Equal to `window` if windows do not overlap.
    pub hop: usize,
}

/// Silero VAD v5 and v6 at 16 kHz: windows of 512 samples (32 ms) that do not overlap, with 64 samples (4 ms) of context.
pub const SILERO_16K: DetectorSpec = DetectorSpec { sample_rate: 16_000, window: 512, context: 64, hop: 512 };

impl DetectorSpec {
    /// The number of windows, and of probabilities, of a recording of `samples` samples.
    pub fn windows(&self, samples: u64) -> u64 {
        samples.div_ceil(self.hop as u64)
    }

    /// Whole samples in `milliseconds`, rounded down.
    pub fn samples(&self, milliseconds: u32) -> u64 {
        u64::from(milliseconds) * u64::from(self.sample_rate) / 1000
    }

    /// Checks that the numbers describe a detector.
    ///
    /// # Errors
    /// [`VadError::Spec`] where the rate, the window or the hop is zero, or windows leave samples out.
    pub fn validate(&self) -> Result<(), VadError> {
        let is_valid = self.sample_rate > 0 && self.hop > 0 && self.hop <= self.window;
        if is_valid { Ok(()) } else { Err(VadError::Spec(*self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_specifications_without_windows() {
        assert!(SILERO_16K.validate().is_ok());
        assert!(DetectorSpec { hop: 160, ..SILERO_16K }.validate().is_ok(), "windows may overlap");
        for wrong in [
            DetectorSpec { sample_rate: 0, ..SILERO_16K },
            DetectorSpec { hop: 0, ..SILERO_16K },
            DetectorSpec { hop: 513, ..SILERO_16K },
        ] {
            assert!(wrong.validate().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn counts_the_incomplete_window() {
        assert_eq!([0, 1, 512, 513].map(|samples| SILERO_16K.windows(samples)), [0, 1, 1, 2]);
    }
}
