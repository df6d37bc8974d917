//! One channel of a recording: resampling to the model's rate and back, frames, and the delays that are taken off.

use std::fmt;

use prepare_audio_media::{Resampler, resampled_len};

use crate::{DenoiseError, FrameModel, FrameSpec, SAMPLE_RATE};

/// Denoises one channel, from samples that arrive in pieces of any size. A worker keeps one and calls
/// [`reset`](Self::reset) between recordings.
///
/// The pieces make no difference: the same samples give the same bits.
pub struct Denoiser {
    model: Box<dyn FrameModel>,
    to_model: Resampler,
    from_model: Resampler,
    /// Samples at the model's rate that do not fill a frame yet.
    pending: Vec<f32>,
    /// The model's output that is not resampled yet.
    denoised: Vec<f32>,
    /// Samples of the model's delay that are still to be dropped.
    to_drop: usize,
    /// Samples that the model has given, without its delay.
    given: u64,
    samples_in: u64,
    samples_out: u64,
}

impl Denoiser {
    pub(crate) fn new(model: Box<dyn FrameModel>) -> Result<Self, DenoiseError> {
        let FrameSpec { rate, delay, .. } = model.spec();
        Ok(Self {
            to_model: Resampler::new(SAMPLE_RATE, rate).map_err(DenoiseError::Rate)?,
            from_model: Resampler::new(rate, SAMPLE_RATE).map_err(DenoiseError::Rate)?,
            pending: Vec::new(),
            denoised: Vec::new(),
            to_drop: delay,
            given: 0,
            samples_in: 0,
            samples_out: 0,
            model,
        })
    }

    /// Returns to the state at the start of a recording.
    pub fn reset(&mut self) {
        self.model.reset();
        self.to_model.reset();
        self.from_model.reset();
        self.pending.clear();
        self.denoised.clear();
        self.to_drop = self.model.spec().delay;
        (self.given, self.samples_in, self.samples_out) = (0, 0, 0);
    }

    /// Takes the next samples (16 kHz, mono) and appends those that are finished. What is outside of -1..=1 is clipped, as
    /// in segment files.
    ///
    /// # Errors
    /// If the model fails, which only those of ONNX Runtime can. [`reset`](Self::reset) makes it usable again.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) -> Result<(), DenoiseError> {
        self.samples_in += samples.len() as u64;
        let clipped: Vec<f32> = samples.iter().map(|sample| sample.clamp(-1.0, 1.0)).collect();
        self.to_model.push(&clipped, &mut self.pending)?;
        self.process_frames()?;
        let before = out.len();
        self.from_model.push(&self.denoised, out)?;
        self.denoised.clear();
        self.samples_out += (out.len() - before) as u64;
        Ok(())
    }

    /// Ends the recording and appends the remaining samples, so that there are as many as came in. The next
    /// [`push`](Self::push) begins another recording.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), DenoiseError> {
        let FrameSpec { rate, hop, .. } = self.model.spec();
        let wanted = resampled_len(self.samples_in, SAMPLE_RATE, rate);
        self.to_model.finish(&mut self.pending)?;
        self.process_frames()?;
        while self.given < wanted {
            self.pending.resize(hop, 0.0);
            self.process_frames()?;
        }
        let surplus = (self.given - wanted) as usize;
        self.denoised.truncate(self.denoised.len() - surplus);
        let before = out.len();
        self.from_model.push(&self.denoised, out)?;
        self.from_model.finish(out)?;
        // Rates that are no multiple of 16 kHz are rounded up twice.
        out.truncate(before + (self.samples_in - self.samples_out) as usize);
        self.reset();
        Ok(())
    }

    /// Passes the whole frames of `pending` through the model.
    fn process_frames(&mut self) -> Result<(), DenoiseError> {
        let hop = self.model.spec().hop;
        let whole = self.pending.len() / hop * hop;
        for frame in self.pending[..whole].chunks_exact_mut(hop) {
            self.model.process(frame)?;
            let dropped = self.to_drop.min(hop);
            self.to_drop -= dropped;
            self.denoised.extend_from_slice(&frame[dropped..]);
            self.given += (hop - dropped) as u64;
        }
        self.pending.drain(..whole);
        Ok(())
    }
}

