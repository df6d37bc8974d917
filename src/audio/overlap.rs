//! A band-limited change of rate by Fourier transforms, block by block (overlap-add).
//!
//! It is what the crate rubato does in its `Fft`, but for one thing: rubato computes the filter in the precision of the
//! samples, so that with 32 bits a sine comes out some millionths too large or too small (111 to 118 dB at 22.05, 32 and
//! 44.1 kHz). Here the filter is computed with 64 bits, and what is left is the rounding of the samples.

use std::{f64::consts::PI, sync::Arc};

use realfft::{
    ComplexToReal, FftError, RealFftPlanner, RealToComplex,
    num_complex::{Complex32, Complex64},
};

/// Turns blocks of one length into blocks of another.
pub(super) struct OverlapAdd {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// The filter's spectrum, as far as both rates reach.
    filter: Vec<Complex32>,
    /// Samples, twice as many as a block has, then their spectrum, at either rate.
    input: Vec<f32>,
    input_spectrum: Vec<Complex32>,
    output_spectrum: Vec<Complex32>,
    output: Vec<f32>,
    /// What the block before lays over the next.
    overlap: Vec<f32>,
    scratch: Vec<Complex32>,
}

impl OverlapAdd {
    /// Blocks of `from` samples become blocks of `to` samples; both are even.
    ///
    /// # Errors
    /// Those of the Fourier transform, which there are none of for these buffers.
    pub fn new(from: usize, to: usize) -> Result<Self, FftError> {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(2 * from), planner.plan_fft_inverse(2 * to));
        let filter = filter(from, to)?;
        let scratch = vec![Complex32::default(); forward.get_scratch_len().max(inverse.get_scratch_len())];
        Ok(Self {
            filter,
            input: forward.make_input_vec(),
            input_spectrum: forward.make_output_vec(),
            output_spectrum: inverse.make_input_vec(),
            output: inverse.make_output_vec(),
            overlap: vec![0.0; to],
            scratch,
            forward,
            inverse,
        })
    }

    /// Samples of a block before.
    pub fn input_len(&self) -> usize {
        self.input.len() / 2
    }

    /// By how many samples the output is late: half a filter.
    pub fn delay(&self) -> usize {
        self.overlap.len() / 2
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        self.overlap.fill(0.0);
    }

    /// The next block; what `block` lacks is silence.
    pub fn process(&mut self, block: &[f32]) -> &[f32] {
        // The transforms look at the lengths of buffers, which they made themselves, and at what has no phase: below.
        let sized = "the buffers have the transforms' lengths";
        self.input[..block.len()].copy_from_slice(block);
        self.input[block.len()..].fill(0.0);
        self.forward.process_with_scratch(&mut self.input, &mut self.input_spectrum, &mut self.scratch).expect(sized);
        let spectrum = self.input_spectrum.iter().zip(&self.filter);
        self.output_spectrum.iter_mut().zip(spectrum).for_each(|(out, (bin, gain))| *out = bin * gain);
        self.output_spectrum[self.filter.len()..].fill(Complex32::default());
        self.output_spectrum[0].im = 0.0;
        self.inverse.process_with_scratch(&mut self.output_spectrum, &mut self.output, &mut self.scratch).expect(sized);
        let (now, next) = self.output.split_at_mut(self.overlap.len());
        now.iter_mut().zip(&self.overlap).for_each(|(sample, before)| *sample += before);
        self.overlap.copy_from_slice(next);
        now
    }
}

/// The spectrum of a low-pass of `from` taps, below both Nyquist frequencies.
fn filter(from: usize, to: usize) -> Result<Vec<Complex32>, FftError> {
    let least = from.min(to);
    let cutoff = cutoff(least) * least as f64 / from as f64;
    let taps: Vec<f64> = (0..from)
        .map(|n| {
            let x = PI * cutoff * (n as f64 - (from / 2) as f64);
            let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
            sinc * blackman_harris(n as f64 / from as f64).powi(2)
        })
        .collect();
    // The transforms do not scale: there and back a sine grows by the length of the first.
    let scale = 1.0 / (taps.iter().sum::<f64>() * 2.0 * from as f64);
    let fft = RealFftPlanner::<f64>::new().plan_fft_forward(2 * from);
    let (mut padded, mut spectrum) = (fft.make_input_vec(), fft.make_output_vec());
    padded.iter_mut().zip(&taps).for_each(|(sample, tap)| *sample = tap * scale);
    fft.process(&mut padded, &mut spectrum)?;
    // The highest bin has no phase, and nothing is left in it.
    Ok(spectrum[..least].iter().map(|bin: &Complex64| Complex32::new(bin.re as f32, bin.im as f32)).collect())
}

/// Where the pass band ends, in parts of the Nyquist frequency, so that the stop band begins there: rubato's fit for
/// a squared Blackman-Harris window of so many taps.
fn cutoff(taps: usize) -> f64 {
    let n = taps as f64;
    1.0 / (13.745202940783823 / n + 121.73532586374934 / (n * n) + 5964.163279612051 / (n * n * n) + 1.0)
}

fn blackman_harris(at: f64) -> f64 {
    let turn = 2.0 * PI * at;
    0.35875 - 0.48829 * turn.cos() + 0.14128 * (2.0 * turn).cos() - 0.01168 * (3.0 * turn).cos()
}
