//! Removes noise from speech.
//!
//! A [`DenoiseModel`] is shared by all workers; each channel of a recording has a [`Denoiser`], which takes samples at 16 kHz
//! in pieces of any size and gives as many back. Sample n of the output is sample n of the input without its noise: the
//! delays of resamplers and of the model are taken off.
//!
//! RNNoise is built in. Other models are ONNX files that take a frame at a time (feature `onnx`); docs/denoise.md of the
//! program describes their interface.
//!
//! ```
//! use prepare_audio_denoise::DenoiseModel;
//!
//! let mut denoiser = DenoiseModel::rnnoise().denoiser()?;
//! let mut denoised = Vec::new();
//! denoiser.push(&[0.25; 1000], &mut denoised)?;
//! denoiser.finish(&mut denoised)?;
//! assert_eq!(denoised.len(), 1000);
//! # Ok::<(), prepare_audio_denoise::DenoiseError>(())
//! ```

mod denoiser;
mod error;
mod model;
#[cfg(feature = "onnx")]
mod onnx;
mod rnnoise;

pub use self::{denoiser::Denoiser, error::DenoiseError, model::DenoiseModel};

/// Sample rate of what a [`Denoiser`] takes and gives, Hz.
pub const SAMPLE_RATE: u32 = 16_000;

/// How a model takes its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameSpec {
    /// Its sample rate, Hz.
    rate: u32,
    /// Samples of a frame.
    hop: usize,
    /// Samples by which its output is later than its input.
    delay: usize,
}

/// A model that takes one frame after the other and keeps a state in between.
trait FrameModel: Send {
    /// How it takes its samples.
    fn spec(&self) -> FrameSpec;

    /// Replaces the samples of a frame, `hop` of them in -1..=1, by its output.
    fn process(&mut self, frame: &mut [f32]) -> Result<(), DenoiseError>;

    /// Returns to the state at the start of a recording.
    fn reset(&mut self);
}
