//! Sample-rate conversion by blocks, without delay and with an exact number of samples.

use rubato::{
    Fft, FixedSync, Indexing, ResampleError, Resampler as _, WindowFunction,
    audioadapter_buffers::{SizeError, direct::SequentialSlice},
};

/// Minimum number of input samples in one block. Shorter blocks roll off audibly below 8 kHz; longer blocks only need more
/// memory.
const MIN_BLOCK: usize = 4096;

/// Length of a block of [`Resampler::low_delay`], in milliseconds. The filter's delay is half a block more.
const LIVE_BLOCK_MS: u32 = 12;

/// Number of samples at `to` Hz of a recording of `frames` samples at `from` Hz, rounded up.
pub fn resampled_len(frames: u64, from: u32, to: u32) -> u64 {
    let scaled = u128::from(frames) * u128::from(to);
    scaled.div_ceil(u128::from(from)) as u64
}

/// Why a block could not be resampled. Buffers have the sizes that rubato asks for, so no input causes it.
#[derive(Debug, thiserror::Error)]
pub enum ResamplerError {
    /// rubato refused a buffer.
    #[error("resampling: {0}")]
    Process(#[from] ResampleError),
    /// A slice was shorter than its declared length.
    #[error("resampling: {0}")]
    Buffer(#[from] SizeError),
}

/// Converts mono samples from one sample rate to another, with rubato's FFT resampler.
///
/// The anti-aliasing filter is a windowed sinc (squared Blackman-Harris window). The filter's delay is removed: sample n
/// of the output lies at n / `to` seconds of the input, and [`resampled_len`] samples are produced. Aliases and images are
/// at least 100 dB below full scale, which is below the last bit of 16-bit output.
///
/// Samples must be finite.
pub struct Resampler {
    from: u32,
    to: u32,
    /// `None` if both rates are equal.
    converter: Option<Converter>,
    frames_in: u64,
    samples_out: u64,
}

struct Converter {
    fft: Fft<f32>,
    /// Input that does not fill a block yet.
    pending: Vec<f32>,
    /// Samples of the filter's delay that are still to be dropped.
    to_drop: usize,
}

impl Resampler {
    /// A resampler from `from` Hz to `to` Hz.
    ///
    /// # Errors
    /// If a rate is 0.
    pub fn new(from: u32, to: u32) -> Result<Self, String> {
        Self::with_block(from, to, |from, to| block_len(from, to, MIN_BLOCK))
    }

    /// As [`new`](Self::new), for audio that arrives live: a sample comes out at most 20 ms later than it went in, at rates of
    /// 8, 12, 16, 24, 32, 44.1 and 48 kHz (22.05 kHz: 30 ms; 11.025 kHz: 60 ms). The filter is shorter: it rolls off over the
    /// highest kHz. At 44.1 kHz and its parts, samples are half a sample of the input off their place.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn low_delay(from: u32, to: u32) -> Result<Self, String> {
        Self::with_block(from, to, live_block_len)
    }

    fn with_block(from: u32, to: u32, len: fn(u32, u32) -> Result<usize, String>) -> Result<Self, String> {
        let converter = if from == to { None } else { Some(Converter::new(from, to, len(from, to)?)?) };
        Ok(Self { from, to, converter, frames_in: 0, samples_out: 0 })
    }

    /// Resamples `mono` and appends the finished samples to `out`.
    ///
    /// # Errors
    /// [`ResamplerError`].
    pub fn push(&mut self, mono: &[f32], out: &mut Vec<f32>) -> Result<(), ResamplerError> {
        self.frames_in += mono.len() as u64;
        let before = out.len();
        match &mut self.converter {
            None => out.extend_from_slice(mono),
            Some(converter) => converter.push(mono, out)?,
        }
        self.samples_out += (out.len() - before) as u64;
        Ok(())
    }

    /// Ends the input and appends the remaining samples to `out`. The next `push` begins a new recording.
    ///
    /// # Errors
    /// [`ResamplerError`].
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), ResamplerError> {
        let missing = resampled_len(self.frames_in, self.from, self.to).saturating_sub(self.samples_out) as usize;
        self.converter.as_mut().map_or(Ok(()), |converter| converter.finish(missing, out))?;
        self.reset();
        Ok(())
    }

