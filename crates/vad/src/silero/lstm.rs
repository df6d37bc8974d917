//! The LSTM's step from one window to the next, and the probability.
//!
//! The gates' sums over the input are computed before, for a whole block of windows (encoder.rs). The rest needs the
//! previous window's output: a product of 128 values with 128 x 512 weights (256 kB, read again for each window), and the
//! gates' activation functions.

use pulp::{Simd, WithSimd};

use super::math::{tanh_times_sigmoid, times_sigmoid};
use super::matmul::{Row, load};
use super::weights::Weights;
use super::{GATES, HIDDEN};

/// Cells whose gates are stored together.
const CELLS: usize = 16;
/// Gates of these cells: input, output, forget, cell, 16 each.
const WIDE: usize = GATES * CELLS;

/// The row in the ONNX file, where each gate has 128 rows, of a gate's sum. `column` is its index in the order in which the
/// step reads the sums: the input gates of 16 cells, then their output gates, and so on.
pub(super) fn onnx_row(column: usize) -> usize {
    let (block, gate, cell) = (column / WIDE, column % WIDE / CELLS, column % CELLS);
    gate * HIDDEN + block * CELLS + cell
}

/// Weights of the recurrence and of the last sum.
pub(super) struct Recurrence {
    /// `[8 blocks of cells][128 inputs]`.
    weights: Vec<Row<WIDE>>,
    output: Row<HIDDEN>,
    output_bias: f32,
}

impl Recurrence {
    /// Lays out the weights.
    pub fn new(weights: &Weights) -> Self {
        let row = |block: usize, k: usize| {
            Row(std::array::from_fn(|column| weights.lstm_recurrence[onnx_row(block * WIDE + column) * HIDDEN + k]))
        };
        let blocks = HIDDEN / CELLS;
        Self {
            weights: (0..blocks).flat_map(|block| (0..HIDDEN).map(move |k| row(block, k))).collect(),
            output: Row(std::array::from_fn(|k| weights.output[k])),
            output_bias: weights.output_bias,
        }
    }
}

/// The LSTM's state, which is passed from window to window.
#[derive(Clone)]
pub(super) struct State {
    output: Row<HIDDEN>,
    cell: Row<HIDDEN>,
}

impl State {
    /// Before the first window.
    pub const START: Self = Self { output: Row::ZERO, cell: Row::ZERO };
}

/// Steps through a block of windows.
pub(super) struct Lstm<'a> {
    pub weights: &'a Recurrence,
    /// The input's half of the gates, biases included, in the order of [`onnx_row`].
    pub gates: &'a [Row<{ GATES * HIDDEN }>],
    pub state: &'a mut State,
    /// Receives a probability for each window.
    pub probabilities: &'a mut Vec<f32>,
}

impl WithSimd for Lstm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for gates in self.gates {
            let before = self.state.output;
            for (block, weights) in self.weights.weights.chunks_exact(HIDDEN).enumerate() {
                let gates = &gates.0[block * WIDE..][..WIDE];
                match S::F32_LANES {
                    16 => step::<S, 4>(simd, weights, gates, &before, self.state, block),
                    8 => step::<S, 8>(simd, weights, gates, &before, self.state, block),
                    4 => step::<S, 16>(simd, weights, gates, &before, self.state, block),
                    _ => step::<S, 64>(simd, weights, gates, &before, self.state, block),
                }
            }
            self.probabilities.push(probability(simd, self.weights, &self.state.output));
        }
    }
}

/// New state of 16 cells; `VECTORS` vectors hold their gates.
#[inline(always)]
fn step<S: Simd, const VECTORS: usize>(
    simd: S,
    weights: &[Row<WIDE>],
    gates: &[f32],
    before: &Row<HIDDEN>,
    state: &mut State,
    block: usize,
) {
    let mut sums = load::<S, VECTORS>(gates, 0);
    for (weights, value) in weights.iter().zip(before.0) {
        let value = simd.splat_f32s(value);
        for (sum, weight) in sums.iter_mut().zip(load::<S, VECTORS>(&weights.0, 0)) {
            *sum = simd.mul_add_e_f32s(value, weight, *sum);
        }
    }
    let cells = block * CELLS..(block + 1) * CELLS;
    let outputs = S::as_mut_simd_f32s(&mut state.output.0[cells.clone()]).0;
    let cells = S::as_mut_simd_f32s(&mut state.cell.0[cells]).0;
    let gate = VECTORS / GATES; // vectors of a gate
    for (v, (output, cell)) in outputs.iter_mut().zip(cells).enumerate() {
        let input = tanh_times_sigmoid(simd, sums[3 * gate + v], sums[v]);
        *cell = simd.add_f32s(times_sigmoid(simd, *cell, sums[2 * gate + v]), input);
        *output = tanh_times_sigmoid(simd, *cell, sums[gate + v]);
    }
}

/// sigmoid(bias + weights * ReLU(output)).
#[inline(always)]
fn probability<S: Simd>(simd: S, weights: &Recurrence, output: &Row<HIDDEN>) -> f32 {
    let (outputs, weight) = (S::as_simd_f32s(&output.0).0, S::as_simd_f32s(&weights.output.0).0);
    let zero = simd.splat_f32s(0.0);
    let mut sum = zero;
    for (output, weight) in outputs.iter().zip(weight) {
        sum = simd.mul_add_e_f32s(simd.max_f32s(*output, zero), *weight, sum);
    }
    let sum = weights.output_bias + simd.reduce_sum_f32s(sum);
    1.0 / (1.0 + (-sum).exp())
}
