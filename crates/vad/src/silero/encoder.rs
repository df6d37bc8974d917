//! The convolutions and the LSTM's input half, as matrix products over a block of windows.
//!
//! A convolution of three taps over at most four points in time is computed as one product for each output time. Taps that
//! would only be multiplied by padding are left out (2 of 12 in the first layer, 1 of 6 in the second, 1 of 3 in the third
//! and 2 of 3 in the fourth).

use super::level::Token;
use super::lstm::onnx_row;
use super::matmul::{Finish, InTiles, Packed, Product, Row};
use super::weights::{Convolution, Weights};
use super::winograd::{self, Evaluated, FirstConvolution, Products, WIDE};
use super::{FRAMES, GATES, HIDDEN};

/// Output channels of the second and third convolutions.
const NARROW: usize = 64;

/// The encoder's weights, packed.
pub(super) struct Encoder {
    first: Packed,
    second: Packed,
    third: Packed,
    fourth: Packed,
    gates: Packed,
}

impl Encoder {
    /// Packs the weights.
    pub fn new(weights: &Weights) -> Self {
        let [first, second, third, fourth] = &weights.convolutions;
        let gate_bias = (0..GATES * HIDDEN).map(|column| weights.lstm_bias[onnx_row(column)]).collect();
        Self {
            first: winograd::pack(first),
            second: taps(second, 0, 3),
            third: taps(third, 1, 2),
            fourth: taps(fourth, 1, 1),
            gates: Packed::new(HIDDEN, gate_bias, |k, column| weights.lstm_input[onnx_row(column) * HIDDEN + k]),
        }
    }

    /// From magnitudes, evaluated for the first convolution, to gates, for the number of windows of `activations`.
    pub fn run(&self, token: Token, batches: &[Evaluated], activations: &mut Activations) {
        let Activations { products, first, second, third, fourth, gates } = activations;
        token.run(InTiles(FirstConvolution { weights: &self.first, batches, products, output: first }));

        // The stride is two: output time 0 depends on times -1, 0, 1, of which -1 is padding; time 1 depends on 1, 2, 3.
        let (weights, finish) = (&self.second, Finish::Relu);
        let (input, output) = (&*first, second);
        token.run(InTiles(Product::<{ 2 * WIDE }, _, _> {
            weights,
            skip: WIDE,
            input,
            from: 0,
            output,
            to: 0,
            finish,
        }));
        token.run(InTiles(Product::<{ 3 * WIDE }, _, _> {
            weights,
            skip: 0,
            input,
            from: WIDE,
            output,
            to: NARROW,
            finish,
        }));

        let (weights, input, output) = (&self.third, &*output, third);
        token.run(InTiles(Product::<{ 2 * NARROW }, _, _> { weights, skip: 0, input, from: 0, output, to: 0, finish }));
        let (weights, input, output) = (&self.fourth, &*output, fourth);
        token.run(InTiles(Product::<NARROW, _, _> { weights, skip: 0, input, from: 0, output, to: 0, finish }));
        let (weights, input, output) = (&self.gates, &*output, gates);
        let finish = Finish::Linear;
        token.run(InTiles(Product::<HIDDEN, _, _> { weights, skip: 0, input, from: 0, output, to: 0, finish }));
    }
}

/// `count` taps of a convolution, from `first`, as one product. Its inputs are the channels of consecutive times.
fn taps(convolution: &Convolution, first: usize, count: usize) -> Packed {
    let inputs = convolution.inputs;
    let weight = |k: usize, output: usize| convolution.at(output, k % inputs, first + k / inputs);
    Packed::new(count * inputs, convolution.bias.clone(), weight)
}

/// The layers' outputs, one row for each window of a block; `[time, channels]` within a row.
pub(super) struct Activations {
    products: Vec<Products>,
    first: Vec<Row<{ FRAMES * WIDE }>>,
    second: Vec<Row<{ 2 * NARROW }>>,
    third: Vec<Row<NARROW>>,
    fourth: Vec<Row<HIDDEN>>,
    /// The input's half of the LSTM's gates.
    pub gates: Vec<Row<{ GATES * HIDDEN }>>,
}

impl Activations {
    /// Allocates space for a number of windows.
    pub fn new(windows: usize) -> Self {
        let mut activations = Self {
            products: Vec::new(),
            first: Vec::new(),
            second: Vec::new(),
            third: Vec::new(),
            fourth: Vec::new(),
            gates: Vec::new(),
        };
        activations.resize(windows);
        activations
    }

    /// Sets the number of windows. Does not allocate up to the number that it was created for.
    pub fn resize(&mut self, windows: usize) {
        self.products.resize(windows, [Row::ZERO; _]);
        self.first.resize(windows, Row::ZERO);
        self.second.resize(windows, Row::ZERO);
        self.third.resize(windows, Row::ZERO);
        self.fourth.resize(windows, Row::ZERO);
        self.gates.resize(windows, Row::ZERO);
    }
}
