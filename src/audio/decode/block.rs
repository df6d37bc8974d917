//! Decoded samples, and their mean over the channels.

/// Full scale is 1.
const ABSURD: f32 = 1e6;

/// Samples of one packet, interleaved, full scale 1.0.
#[derive(Debug)]
pub struct Block<'a> {
    pub(super) samples: &'a [f32],
    pub(super) channels: usize,
    /// Sample rate of just this block, Hz.
    pub rate: u32,
}

impl Block<'_> {
    /// The samples, interleaved.
    pub fn samples(&self) -> &[f32] {
        self.samples
    }

    /// How many channels are interleaved.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Appends the mean of the channels to `mono`. What no recorder writes (infinite, not a number, a million times full
    /// scale) becomes silence: a single such sample would spoil all that is computed after it.
    pub fn downmix(&self, mono: &mut Vec<f32>) {
        let from = mono.len();
        self.mix(mono);
        for sample in &mut mono[from..] {
            *sample = if sample.abs() < ABSURD { *sample } else { 0.0 };
        }
    }

    fn mix(&self, mono: &mut Vec<f32>) {
        match self.channels {
            1 => mono.extend_from_slice(self.samples),
            2 => mono.extend(self.samples.as_chunks::<2>().0.iter().map(|[l, r]| (l + r) * 0.5)),
            n => {
                let scale = 1.0 / n as f32;
                mono.extend(self.samples.chunks_exact(n).map(|frame| frame.iter().sum::<f32>() * scale));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(samples: &[f32], channels: usize) -> Vec<f32> {
        let mut mono = vec![9.0];
        Block { samples, channels, rate: 16_000 }.downmix(&mut mono);
        mono.split_off(1)
    }

    #[test]
    fn channels_become_their_mean() {
        assert_eq!(mixed(&[0.5, -0.25], 1), [0.5, -0.25]);
        assert_eq!(mixed(&[0.5, -0.25, 1.0, 1.0], 2), [0.125, 1.0]);
        assert_eq!(mixed(&[0.25, 0.5, 0.0, 1.0], 4), [0.4375]);
    }

    #[test]
    fn absurd_samples_become_silence() {
        let absurd = [f32::NAN, f32::INFINITY, -1e30, 0.5];
        assert_eq!(mixed(&absurd, 1), [0.0, 0.0, 0.0, 0.5]);
        assert_eq!(mixed(&absurd, 2), [0.0, 0.0]);
    }
}