    /// Discards what was not finished. The next `push` begins a new recording.
    pub fn reset(&mut self) {
        (self.frames_in, self.samples_out) = (0, 0);
        if let Some(converter) = &mut self.converter {
            converter.reset();
        }
    }
}

impl Converter {
    fn new(from: u32, to: u32, block: usize) -> Result<Self, String> {
        let window = WindowFunction::BlackmanHarris2;
        let fft = Fft::new_custom(from as usize, to as usize, block, 1, 1, window, FixedSync::Both)
            .map_err(|error| error.to_string())?;
        Ok(Self { to_drop: fft.output_delay(), pending: Vec::with_capacity(2 * block), fft })
    }

    fn push(&mut self, mono: &[f32], out: &mut Vec<f32>) -> Result<(), ResamplerError> {
        self.pending.extend_from_slice(mono);
        let len = self.fft.input_frames_next();
        let whole = self.pending.len() / len * len;
        for start in (0..whole).step_by(len) {
            self.process(start, len, usize::MAX, out)?;
        }
        self.pending.drain(..whole);
        Ok(())
    }

    /// Produces `missing` more samples: from the last partial block, then from silence.
    fn finish(&mut self, mut missing: usize, out: &mut Vec<f32>) -> Result<(), ResamplerError> {
        let mut rest = self.pending.len();
        while missing > 0 {
            missing -= self.process(0, rest, missing, out)?;
            rest = 0;
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.pending.clear();
        self.fft.reset();
        self.to_drop = self.fft.output_delay();
    }

    /// Resamples `len` pending samples from `start` on, padded with silence to a block. Appends at most `limit` of the
    /// block's samples, without the delay, and returns how many.
    fn process(&mut self, start: usize, len: usize, limit: usize, out: &mut Vec<f32>) -> Result<usize, ResamplerError> {
        let (from, size) = (out.len(), self.fft.output_frames_next());
        out.resize(from + size, 0.0);
        let input = SequentialSlice::new(&self.pending[start..start + len], 1, len)?;
        let mut output = SequentialSlice::new_mut(&mut out[from..], 1, size)?;
        self.fft.process_into_buffer(&input, &mut output, Some(&Indexing::new().partial_len(len)))?;
        let dropped = self.to_drop.min(size);
        self.to_drop -= dropped;
        out.drain(from..from + dropped);
        let taken = (size - dropped).min(limit);
        out.truncate(from + taken);
        Ok(taken)
    }
}

/// Number of input samples in one block: the denominator of the reduced ratio of the rates, doubled until it is long enough.
///
/// Powers of two keep the FFT fast (a block of 2049 samples at 48 kHz, 3 x 683, takes four times as long as 3 x 2048),
/// and the delay of an even block is a whole number of samples.
fn block_len(from: u32, to: u32, min: usize) -> Result<usize, String> {
    if from == 0 || to == 0 {
        return Err("a sample rate of 0 Hz".into());
    }
    let mut len = 2 * (from / gcd(from, to)) as usize;
    while len < min {
        len *= 2;
    }
    Ok(len)
}

/// The same for [`Resampler::low_delay`]: the greatest multiple of the denominator that is short enough.
fn live_block_len(from: u32, to: u32) -> Result<usize, String> {
    let denominator = block_len(from, to, 0)? / 2;
    let longest = from as usize * LIVE_BLOCK_MS as usize / 1000;
    Ok(denominator * (longest / denominator).max(1))
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    const TARGET_RATE: u32 = 16_000;

    fn sine(frequency: f64, rate: u32, frames: usize) -> Vec<f32> {
        (0..frames).map(|n| (TAU * frequency * n as f64 / f64::from(rate)).sin() as f32).collect()
    }

    fn resample(input: &[f32], rate: u32, piece: usize) -> Vec<f32> {
        let mut resampler = Resampler::new(rate, TARGET_RATE).unwrap();
        let mut out = Vec::new();
        input.chunks(piece).for_each(|p| resampler.push(p, &mut out).unwrap());
        resampler.finish(&mut out).unwrap();
        out
    }

    /// Energy of the expected sine over the energy of the error, without half a filter at both ends: the abrupt ends of a sine
    /// contain other frequencies.
    fn snr_db(got: &[f32], frequency: f64) -> f64 {
        let want = sine(frequency, TARGET_RATE, got.len());
        let middle = 6000..got.len() - 6000;
        let signal: f64 = want[middle.clone()].iter().map(|&s| f64::from(s).powi(2)).sum();
        let noise: f64 = middle.map(|n| f64::from(got[n] - want[n]).powi(2)).sum();
        10.0 * (signal / noise).log10()
    }

    /// How late samples come out, and how much of a sine of 1 kHz is an error, where half a sample of the input is one.
    #[test]
    fn low_delay_is_short() {
        for (rate, delay_ms, snr) in [
            (8_000, 20.0, 60.0),
            (11_025, 60.0, 10.0),
            (12_000, 20.0, 60.0),
            (22_050, 30.0, 16.0),
            (24_000, 20.0, 60.0),
            (32_000, 20.0, 60.0),
            (44_100, 20.0, 22.0),
            (48_000, 20.0, 60.0),
        ] {
            let mut resampler = Resampler::low_delay(rate, TARGET_RATE).unwrap();
            let (mut out, mut received) = (Vec::new(), 0);
            for piece in sine(1_000.0, rate, rate as usize).chunks(rate as usize / 100) {
                resampler.push(piece, &mut out).unwrap();
                received += piece.len();
                let late = received as f64 / f64::from(rate) - out.len() as f64 / f64::from(TARGET_RATE);
                assert!(late * 1000.0 <= delay_ms + 0.1, "{rate} Hz: {late} s");
            }
            resampler.finish(&mut out).unwrap();
            assert_eq!(out.len(), TARGET_RATE as usize);
            assert!(snr_db(&out, 1_000.0) > snr, "{rate} Hz: {} dB", snr_db(&out, 1_000.0));
        }
    }

    const RATES: [u32; 8] = [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

    /// To 7 kHz, and below 0.45 of the source's rate. Whatever is not the sine counts as noise: the images of lower rates,
    /// and any delay.
    #[test]
    fn sines_come_out_in_place_at_every_rate() {
        // 44,101 Hz shares no factor with 16 kHz: its FFT is of an awkward length and rounds more.
        for (rate, at_least) in RATES.map(|rate| (rate, 100.0)).into_iter().chain([(44_101, 80.0)]) {
            for frequency in [50.0, 100.0, 440.0, 1000.0, 2345.6, 3500.0, 4800.0, 6000.0, 6543.2, 7000.0] {
                if frequency < f64::from(rate) * 0.45 {
                    let got = resample(&sine(frequency, rate, rate as usize * 2), rate, 1152);
                    let snr = snr_db(&got, frequency);
                    assert!(snr > at_least, "{rate} Hz, sine of {frequency} Hz: {snr:.1} dB");
                }
            }
        }
    }

    /// Nothing is left of it at any frequency: neither it nor its aliases, to -100 dB.
    #[test]
    fn what_lies_above_8_khz_is_gone() {
        for rate in RATES.into_iter().filter(|rate| *rate > TARGET_RATE) {
            for frequency in [9_000.0, 9_876.5, 10_900.0, 12_000.0, 15_900.0, 17_000.0, 21_900.0, 25_000.0, 47_000.0] {
                if frequency < f64::from(rate) / 2.0 {
                    let got = resample(&sine(frequency, rate, rate as usize), rate, 4000);
                    let peak = got[2000..14_000].iter().fold(0.0f32, |a, s| a.max(s.abs()));
                    assert!(peak < 1e-5, "{rate} Hz, sine of {frequency} Hz: an alias of {peak}");
                }
            }
        }
    }

    #[test]
    fn sixteen_kilohertz_pass_untouched() {
        let input = sine(440.0, 16_000, 12_345);
        assert_eq!(resample(&input, 16_000, 100), input);
    }

    proptest! {
        #[test]
        fn lengths_are_exact_and_pieces_do_not_matter(
            rate in prop::sample::select(vec![8_000u32, 11_025, 16_000, 22_050, 44_100, 48_000, 7_999]),
            frames in 0usize..30_000,
            piece in 1usize..5_000,
        ) {
            let input = sine(300.0, rate, frames);
            let whole = resample(&input, rate, frames.max(1));
            prop_assert_eq!(whole.len() as u64, resampled_len(frames as u64, rate, TARGET_RATE));
            prop_assert_eq!(resample(&input, rate, piece), whole);
        }
    }
}
