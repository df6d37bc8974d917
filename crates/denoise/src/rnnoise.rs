//! RNNoise, by the crate nnnoiseless, which has the weights inside.
//!
//! Source: J.-M. Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech Enhancement", 2018.

use std::sync::LazyLock;

use nnnoiseless::{DenoiseState, RnnModel};

use crate::{DenoiseError, FrameModel, FrameSpec};

/// SHA-256 of the weights, `src/weights.rnn` of nnnoiseless. Cargo.toml names exactly one version of the crate.
pub const WEIGHTS_SHA256: &str = "e6de5fbfadf7ec91d1b24d6a6ccfd0290cb4d8bf555c5eab3ce41506f67a58b1";

/// The crate takes samples in the range of 16-bit integers.
const FULL_SCALE: f32 = 32_768.0;

static WEIGHTS: LazyLock<RnnModel> = LazyLock::new(RnnModel::default);

/// The state of one channel.
pub struct RnNoise {
    state: Box<DenoiseState<'static>>,
    input: [f32; DenoiseState::FRAME_SIZE],
}

impl RnNoise {
    /// The state at the start of a recording.
    pub fn new() -> Self {
        Self { state: DenoiseState::with_model(&WEIGHTS), input: [0.0; DenoiseState::FRAME_SIZE] }
    }
}

impl FrameModel for RnNoise {
    /// The windows of two frames overlap by one, so a frame comes out with the next one.
    fn spec(&self) -> FrameSpec {
        FrameSpec { rate: 48_000, hop: DenoiseState::FRAME_SIZE, delay: DenoiseState::FRAME_SIZE }
    }

    fn process(&mut self, frame: &mut [f32]) -> Result<(), DenoiseError> {
        for (input, sample) in self.input.iter_mut().zip(frame.iter()) {
            *input = sample * FULL_SCALE;
        }
        self.state.process_frame(frame, &self.input);
        frame.iter_mut().for_each(|sample| *sample /= FULL_SCALE);
        Ok(())
    }

    fn reset(&mut self) {
        self.state = DenoiseState::with_model(&WEIGHTS);
    }
}

#[cfg(test)]
mod tests {
    use crate::{DenoiseModel, SAMPLE_RATE};

    const SPEECH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/speech/pauses.wav");

    fn speech() -> Vec<f32> {
        let mut reader = hound::WavReader::open(SPEECH).unwrap();
        reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect()
    }

    fn denoise(samples: &[f32]) -> Vec<f32> {
        let mut denoiser = DenoiseModel::rnnoise().denoiser().unwrap();
        let mut out = Vec::new();
        samples.chunks(7_000).for_each(|piece| denoiser.push(piece, &mut out).unwrap());
        denoiser.finish(&mut out).unwrap();
        out
    }

    fn noise(len: usize, level: f32) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(7);
        (0..len).map(|_| level * (2.0 * random.f32() - 1.0)).collect()
    }

    fn power(samples: &[f32]) -> f64 {
        samples.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / samples.len() as f64
    }

    /// The cross-correlation of speech and denoised speech is greatest at no lag, by every second and as a whole.
    #[test]
    fn the_output_is_in_place() {
        let speech = speech();
        let noisy: Vec<f32> =
            speech.iter().zip(noise(speech.len(), 0.01)).map(|(speech, noise)| speech + noise).collect();
        let denoised = denoise(&noisy);
        assert_eq!(denoised.len(), speech.len());
        const REACH: usize = 800;
        let lag = |from: usize, to: usize| {
            let correlation = |lag: usize| -> f64 {
                let shifted = &denoised[from + lag - REACH..to + lag - REACH];
                speech[from..to].iter().zip(shifted).map(|(a, b)| f64::from(a * b)).sum()
            };
            let best = (0..=2 * REACH).max_by(|&a, &b| correlation(a).total_cmp(&correlation(b)));
            best.unwrap() as i64 - REACH as i64
        };
        assert_eq!(lag(REACH, speech.len() - REACH), 0);
        let second = SAMPLE_RATE as usize;
        for from in (second..speech.len() - 2 * second).step_by(second) {
            if power(&speech[from..from + second]) > 1e-3 {
                assert_eq!(lag(from, from + second), 0, "from sample {from}");
            }
        }
    }

    #[test]
    fn noise_gets_quieter_and_speech_stays() {
        let hiss = noise(5 * SAMPLE_RATE as usize, 0.03);
        let settled = 2 * SAMPLE_RATE as usize..;
        let reduced = 10.0 * (power(&hiss[settled.clone()]) / power(&denoise(&hiss)[settled])).log10();
        assert!(reduced > 15.0, "{reduced:.1} dB");
        let speech = speech();
        let kept = 10.0 * (power(&denoise(&speech)) / power(&speech)).log10();
        assert!((-1.5..0.5).contains(&kept), "{kept:.1} dB");
    }

    /// Silence, full scale and abrupt changes: the output is finite, and later speech does not suffer.
    #[test]
    fn extreme_input_does_no_harm() {
        let square = (0..20_000).map(|n| if n / 50 % 2 == 0 { 1e30 } else { -1e30 });
        let speech = speech();
        let input: Vec<f32> = std::iter::repeat_n(0.0, 20_000)
            .chain(square)
            .chain(std::iter::repeat_n(0.0, 16_000))
            .chain(speech.clone())
            .collect();
        let out = denoise(&input);
        assert!(out.iter().all(|sample| sample.is_finite()));
        let kept = 10.0 * (power(&out[56_000..]) / power(&speech)).log10();
        assert!((-3.0..0.5).contains(&kept), "{kept:.1} dB");
    }
}
