//! The short-time Fourier transform: from samples to magnitudes, with one window in each lane of a vector.

use pulp::{Simd, WithSimd};

use super::super::{CONTEXT, WINDOW};
use super::fft::Fft;
use super::matmul::Row;
use super::{BINS, FRAME, FRAMES, HOP};

/// Samples of a window with its context.
const INPUT: usize = CONTEXT + WINDOW;
/// The same with the mirrored samples at its right end.
const PADDED: usize = INPUT + CONTEXT;

/// The number of windows that are transformed at a time.
pub(super) const GROUP: usize = 16;

/// Rows that are transposed at a time.
const ROWS: usize = 32;

/// The samples of a group of windows, transposed: row n holds sample n of each window.
pub(super) type Transposed = [Row<GROUP>; PADDED];

/// The magnitudes of a group of windows: row `frame * 129 + bin`, a window in each lane.
pub(super) type Magnitudes = [Row<GROUP>; FRAMES * BINS];

/// Computes the magnitudes of a group of at most 16 windows.
pub(super) struct Stft<'a> {
    /// Tables of the transform.
    pub fft: &'a Fft,
    /// Context and samples of the first window, then 512 new samples for each further window.
    pub samples: &'a [f32],
    /// Scratch.
    pub transposed: &'a mut Transposed,
    /// Scratch.
    pub work: &'a mut Row<{ FRAME * GROUP }>,
    /// The result. Lanes past the last window are unspecified and not read.
    pub magnitudes: &'a mut Magnitudes,
}

impl WithSimd for Stft<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let windows = (self.samples.len() - CONTEXT) / WINDOW;
        transpose(self.samples, windows, self.transposed);
        for v in 0..windows.min(GROUP).div_ceil(S::F32_LANES) {
            for frame in 0..FRAMES {
                self.one_frame(simd, frame, v);
            }
        }
    }
}

impl Stft<'_> {
    /// One frame of as many windows as a vector has lanes: the vectors at index `v` of every row.
    #[inline(always)]
    fn one_frame<S: Simd>(&mut self, simd: S, frame: usize, v: usize) {
        let samples = self.transposed[frame * HOP..frame * HOP + FRAME].as_chunks::<2>().0;
        let read = |n: usize| samples[n].each_ref().map(|row| S::as_simd_f32s(&row.0).0[v]);
        let rows = &mut self.magnitudes[frame * BINS..(frame + 1) * BINS];
        let write = |bin: usize, value| S::as_mut_simd_f32s(&mut rows[bin].0).0[v] = value;
        self.fft.magnitudes(simd, read, S::as_mut_simd_f32s(&mut self.work.0).0, write);
    }
}

/// Turns windows into lanes and mirrors the last samples: after sample 575 come 574, 573, ... 511.
#[inline(always)]
fn transpose(samples: &[f32], windows: usize, out: &mut Transposed) {
    // Some rows of all windows at a time, so that the rows stay in the L1 cache while they are filled.
    for (block, rows) in out[..INPUT].as_chunks_mut::<ROWS>().0.iter_mut().enumerate() {
        for lane in 0..windows.min(GROUP) {
            let Some(samples) = samples[lane * WINDOW + block * ROWS..].first_chunk::<ROWS>() else { return };
            for (row, sample) in rows.iter_mut().zip(samples) {
                row.0[lane] = *sample;
            }
        }
    }
    for i in 0..CONTEXT {
        out[INPUT + i] = out[INPUT - 2 - i];
    }
}
