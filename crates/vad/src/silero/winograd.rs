//! The first convolution, by minimal filtering: four outputs of three taps with 6 products instead of 12.
//!
//! A convolution is a product of polynomials, and its values at enough points determine a polynomial. So the input's four
//! times and the filter's three taps are evaluated at six points and multiplied there (summed over the channels, which is
//! one matrix product for each point), and the four outputs are interpolated from the products (Winograd, Arithmetic
//! Complexity of Computations, 1980; Lavin and Gray, arXiv 1509.09308, who call it F(4,3)). 2 of the 12 products are with
//! padding and would be left out anyway, so 6 replace 10, which saves 40%.
//!
//! The points are 0, 1, -1, 1/2, -2 and infinity. With these, the sums are as exact as those of the plain convolution
//! (measured on speech: an RMS error of 1.9e-6 against 2.0e-6, for outputs up to 100). 2 and -2 would be less exact.

use pulp::{Simd, WithSimd};

use super::matmul::{Finish, PANEL, Packed, Row, Tiled, load, store, sum_tile};
use super::stft::{GROUP, Magnitudes};
use super::weights::Convolution;
use super::{BINS, FRAMES};

/// Points of evaluation.
const POINTS: usize = 6;
/// Output channels.
pub(super) const WIDE: usize = 128;

/// From the four times of the input to the points. The general matrix has six columns, of which the outer two would only be
/// multiplied by padding.
const INPUT: [[f32; FRAMES]; POINTS] = [
    [-1.5, -2.0, 1.5, 1.0],
    [-1.0, 0.5, 2.5, 1.0],
    [1.0, -2.5, 0.5, 1.0],
    [-2.0, -1.0, 2.0, 1.0],
    [0.5, -1.0, -0.5, 1.0],
    [1.0, -1.5, -2.0, 1.5],
];

/// From the three taps of the filter to the points.
const FILTER: [[f64; 3]; POINTS] = [
    [1.0, 0.0, 0.0],
    [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0],
    [-1.0 / 3.0, 1.0 / 3.0, -1.0 / 3.0],
    [-16.0 / 15.0, -8.0 / 15.0, -4.0 / 15.0],
    [1.0 / 15.0, -2.0 / 15.0, 4.0 / 15.0],
    [0.0, 0.0, 1.0],
];

/// The number of windows whose magnitudes are stored together: a multiple of every tile's rows.
pub(super) const BATCH: usize = 48;

/// A batch's magnitudes at the points: row `point * 129 + bin`, a window in each lane.
pub(super) type Evaluated = [Row<BATCH>; POINTS * BINS];

/// Evaluates a filter at the points: depth `point * 129 + bin`.
pub(super) fn pack(convolution: &Convolution) -> Packed {
    let weight = |k: usize, output: usize| {
        let taps = FILTER[k / BINS].iter().enumerate();
        taps.map(|(tap, factor)| factor * f64::from(convolution.at(output, k % BINS, tap))).sum::<f64>() as f32
    };
    Packed::new(POINTS * BINS, convolution.bias.clone(), weight)
}

/// Evaluates a group's magnitudes at the points and puts them into lanes `lane..` of its batch.
pub(super) struct Evaluate<'a> {
    pub magnitudes: &'a Magnitudes,
    pub evaluated: &'a mut Evaluated,
    pub lane: usize,
}

impl WithSimd for Evaluate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for bin in 0..BINS {
            for v in 0..GROUP / S::F32_LANES {
                let read = |time: usize| S::as_simd_f32s(&self.magnitudes[time * BINS + bin].0).0[v];
                let times: [S::f32s; FRAMES] = std::array::from_fn(read);
                for (point, factors) in INPUT.iter().enumerate() {
                    let mut sum = simd.mul_f32s(simd.splat_f32s(factors[0]), times[0]);
                    for (factor, time) in factors[1..].iter().zip(&times[1..]) {
                        sum = simd.mul_add_e_f32s(simd.splat_f32s(*factor), *time, sum);
                    }
                    let row = &mut self.evaluated[point * BINS + bin].0[self.lane..self.lane + GROUP];
                    S::as_mut_simd_f32s(row).0[v] = sum;
                }
            }
        }
    }
}