impl fmt::Debug for Denoiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denoiser").field("spec", &self.model.spec()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives half of each sample, `delay` samples later.
    struct Halves {
        spec: FrameSpec,
        delayed: Vec<f32>,
    }

    impl Halves {
        fn denoiser(spec: FrameSpec) -> Denoiser {
            Denoiser::new(Box::new(Self { spec, delayed: vec![0.0; spec.delay] })).unwrap()
        }
    }

    impl FrameModel for Halves {
        fn spec(&self) -> FrameSpec {
            self.spec
        }

        fn process(&mut self, frame: &mut [f32]) -> Result<(), DenoiseError> {
            self.delayed.extend(frame.iter().map(|sample| sample / 2.0));
            let rest = self.delayed.split_off(frame.len());
            frame.copy_from_slice(&std::mem::replace(&mut self.delayed, rest));
            Ok(())
        }

        fn reset(&mut self) {
            self.delayed = vec![0.0; self.spec.delay];
        }
    }

    fn denoise(denoiser: &mut Denoiser, samples: &[f32], piece: usize) -> Vec<f32> {
        let mut out = Vec::new();
        samples.chunks(piece).for_each(|piece| denoiser.push(piece, &mut out).unwrap());
        denoiser.finish(&mut out).unwrap();
        out
    }

    /// Sines that fade in and out, because the abrupt ends of a sine contain other frequencies.
    fn sines(len: usize) -> Vec<f32> {
        let sample = |n: usize| {
            let time = n as f32 / SAMPLE_RATE as f32;
            let fade = (std::f32::consts::PI * n as f32 / len as f32).sin();
            fade * (0.3 * (time * 500.0 * 6.3).sin() + 0.4 * (time * 3_000.0 * 6.3).sin())
        };
        (0..len).map(sample).collect()
    }

    #[test]
    fn the_output_is_in_place_at_every_rate() {
        let samples = sines(40_000);
        for rate in [8_000, 16_000, 24_000, 44_100, 48_000] {
            for (hop, delay) in [(1, 0), (160, 0), (480, 480), (500, 1_234)] {
                let mut denoiser = Halves::denoiser(FrameSpec { rate, hop, delay });
                let out = denoise(&mut denoiser, &samples, 64_000);
                assert_eq!(out.len(), samples.len());
                // A sample too late or too early would be an error of 0.4. At the ends the resampler's filter begins and ends.
                let error =
                    out.iter().zip(&samples).map(|(out, sample)| (2.0 * out - sample).abs()).fold(0.0, f32::max);
                assert!(error < 2e-3, "{rate} Hz, hop {hop}, delay {delay}: {error}");
            }
        }
    }

    #[test]
    fn what_is_beyond_full_scale_is_clipped() {
        let mut denoiser = Halves::denoiser(FrameSpec { rate: 16_000, hop: 4, delay: 0 });
        assert_eq!(denoise(&mut denoiser, &[0.5, 3.0, -1e30, 1.0], 4), [0.25, 0.5, -0.5, 0.5]);
    }

    proptest! {
        /// Neither pieces nor an interrupted recording before it make a difference.
        #[test]
        fn the_same_samples_give_the_same_bits(
            rate in prop::sample::select(vec![8_000u32, 16_000, 22_050, 48_000]),
            hop in 1usize..700,
            delay in 0usize..1_500,
            len in 0usize..20_000,
            piece in 1usize..9_000,
        ) {
            let samples = sines(len);
            let mut denoiser = Halves::denoiser(FrameSpec { rate, hop, delay });
            let whole = denoise(&mut denoiser, &samples, len.max(1));
            prop_assert_eq!(whole.len(), len);
            denoiser.push(&samples[..len / 2], &mut Vec::new()).unwrap();
            denoiser.reset();
            prop_assert_eq!(denoise(&mut denoiser, &samples, piece), whole);
        }
    }
}
