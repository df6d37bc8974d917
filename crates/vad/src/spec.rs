//! A detector's specification: the numbers that the segmenter needs to map probabilities to time.

use super::VadError;

/// A detector's specification. All lengths are in samples at [`sample_rate`](Self::sample_rate).
///
/// A detector divides a recording into windows and computes one probability for each. Window `n` begins at sample
/// `n * hop`. There is one for every multiple of `hop` below the recording's length. A window that extends past the end
/// is padded with zeros.
///
/// ```
/// use prepare_audio_vad::SILERO_16K;
///
/// assert_eq!(SILERO_16K.windows(16_000), 32); // one second: 31 complete windows and one of 128 samples
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DetectorSpec {
    /// The sample rate that the detector expects, in samples per second.
    pub sample_rate: u32,
    /// The length of a window: the new samples that one probability is computed from.
    pub window: usize,
    /// The number of samples before a window that the model takes together with it. They are zeros before the first window.
    pub context: usize,
    /// The distance between the starts of consecutive windows. Equal to `window` if windows do not overlap.
    pub hop: usize,
}

/// Silero VAD v5 and v6 at 16 kHz: windows of 512 samples (32 ms) that do not overlap, with 64 samples (4 ms) of context.
pub const SILERO_16K: DetectorSpec = DetectorSpec { sample_rate: 16_000, window: 512, context: 64, hop: 512 };

impl DetectorSpec {
    /// The number of windows, and of probabilities, of a recording of `samples` samples.
    pub fn windows(&self, samples: u64) -> u64 {
        samples.div_ceil(self.hop as u64)
    }

    /// The number of windows that lie completely within the first `samples` samples.
    pub fn complete_windows(&self, samples: u64) -> u64 {
        samples.checked_sub(self.window as u64).map_or(0, |behind_first| behind_first / self.hop as u64 + 1)
    }

    /// The number of samples in `milliseconds`, rounded down.
    pub fn samples(&self, milliseconds: u32) -> u64 {
        u64::from(milliseconds) * u64::from(self.sample_rate) / 1000
    }

    /// Checks that the numbers are valid.
    ///
    /// # Errors
    /// [`VadError::Spec`] if the rate, the window or the hop is zero, or if the hop is longer than the window, so that
    /// samples between windows would be ignored.
    pub fn validate(&self) -> Result<(), VadError> {
        let is_valid = self.sample_rate > 0 && self.hop > 0 && self.hop <= self.window;
        if is_valid { Ok(()) } else { Err(VadError::Spec(*self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_complete_windows() {
        let complete = |spec: DetectorSpec| [0, 511, 512, 1_023, 1_024].map(|samples| spec.complete_windows(samples));
        assert_eq!(complete(SILERO_16K), [0, 0, 1, 1, 2]);
        assert_eq!(complete(DetectorSpec { hop: 256, ..SILERO_16K }), [0, 0, 1, 2, 3], "windows may overlap");
    }

    #[test]
    fn rejects_invalid_specifications() {
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
    fn an_incomplete_window_counts() {
        assert_eq!([0, 1, 512, 513].map(|samples| SILERO_16K.windows(samples)), [0, 1, 1, 2]);
    }
}
