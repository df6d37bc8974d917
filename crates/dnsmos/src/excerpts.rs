//! The excerpts of a segment that are scored, as speechmos chooses them.
//!
//! The model takes 9.01 s. An excerpt begins at each full second, as long as 0.99 s are left after it; the first one is
//! always scored. A segment that is too short is doubled until it is long enough.
//!
//! speechmos computes the end of an excerpt in floating point. Where rounding makes the excerpt a sample too short, it leaves
//! the excerpt out, which are those that begin at 7 to 23 s. So do we: otherwise means would differ by 0.03.

use crate::{INPUT, SAMPLE_RATE};

/// Samples from one excerpt to the next.
const HOP: usize = SAMPLE_RATE as usize;

/// Samples that a segment has at least, for each of its excerpts but the first: excerpt n ends before n + 10 s.
const REACH: usize = 10 * HOP;

/// Collects the samples of a segment and gives its excerpts.
#[derive(Debug, Default)]
pub struct Excerpts {
    /// Samples from the beginning of the next excerpt on.
    samples: Vec<f32>,
    /// The number of the next excerpt.
    next: u32,
}

impl Excerpts {
    /// Begins a segment.
    pub fn begin(&mut self) {
        self.samples.clear();
        self.next = 0;
    }

    /// Takes the next samples, and gives each excerpt that is complete and certain.
    pub fn push<E>(&mut self, block: &[i16], score: &mut dyn FnMut(&[f32]) -> Result<(), E>) -> Result<(), E> {
        self.samples.extend(block.iter().map(|&sample| f32::from(sample) / 32_768.0));
        self.score_whole(score)
    }

    /// Ends the segment: gives its only excerpt, or those of its copies. A segment without samples has none.
    pub fn finish<E>(&mut self, score: &mut dyn FnMut(&[f32]) -> Result<(), E>) -> Result<(), E> {
        if self.next > 0 || self.samples.is_empty() {
            return Ok(());
        }
        while self.samples.len() < INPUT {
            self.samples.extend_from_within(..);
        }
        self.score_whole(score)?;
        if self.next == 0 {
            self.next = 1;
            score(&self.samples[..INPUT])?;
        }
        Ok(())
    }

    fn score_whole<E>(&mut self, score: &mut dyn FnMut(&[f32]) -> Result<(), E>) -> Result<(), E> {
        let mut from = 0;
        while self.samples.len() - from >= REACH {
            if is_scored(self.next) {
                score(&self.samples[from..from + INPUT])?;
            }
            self.next += 1;
            from += HOP;
        }
        self.samples.drain(..from);
        Ok(())
    }
}

/// Whether speechmos scores this excerpt: `int((n + 9.01) * 16000) - n * 16000` samples are enough.
fn is_scored(number: u32) -> bool {
    let rate = f64::from(SAMPLE_RATE);
    let end = ((f64::from(number) + INPUT as f64 / rate) * rate) as usize;
    end - number as usize * HOP >= INPUT
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The first samples of the excerpts of a segment of `length` samples, each of which is its own number, given in blocks.
    fn excerpts(length: usize, block: usize) -> Vec<(usize, usize)> {
        let samples: Vec<i16> = (0..length).map(|n| (n % 30_000) as i16).collect();
        let (mut excerpts, mut found) = (Excerpts::default(), Vec::new());
        excerpts.begin();
        let mut score = |excerpt: &[f32]| {
            found.push(((excerpt[0] * 32_768.0) as usize, excerpt.len()));
            Ok::<(), ()>(())
        };
        samples.chunks(block).for_each(|block| excerpts.push(block, &mut score).unwrap());
        excerpts.finish(&mut score).unwrap();
        found
    }

    /// The numbers are those of speechmos: `int(floor(len / 16000) - 9.01) + 1` after doubling, less those from 7 to 23.
    #[test]
    fn excerpts_are_those_of_speechmos() {
        for (length, number) in [
            (1, 7),       // 262,144 samples, 16 s
            (16_000, 7),  // 256,000
            (48_000, 3),  // 192,000, 12 s
            (72_080, 1),  // 144,160, 9.01 s
            (144_159, 7), // 288,318, 18 s, less two
            (144_160, 1), // as it is
            (159_999, 1), // 9.99 s
            (160_000, 1), // 10 s
            (175_999, 1), // 10.99 s
            (176_000, 2), // 11 s
            (16_000 * 60, 34),
        ] {
            let found = excerpts(length, 5_000);
            assert_eq!(found.len(), number, "{length}");
            assert!(found.iter().all(|(_, samples)| *samples == INPUT));
            if length >= REACH {
                let starts: Vec<_> = (0..7).chain(24..).take(number).map(|n| n * HOP % 30_000).collect();
                assert_eq!(found.iter().map(|(first, _)| *first).collect::<Vec<_>>(), starts, "{length}");
            }
        }
        assert!(excerpts(0, 1).is_empty());
    }

    proptest! {
        #[test]
        fn blocks_make_no_difference(length in 1_usize..400_000, block in 1_000_usize..50_000) {
            prop_assert_eq!(excerpts(length, block), excerpts(length, length));
        }
    }
}
