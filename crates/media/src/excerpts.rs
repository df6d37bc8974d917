//! Short excerpts of the analysed channels before they are resampled: for what a spectrum has above 8 kHz.
//!
//! Excerpts lie at fixed times of the recording, so they depend neither on blocks nor on threads, and are so sparse that
//! copying them costs little.

use std::ops::RangeInclusive;

use super::to_pcm16;

/// Excerpts in a second.
const PER_SECOND: u64 = 8;

/// 32 ms of all analysed channels at the source's rate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The sample of the recording at 16 kHz with which it begins.
    pub start: u64,
    /// Sample rate of the source, Hz.
    pub rate: u32,
    /// The samples of each channel, 16 bits: [`Excerpt::len_at`] the rate.
    pub channels: Vec<Vec<i16>>,
}

impl Excerpt {
    /// From the start of one to that of the next, in samples at 16 kHz: 125 ms.
    pub const PERIOD: u64 = 16_000 / PER_SECOND;

    /// Its length in samples at 16 kHz, rounded up: 32 ms.
    pub const SPAN: u64 = 512;

    /// The rates of sources that excerpts are made of, Hz. Lower ones have nothing above 8 kHz.
    pub const RATES: RangeInclusive<u32> = 16_001..=192_000;

    /// Lengths are multiples of this, so that transforms of them are fast.
    pub const LEN_STEP: usize = 64;

    /// Samples of an excerpt at a rate of [`Excerpt::RATES`]: 32 ms, less up to 63 samples.
    pub const fn len_at(rate: u32) -> usize {
        (rate as u64 * Self::SPAN / 16_000) as usize / Self::LEN_STEP * Self::LEN_STEP
    }
}

/// Cuts excerpts out of channels of one rate.
pub(super) struct ExcerptCutter {
    rate: u32,
    len: usize,
    /// Samples so far.
    position: u64,
    /// The number of the excerpt that is cut next.
    number: u64,
    /// Its samples so far.
    channels: Vec<Vec<i16>>,
}

impl ExcerptCutter {
    /// A cutter at a recording's beginning; `None` for a rate without excerpts.
    pub fn new(rate: u32, channels: usize) -> Option<Self> {
        let len = Excerpt::len_at(rate);
        let is_cut = Excerpt::RATES.contains(&rate);
        is_cut.then(|| Self { rate, len, position: 0, number: 0, channels: vec![Vec::new(); channels] })
    }

    /// Takes the next samples of all channels, and appends the finished excerpts to `out`.
    pub fn push(&mut self, channels: &[Vec<f32>], out: &mut Vec<Excerpt>) {
        let end = self.position + channels.first().map_or(0, Vec::len) as u64;
        loop {
            let first = self.number * u64::from(self.rate) / PER_SECOND;
            let from = first + self.channels.first().map_or(0, Vec::len) as u64;
            let to = first + self.len as u64;
            if from >= end {
                break;
            }
            let part = (from - self.position) as usize..(to.min(end) - self.position) as usize;
            for (excerpt, channel) in self.channels.iter_mut().zip(channels) {
                excerpt.extend(channel[part.clone()].iter().copied().map(to_pcm16));
            }
            if to > end {
                break;
            }
            let empty = vec![Vec::with_capacity(self.len); self.channels.len()];
            let channels = std::mem::replace(&mut self.channels, empty);
            out.push(Excerpt { start: self.number * Excerpt::PERIOD, rate: self.rate, channels });
            self.number += 1;
        }
        self.position = end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(n: u64) -> i16 {
        (n * 7_919 % 60_000) as i16
    }

    /// Excerpts of a first channel with [`value`] and a second one with zeros, which come in pieces of these lengths.
    fn cut(rate: u32, pieces: &[usize]) -> Vec<Excerpt> {
        let (mut cutter, mut out, mut position) = (ExcerptCutter::new(rate, 2).unwrap(), Vec::new(), 0);
        for &len in pieces {
            let samples = (position..position + len as u64).map(|n| f32::from(value(n)) / 32_768.0).collect();
            cutter.push(&[samples, vec![0.0; len]], &mut out);
            position += len as u64;
        }
        out
    }

    #[test]
    fn lengths_are_32_ms_at_most() {
        for (rate, len) in [(16_001, 512), (22_050, 704), (44_100, 1_408), (48_000, 1_536), (192_000, 6_144)] {
            assert_eq!(Excerpt::len_at(rate), len, "{rate} Hz");
        }
        assert!(ExcerptCutter::new(16_000, 1).is_none() && ExcerptCutter::new(192_001, 1).is_none());
    }

    proptest! {
        /// However samples come in pieces, the excerpts that fit are cut, at their times.
        #[test]
        fn excerpts_do_not_depend_on_the_pieces(
            rate in prop::sample::select(vec![16_001u32, 22_050, 44_100, 48_000]),
            pieces in prop::collection::vec(0usize..9_000, 0..12),
        ) {
            let excerpts = cut(rate, &pieces);
            let samples: usize = pieces.iter().sum();
            prop_assert_eq!(&excerpts, &cut(rate, &[samples]));
            let (len, eighth) = (Excerpt::len_at(rate) as u64, f64::from(rate) / 8.0);
            let first = |n: usize| (n as f64 * eighth).floor() as u64;
            let fitting = (0..).take_while(|&n| first(n) + len <= samples as u64).count();
            prop_assert_eq!(excerpts.len(), fitting);
            for (n, Excerpt { start, channels, .. }) in excerpts.into_iter().enumerate() {
                prop_assert_eq!(start, n as u64 * 2_000);
                prop_assert!(channels[0].iter().copied().eq((first(n)..first(n) + len).map(value)));
                prop_assert_eq!(&channels[1], &vec![0; len as usize]);
            }
        }
    }
}
