//! Reads the network's weights from an ONNX file, by name or by role, and checks their shapes.

use super::super::VadError;
use super::super::onnx_file::OnnxFile;
use super::{BINS, FRAME, GATES, HIDDEN};

/// All weights, row-major, in the shapes written beside them.
pub(super) struct Weights {
    /// `[256]`: the window that each frame is multiplied by.
    pub window: Vec<f32>,
    /// The four convolutions.
    pub convolutions: [Convolution; 4],
    /// `[4 * 128, 128]`: the LSTM's weights for its input, gates in ONNX order (input, output, forget, cell).
    pub lstm_input: Vec<f32>,
    /// `[4 * 128, 128]`: the LSTM's weights for its previous output.
    pub lstm_recurrence: Vec<f32>,
    /// `[4 * 128]`: the sum of the LSTM's two biases.
    pub lstm_bias: Vec<f32>,
    /// `[128]`: weights of the last sum.
    pub output: Vec<f32>,
    /// Bias of the last sum.
    pub output_bias: f32,
}

/// A convolution over time of three taps.
pub(super) struct Convolution {
    /// Channels in.
    pub inputs: usize,
    /// `[outputs, inputs, 3]`.
    pub weight: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
}

impl Convolution {
    /// Weight from an input channel to an output channel at a tap.
    pub fn at(&self, output: usize, input: usize, tap: usize) -> f32 {
        self.weight[(output * self.inputs + input) * 3 + tap]
    }
}

impl Weights {
    /// Takes the weights out of a file of this architecture.
    pub fn from_onnx(file: &OnnxFile) -> Result<Self, VadError> {
        let basis = file.tensor("stft.forward_basis_buffer", &[2 * BINS, 1, FRAME])?;
        let convolution = |index: usize, outputs: usize, inputs: usize| -> Result<Convolution, VadError> {
            let weight = file.tensor(&format!("encoder.{index}.weight"), &[outputs, inputs, 3])?;
            let bias = file.tensor(&format!("encoder.{index}.bias"), &[outputs])?;
            Ok(Convolution { inputs, weight, bias })
        };
        // The exporter gives the LSTM's weights arbitrary numbers as names, but ONNX defines their order in the node's inputs.
        let [_, input, recurrence, bias, ..] = file.inputs_of("LSTM")? else {
            let found = "an LSTM node without bias".into();
            return Err(VadError::WrongModel { found, expected: "inputs X, W, R and B".into() });
        };
        let biases = file.tensor(bias, &[1, 2 * GATES * HIDDEN])?;
        let (first, second) = biases.split_at(GATES * HIDDEN);
        Ok(Self {
            window: window_of(&basis)?,
            convolutions: [
                convolution(0, 128, BINS)?,
                convolution(1, 64, 128)?,
                convolution(2, 64, 64)?,
                convolution(3, 128, 64)?,
            ],
            lstm_input: file.tensor(input, &[1, GATES * HIDDEN, HIDDEN])?,
            lstm_recurrence: file.tensor(recurrence, &[1, GATES * HIDDEN, HIDDEN])?,
            lstm_bias: first.iter().zip(second).map(|(a, b)| a + b).collect(),
            output: file.tensor("output.weight", &[1, HIDDEN, 1])?,
            output_bias: file.tensor("output.bias", &[1])?[0],
        })
    }
}

/// The window function, if the file's transform is a windowed Fourier transform. Only such a transform can be replaced by
/// an FFT.
///
/// Row k of the basis is window * cos(2 pi k n / 256), and row 129 + k is -window * sin(2 pi k n / 256). So row 0 is the
/// window function itself.
fn window_of(basis: &[f32]) -> Result<Vec<f32>, VadError> {
    let window = &basis[..FRAME];
    for bin in 0..BINS {
        for n in 0..FRAME {
            let angle = std::f64::consts::TAU * ((bin * n) % FRAME) as f64 / FRAME as f64;
            let cosine = basis[bin * FRAME + n] as f64 - window[n] as f64 * angle.cos();
            let sine = basis[(BINS + bin) * FRAME + n] as f64 + window[n] as f64 * angle.sin();
            if cosine.abs().max(sine.abs()) > 1e-5 {
                return Err(VadError::WrongModel {
                    found: format!("stft.forward_basis_buffer that is not a Fourier transform (bin {bin}, sample {n})"),
                    expected: "a windowed Fourier transform".into(),
                });
            }
        }
    }
    Ok(window.to_vec())
}
