//! Silero VAD v6 at 16 kHz, computed natively.
//!
//! For each window of 512 samples (shapes are `[time, channels]`):
//!
//! ```text
//! 64 samples of context + 512 new ones      576
//! + 64 mirrored at the right end            640
//! 4 frames of 256, 128 apart, Hann window   [4, 129]  magnitudes of the Fourier transform     stft.rs, fft.rs
//! convolution of 3 taps, ReLU               [4, 128]                                          encoder.rs
//! convolution of 3 taps, stride 2, ReLU     [2, 64]
//! convolution of 3 taps, stride 2, ReLU     [1, 64]
//! convolution of 3 taps, ReLU               [1, 128]
//! LSTM, 128 cells                           [128]     the only part with a state              lstm.rs
//! ReLU, weighted sum, sigmoid               1         the probability
//! ```
//!
//! Everything before the LSTM does not depend on earlier windows, so it is computed for a block of windows at once: a few
//! matrix products (matmul.rs). The order in which an output is summed never depends on the block's size, so the
//! probabilities are the same, bit for bit, whether samples arrive one by one or all at once.
//!
//! docs/vad-engine.md in the repository describes what limits each stage, and what was tried.
//!
//! The model is by the Silero team, <https://github.com/snakers4/silero-vad>, MIT licence.

mod detector;
mod encoder;
mod fft;
mod level;
mod lstm;
mod math;
mod matmul;
mod model;
mod stft;
mod weights;
mod winograd;

pub use detector::SileroDetector;
pub use level::SimdLevel;
pub use model::SileroModel;

/// Samples per frame of the Fourier transform.
const FRAME: usize = 256;
/// Samples from the start of one frame to the start of the next.
const HOP: usize = 128;
/// Frames per window.
const FRAMES: usize = 4;
/// Magnitudes per frame: frequencies from 0 to 8 kHz, inclusive.
const BINS: usize = FRAME / 2 + 1;
/// Cells of the LSTM.
const HIDDEN: usize = 128;
/// Gates per cell.
const GATES: usize = 4;
