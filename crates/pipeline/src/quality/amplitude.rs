//! Peak, clipping and offset of a segment.

use super::level::{FLOOR, FULL_SCALE};

/// Samples of this magnitude are at full scale. The positive side of 16 bits ends here.
const CLIPPED: u16 = 32_767;

/// A run of fewer samples at full scale may be a peak that just fits.
const SHORTEST_RUN: u64 = 3;

/// Samples that are looked at together: few of them reach full scale.
const CHUNK: usize = 64;

/// Sums over the samples of a segment, in whole numbers, so that they are exact.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Amplitude {
    peak: u16,
    sum: i64,
    samples: u64,
    /// Samples in runs that have ended.
    clipped: u64,
    /// The current run: its sign and its length.
    run: (bool, u64),
}

impl Amplitude {
    /// Adds samples. Runs continue from one block to the next.
    pub fn add(&mut self, samples: &[i16]) {
        self.samples += samples.len() as u64;
        for chunk in samples.chunks(CHUNK) {
            self.sum += i64::from(chunk.iter().map(|&sample| i32::from(sample)).sum::<i32>());
            let peak = chunk.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or_default();
            self.peak = self.peak.max(peak);
            if peak >= CLIPPED {
                chunk.iter().for_each(|&sample| self.follow_run(sample));
            } else {
                self.end_run();
            }
        }
    }

    fn follow_run(&mut self, sample: i16) {
        let is_positive = sample > 0;
        if sample.unsigned_abs() < CLIPPED {
            self.end_run();
        } else if self.run.1 > 0 && self.run.0 == is_positive {
            self.run.1 += 1;
        } else {
            self.end_run();
            self.run = (is_positive, 1);
        }
    }

    fn end_run(&mut self) {
        self.clipped += self.finished_run();
        self.run.1 = 0;
    }

    /// The samples of the current run, if it is long enough.
    fn finished_run(&self) -> u64 {
        if self.run.1 >= SHORTEST_RUN { self.run.1 } else { 0 }
    }

    /// Decibels below full scale; [`FLOOR`] at least.
    pub fn peak_dbfs(&self) -> f64 {
        (20.0 * (f64::from(self.peak) / FULL_SCALE).log10()).max(FLOOR)
    }

    /// Share of samples in runs at full scale.
    pub fn clipped(&self) -> f64 {
        (self.clipped + self.finished_run()) as f64 / self.samples.max(1) as f64
    }

    /// Mean of the samples divided by full scale.
    pub fn dc_offset(&self) -> f64 {
        self.sum as f64 / self.samples.max(1) as f64 / FULL_SCALE
    }
}
