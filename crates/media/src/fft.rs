//! The Fourier transform of real samples.
//!
//! rustfft is generic, so each crate that plans transforms compiles all of it again, for 25 s. The resampler has it compiled
//! here already.

use std::sync::Arc;

pub use realfft::{RealToComplex, num_complex::Complex};

/// The transform of `length` real samples to `length` / 2 + 1 bins, without scaling.
pub fn real_fft(length: usize) -> Arc<dyn RealToComplex<f32>> {
    realfft::RealFftPlanner::new().plan_fft_forward(length)
}
