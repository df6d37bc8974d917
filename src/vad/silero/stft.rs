//! From samples to magnitudes: the windows' frames side by side in the lanes of vectors.

use pulp::{Simd, WithSimd};

use super::super::{CONTEXT, WINDOW};
use super::fft::Fft;
use super::matmul::{GROUP, LaneRow};
use super::{BINS, FRAME, FRAMES, HOP};

/// Samples of a window with its context.
const INPUT: usize = CONTEXT + WINDOW;
/// The same with the mirrored samples at its right end.
const PADDED: usize = INPUT + CONTEXT;

/// The samples of a group of windows, transposed: row n holds sample n of each window.
pub(super) type Transposed = [LaneRow; PADDED];

/// The magnitudes of a group of windows: row `frame * 129 + bin`, a window in each lane.
pub(super) type Magnitudes = [LaneRow; FRAMES * BINS];

/// Computes the magnitudes of a group of at most 16 windows.
pub(super) struct Stft<'a> {
    /// Tables of the transform.
    pub fft: &'a Fft,
    /// Context and samples of the first window, then 512 new samples for each further window.
    pub samples: &'a [f32],
    /// Scratch.
    pub transposed: &'a mut Transposed,
    /// The result. Lanes past the last window hold leftovers that nobody reads.
    pub magnitudes: &'a mut Magnitudes,
}

impl WithSimd for Stft<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let windows = (self.samples.len() - CONTEXT) / WINDOW;
        transpose(self.samples, windows, self.transposed);
        for first in (0..windows.min(GROUP)).step_by(S::F32_LANES) {
            for frame in 0..FRAMES {
                self.one_frame(simd, frame, first);
            }
        }
    }
}

impl Stft<'_> {
    /// One frame of as many windows as a vector has lanes.
    #[inline(always)]
    fn one_frame<S: Simd>(&mut self, simd: S, frame: usize, first: usize) {
        let lanes = first..first + S::F32_LANES;
        let mut input = [simd.splat_f32s(0.0); FRAME];
        for (value, row) in input.iter_mut().zip(&self.transposed[frame * HOP..]) {
            *value = simd.partial_load_f32s(&row.0[lanes.clone()]);
        }
        let rows = &mut self.magnitudes[frame * BINS..(frame + 1) * BINS];
        let write = |bin: usize, value| simd.partial_store_f32s(&mut rows[bin].0[lanes.clone()], value);
        self.fft.magnitudes(simd, &input, write);
    }
}

/// Turns windows into lanes and mirrors the last samples: after sample 575 come 574, 573, ... 511.
#[inline(always)]
fn transpose(samples: &[f32], windows: usize, out: &mut Transposed) {
    for lane in 0..windows {
        let window = &samples[lane * WINDOW..][..INPUT];
        for (row, sample) in out.iter_mut().zip(window) {
            row.0[lane] = *sample;
        }
    }
    for i in 0..CONTEXT {
        out[INPUT + i] = out[INPUT - 2 - i];
    }
}