/// A window's products at the points, for a panel of output channels.
pub(super) type Products = [Row<PANEL>; POINTS];

/// The convolution and its ReLU: reads windows from lanes, writes them as rows `[time, channel]`.
pub(super) struct FirstConvolution<'a> {
    pub weights: &'a Packed,
    pub batches: &'a [Evaluated],
    /// Scratch for as many windows as `output` has.
    pub products: &'a mut [Products],
    pub output: &'a mut [Row<{ FRAMES * WIDE }>],
}

impl Tiled for FirstConvolution<'_> {
    /// The loops are nested so that a panel's weights at one point stay in the L1 cache for all windows.
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(mut self, simd: S) {
        for (panel, (weights, bias)) in self.weights.panels().enumerate() {
            for (point, weights) in weights.chunks_exact(BINS).enumerate() {
                for column in (0..PANEL).step_by(VECTORS * S::F32_LANES) {
                    for (batch, products) in self.batches.iter().zip(self.products.chunks_mut(BATCH)) {
                        let values = &batch[point * BINS..(point + 1) * BINS];
                        let whole = products.len() - products.len() % ROWS;
                        let (whole, rest) = products.split_at_mut(whole);
                        let first = whole.len();
                        multiply::<S, ROWS, VECTORS>(simd, weights, column, values, 0, whole, point);
                        if rest.len() > 2 {
                            // The lanes behind the last window hold old values, whose products are not stored.
                            multiply::<S, ROWS, VECTORS>(simd, weights, column, values, first, rest, point);
                        } else {
                            multiply::<S, 2, VECTORS>(simd, weights, column, values, first, rest, point);
                        }
                    }
                }
            }
            self.interpolate(simd, panel, bias);
        }
    }
}

/// One point's products for the windows from lane `first` on.
#[inline(always)]
fn multiply<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    weights: &[Row<PANEL>],
    column: usize,
    values: &[Row<BATCH>],
    first: usize,
    products: &mut [Products],
    point: usize,
) {
    let zero = [simd.splat_f32s(0.0); VECTORS];
    for (tile, products) in products.chunks_mut(ROWS).enumerate() {
        let tile = first / ROWS + tile;
        let values = values.iter().map(|row| row.0.as_chunks::<ROWS>().0[tile]);
        let sums = sum_tile::<S, ROWS, VECTORS>(simd, weights, column, zero, values);
        for (products, sums) in products.iter_mut().zip(sums) {
            store(simd, sums, Finish::Linear, &mut products[point].0[column..]);
        }
    }
}

impl FirstConvolution<'_> {
    /// From the products of a panel to its output channels.
    #[inline(always)]
    fn interpolate<S: Simd>(&mut self, simd: S, panel: usize, bias: &[f32]) {
        for (products, output) in self.products.iter().zip(self.output.iter_mut()) {
            for column in (0..PANEL).step_by(S::F32_LANES) {
                let [bias] = load::<S, 1>(bias, column);
                let products = products.each_ref().map(|row| S::as_simd_f32s(&row.0[column..]).0[0]);
                for (time, sum) in at_times(simd, products, bias).into_iter().enumerate() {
                    store(simd, [sum], Finish::Relu, &mut output.0[time * WIDE + panel * PANEL + column..]);
                }
            }
        }
    }
}

/// From the products at the points to the outputs at the four times.
#[inline(always)]
fn at_times<S: Simd>(simd: S, [a, b, c, d, e, f]: [S::f32s; POINTS], bias: S::f32s) -> [S::f32s; FRAMES] {
    let (sum, difference) = (simd.add_f32s(b, c), simd.sub_f32s(b, c));
    let add = |x, factor, y| simd.mul_add_e_f32s(simd.splat_f32s(factor), x, y);
    [
        simd.add_f32s(simd.add_f32s(simd.add_f32s(a, sum), simd.add_f32s(d, e)), bias),
        add(d, 0.5, add(e, -2.0, simd.add_f32s(difference, bias))),
        add(d, 0.25, add(e, 4.0, simd.add_f32s(sum, bias))),
        add(d, 0.125, add(e, -8.0, simd.add_f32s(simd.add_f32s(difference, f), bias))),
    ]
}
