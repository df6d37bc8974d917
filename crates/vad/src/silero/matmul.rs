//! Matrix products with fixed weights.
//!
//! The weights are stored in panels of 32 output columns, row after row, in the order in which they are read. A tile of a
//! few windows by a few vectors of columns is summed in registers: each weight is loaded once for all windows of the tile,
//! and each input value once for all its columns. Every output is summed separately, over k in ascending order, in parts,
//! whatever tile it is in. So it does not depend on which windows are computed together.

use pulp::{Simd, WithSimd};

/// Output columns of a panel: two vectors of AVX-512, two cache lines.
pub(super) const PANEL: usize = 32;

/// The number of products that are summed before they are added to the output's sum. A single sum of the second
/// convolution's 384 products loses low bits: on fixtures/speech, probabilities differed by up to 3.3e-5 from those in
/// float64, and with parts by up to 8.1e-6 (ONNX Runtime: 9.7e-6).
const PART: usize = 48;

/// A row of numbers that starts on a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Row<const N: usize>(pub [f32; N]);

impl<const N: usize> Row<N> {
    pub const ZERO: Self = Self([0.0; N]);
}

/// Weights of a product, `[depth, columns]`, and its bias.
pub(super) struct Packed {
    depth: usize,
    /// `[columns / 32][depth]`.
    panels: Vec<Row<PANEL>>,
    bias: Vec<f32>,
}

impl Packed {
    /// Lays out the weights, which `weight(k, column)` returns.
    pub fn new(depth: usize, bias: Vec<f32>, weight: impl Fn(usize, usize) -> f32) -> Self {
        let rows = (0..bias.len()).step_by(PANEL).flat_map(|first| (0..depth).map(move |k| (first, k)));
        let row = |(first, k)| Row(std::array::from_fn(|column| weight(k, first + column)));
        Self { depth, panels: rows.map(row).collect(), bias }
    }

    /// Each panel's rows and its part of the bias.
    pub fn panels(&self) -> impl Iterator<Item = (&[Row<PANEL>], &[f32])> {
        self.panels.chunks_exact(self.depth).zip(self.bias.chunks_exact(PANEL))
    }
}

/// A kernel that works in tiles of `ROWS` windows by `VECTORS` vectors of columns.
pub(super) trait Tiled {
    /// Runs it. `ROWS` divides 48.
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(self, simd: S);
}

/// Runs a tiled kernel with tiles that fit into the registers, of which AVX-512 and NEON have 32, and AVX2 has 16.
pub(super) struct InTiles<K>(pub K);

impl<K: Tiled> WithSimd for InTiles<K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.0.run::<S, 8, 2>(simd),
            8 => self.0.run::<S, 6, 2>(simd),
            4 => self.0.run::<S, 6, 4>(simd),
            _ => self.0.run::<S, 2, 8>(simd),
        }
    }
}

/// The activation function of a product.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Finish {
    /// Negative sums become zero.
    Relu,
    /// Sums stay unchanged.
    Linear,
}

/// `output[w][to..] = finish(bias + input[w][from..from + DEPTH] * weights[skip..skip + DEPTH])` for every window w.
pub(super) struct Product<'a, const DEPTH: usize, const IN: usize, const OUT: usize> {
    pub weights: &'a Packed,
    pub skip: usize,
    pub input: &'a [Row<IN>],
    pub from: usize,
    pub output: &'a mut [Row<OUT>],
    pub to: usize,
    pub finish: Finish,
}

impl<const DEPTH: usize, const IN: usize, const OUT: usize> Tiled for Product<'_, DEPTH, IN, OUT> {
    /// Tiles of `ROWS` windows by `VECTORS` vectors. Where fewer windows are left at the end, the last tile computes some
    /// windows a second time, to the same bits: a tile of one window takes half as long as a whole one.
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(mut self, simd: S) {
        let windows = self.input.len();
        let whole = windows - windows % ROWS;
        for (panel, (weights, bias)) in self.weights.panels().enumerate() {
            let weights = &weights[self.skip..self.skip + DEPTH];
            for column in (0..PANEL).step_by(VECTORS * S::F32_LANES) {
                let to = self.to + panel * PANEL + column;
                let bias = load::<S, VECTORS>(bias, column);
                for first in (0..whole).step_by(ROWS) {
                    self.tile::<S, ROWS, VECTORS>(simd, weights, column, bias, first, to);
                }
                if windows - whole > 1 && windows >= ROWS {
                    self.tile::<S, ROWS, VECTORS>(simd, weights, column, bias, windows - ROWS, to);
                } else {
                    for first in whole..windows {
                        self.tile::<S, 1, VECTORS>(simd, weights, column, bias, first, to);
                    }
                }
            }
        }
    }
}

impl<const DEPTH: usize, const IN: usize, const OUT: usize> Product<'_, DEPTH, IN, OUT> {
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        weights: &[Row<PANEL>],
        column: usize,
        bias: [S::f32s; VECTORS],
        first: usize,
        to: usize,
    ) {
        let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &self.input[first + r].0[self.from..self.from + DEPTH]);
        let values = (0..DEPTH).map(|k| rows.map(|row| row[k]));
        let sums = sum_tile(simd, weights, column, bias, values);
        for (output, sums) in self.output[first..].iter_mut().zip(sums) {
            store(simd, sums, self.finish, &mut output.0[to..]);
        }
    }
}

/// Sums a tile: bias + values * weights, over k in order, in parts.
#[inline(always)]
pub(super) fn sum_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    weights: &[Row<PANEL>],
    column: usize,
    bias: [S::f32s; VECTORS],
    mut values: impl Iterator<Item = [f32; ROWS]>,
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [bias; ROWS];
    for weights in weights.chunks(PART) {
        let mut part = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for (weights, values) in weights.iter().zip(values.by_ref()) {
            let weights = load::<S, VECTORS>(&weights.0, column);
            for (sums, value) in part.iter_mut().zip(values) {
                let value = simd.splat_f32s(value);
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = simd.mul_add_e_f32s(value, weight, *sum);
                }
            }
        }
        for (sum, part) in sums.as_flattened_mut().iter_mut().zip(part.as_flattened()) {
            *sum = simd.add_f32s(*sum, *part);
        }
    }
    sums
}

/// Consecutive vectors of a slice.
#[inline(always)]
pub(super) fn load<S: Simd, const VECTORS: usize>(values: &[f32], first: usize) -> [S::f32s; VECTORS] {
    let vectors = S::as_simd_f32s(&values[first..first + VECTORS * S::F32_LANES]).0;
    std::array::from_fn(|v| vectors[v])
}

/// Finishes sums and writes them to the front of `to`.
#[inline(always)]
pub(super) fn store<S: Simd, const VECTORS: usize>(simd: S, sums: [S::f32s; VECTORS], finish: Finish, to: &mut [f32]) {
    let zero = simd.splat_f32s(0.0);
    for (to, sum) in S::as_mut_simd_f32s(to).0.iter_mut().zip(sums) {
        *to = if finish == Finish::Relu { simd.max_f32s(sum, zero) } else { sum };
    }
}
