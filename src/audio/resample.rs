//! Any rate to any other, by blocks, without delay and with an exact number of samples.

use super::overlap::OverlapAdd;

/// Input samples of one FFT, at least. Shorter ones roll off audibly below 8 kHz; longer ones only add memory.
const MIN_BLOCK: usize = 4096;

/// How many samples at `to` Hz a recording of `frames` at `from` Hz has: the ceiling, as each begun sample counts.
pub fn resampled_len(frames: u64, from: u32, to: u32) -> u64 {
    let wanted = u128::from(frames) * u128::from(to);
    wanted.div_ceil(u128::from(from)) as u64
}

/// Turns mono samples of one rate into mono samples of another.
///
/// It works by Fourier transforms (overlap-add, anti-aliased by a Blackman-Harris² windowed sinc). Its delay is dropped
/// from the beginning and its tail is drawn at the end, so sample n of the output lies at n / rate seconds of the input,
/// and [`resampled_len`] samples come out.
pub struct Resampler {
    from: u32,
    to: u32,
    engine: Option<Engine>,
    frames_in: u64,
    samples_out: u64,
}

/// The resampler proper, absent where both rates are the same.
struct Engine {
    filter: OverlapAdd,
    waiting: Vec<f32>,
    /// Samples of the delay that are still to be dropped.
    to_drop: usize,
}

impl Resampler {
    /// A resampler from one rate to another, Hz; neither may be 0.
    ///
    /// # Errors
    /// What the Fourier transform says when it cannot be made for these rates.
    pub fn new(from: u32, to: u32) -> Result<Self, String> {
        let engine = if from == to { None } else { Some(Engine::new(from, to)?) };
        Ok(Self { from, to, engine, frames_in: 0, samples_out: 0 })
    }

    /// Takes input and appends what is finished to `out`.
    pub fn push(&mut self, mono: &[f32], out: &mut Vec<f32>) {
        self.frames_in += mono.len() as u64;
        let before = out.len();
        match &mut self.engine {
            None => out.extend_from_slice(mono),
            Some(engine) => engine.push(mono, out),
        }
        self.samples_out += (out.len() - before) as u64;
    }

    /// Ends the input and appends the rest to `out`. The resampler begins anew afterwards.
    pub fn finish(&mut self, out: &mut Vec<f32>) {
        let missing = resampled_len(self.frames_in, self.from, self.to).saturating_sub(self.samples_out) as usize;
        if let Some(engine) = &mut self.engine {
            engine.finish(missing, out);
        }
        (self.frames_in, self.samples_out) = (0, 0);
    }
}

impl Engine {
    fn new(from: u32, to: u32) -> Result<Self, String> {
        let block = block_len(from, to);
        let resampled = block as u64 * u64::from(to) / u64::from(from);
        let filter = OverlapAdd::new(block, resampled as usize).map_err(|e| e.to_string())?;
        Ok(Self { to_drop: filter.delay(), waiting: Vec::with_capacity(2 * block), filter })
    }

    fn push(&mut self, mono: &[f32], out: &mut Vec<f32>) {
        self.waiting.extend_from_slice(mono);
        let len = self.filter.input_len();
        let whole = self.waiting.len() / len * len;
        for from in (0..whole).step_by(len) {
            self.run(from, len, usize::MAX, out);
        }
        self.waiting.drain(..whole);
    }

    /// Draws `missing` more samples: the input's last part block, then silence.
    fn finish(&mut self, mut missing: usize, out: &mut Vec<f32>) {
        let mut rest = self.waiting.len();
        while missing > 0 {
            missing -= self.run(0, rest, missing, out);
            rest = 0;
        }
        self.waiting.clear();
        self.filter.reset();
        self.to_drop = self.filter.delay();
    }

    /// Resamples `len` waiting samples from `from` on, padded with silence to a block, and appends up to `most` of the
    /// block's samples, less the delay; returns how many.
    fn run(&mut self, from: usize, len: usize, most: usize, out: &mut Vec<f32>) -> usize {
        let block = self.filter.process(&self.waiting[from..from + len]);
        let dropped = self.to_drop.min(block.len());
        self.to_drop -= dropped;
        let taken = (block.len() - dropped).min(most);
        out.extend_from_slice(&block[dropped..dropped + taken]);
        taken
    }
}

/// Input samples of one block: the rates' smallest whole ratio, doubled until it is long enough.
///
/// Powers of two keep the FFT fast (a block of 2049 samples at 48 kHz, 3 x 683, takes four times as long as 3 x 2048),
/// and an even block has its delay at a whole sample.
fn block_len(from: u32, to: u32) -> usize {
    let mut len = 2 * (from / gcd(from, to)) as usize;
    while len < MIN_BLOCK {
        len *= 2;
    }
    len
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
        input.chunks(piece).for_each(|p| resampler.push(p, &mut out));
        resampler.finish(&mut out);
        out
    }

    /// Energy of the wanted sine over the energy of the rest, half a filter away from the two ends: where a sine breaks off,
    /// other frequencies are in it.
    fn snr_db(got: &[f32], frequency: f64) -> f64 {
        let want = sine(frequency, TARGET_RATE, got.len());
        let middle = 6000..got.len() - 6000;
        let signal: f64 = want[middle.clone()].iter().map(|&s| f64::from(s).powi(2)).sum();
        let noise: f64 = middle.map(|n| f64::from(got[n] - want[n]).powi(2)).sum();
        10.0 * (signal / noise).log10()
    }

    const RATES: [u32; 8] = [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

    /// To 7 kHz, and below 0.45 of the source's rate. Whatever is not the sine counts as noise: the images of lower rates,
    /// and any delay.
    #[test]
    fn sines_come_out_in_place_at_every_rate() {
        // 44,101 Hz shares no factor with 16 kHz: its FFT is of an awkward length and rounds more.
        for (rate, at_least) in RATES.map(|rate| (rate, 120.0)).into_iter().chain([(44_101, 80.0)]) {
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
