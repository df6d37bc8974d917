//! The level of a segment.

use std::{borrow::Cow, io};

/// The lowest level, in dB below full scale; also that of digital silence.
pub(super) const FLOOR: f64 = -120.0;

/// The magnitude of full scale, in steps of 16 bits.
pub(super) const FULL_SCALE: f64 = 32_768.0;

/// Computes the level of 16-bit samples, their RMS in decibels below full scale, from blocks of any size. Sums are
/// whole numbers, so the same samples give the same bits on every machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Level {
    squares: u64,
    samples: u64,
}

impl Level {
    /// The level of all blocks together.
    pub fn of<'s>(blocks: impl Iterator<Item = io::Result<Cow<'s, [i16]>>>) -> io::Result<Self> {
        let mut level = Self::default();
        for block in blocks {
            level.add(&block?);
        }
        Ok(level)
    }

    /// Adds samples.
    pub fn add(&mut self, samples: &[i16]) {
        self.squares += samples.iter().map(|&sample| u64::from(sample.unsigned_abs()).pow(2)).sum::<u64>();
        self.samples += samples.len() as u64;
    }

    /// Decibels below full scale; -120 at least.
    pub fn dbfs(self) -> f64 {
        let mean = self.squares as f64 / self.samples.max(1) as f64;
        (10.0 * (mean / FULL_SCALE.powi(2)).log10()).max(FLOOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dbfs(samples: &[i16]) -> f64 {
        Level::of(samples.chunks(7).map(|block| Ok(Cow::Borrowed(block)))).unwrap().dbfs()
    }

    #[test]
    fn levels_are_those_of_known_signals() {
        assert_eq!(dbfs(&[i16::MIN; 100]), 0.0);
        assert!((dbfs(&[16_384, -16_384]) + 6.0206).abs() < 1e-4);
        let sine: Vec<i16> = (0..16_000).map(|n| (f64::from(n) * 0.1).sin() * 32_767.0).map(|s| s as i16).collect();
        assert!((dbfs(&sine) + 3.0103).abs() < 1e-2);
        assert_eq!([dbfs(&[0; 9]), dbfs(&[])], [FLOOR, FLOOR]);
    }
}
