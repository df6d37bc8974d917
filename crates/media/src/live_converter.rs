//! From interleaved samples that arrive live to 16 kHz mono, with little delay.

use super::{
    Resampler, ResamplerError,
    downmix::{Downmixer, finite_or_silence},
};

/// Sample rate of the detector, Hz.
const ANALYSIS_RATE: u32 = 16_000;

/// Mixes and resamples live audio. At 16 kHz the samples are those that [`AudioStream`](super::AudioStream) gives for the same
/// recording. At other rates a shorter filter is used ([`Resampler::low_delay`]). Two channels are mixed up to 250 ms later, because
/// that is how long the mixer listens for channels that cancel each other; any other number is mixed at once.
pub struct LiveConverter {
    channels: usize,
    rate: u32,
    mixer: Downmixer,
    resampler: Resampler,
    mono: Vec<f32>,
}

impl LiveConverter {
    /// For interleaved frames of `channels` samples at `rate` Hz.
    ///
    /// # Errors
    /// If the rate or the number of channels is 0.
    pub fn new(channels: usize, rate: u32) -> Result<Self, String> {
        if channels == 0 {
            return Err("no channels".into());
        }
        let resampler = Resampler::low_delay(rate, ANALYSIS_RATE)?;
        Ok(Self { channels, rate, mixer: Downmixer::default(), resampler, mono: Vec::new() })
    }

    /// Takes the next frames, full scale 1.0, and appends the samples at 16 kHz that are ready.
    ///
    /// # Errors
    /// [`ResamplerError`].
    pub fn push(&mut self, interleaved: &[f32], out: &mut Vec<f32>) -> Result<(), ResamplerError> {
        self.mono.clear();
        self.mixer.push(interleaved, self.channels, self.rate, &mut self.mono);
        self.resample(out)
    }

    /// Ends the recording and appends the remaining samples.
    ///
    /// # Errors
    /// [`ResamplerError`].
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<(), ResamplerError> {
        self.mono.clear();
        self.mixer.finish(&mut self.mono);
        self.resample(out)?;
        self.resampler.finish(out)
    }

    fn resample(&mut self, out: &mut Vec<f32>) -> Result<(), ResamplerError> {
        let from = out.len();
        self.resampler.push(&self.mono, out)?;
        out[from..].iter_mut().for_each(|sample| *sample = finite_or_silence(*sample));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{AudioBlock, AudioStream, DecodeOptions, Decoder, DecoderChoice, LocalFile};

    /// Both ways over a file: blocks as for a recording, and pieces of 20 ms as they arrive live.
    fn both(file: &str) -> (Vec<f32>, Vec<f32>) {
        let input = LocalFile::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(file));
        let mut stream = AudioStream::open(&input, DecoderChoice::Symphonia, DecodeOptions::default()).unwrap();
        let mut block = AudioBlock::default();
        while stream.fill(&mut block, usize::MAX).unwrap() {}
        let mut decoder = Decoder::open(&input, DecoderChoice::Symphonia).unwrap();
        let (mut converter, mut live) = (None, Vec::new());
        while let Some(decoded) = decoder.next_block().unwrap() {
            let (channels, rate) = (decoded.channels(), decoded.rate);
            let converter = converter.get_or_insert_with(|| LiveConverter::new(channels, rate).unwrap());
            for piece in decoded.samples().chunks(channels * rate as usize / 50) {
                converter.push(piece, &mut live).unwrap();
            }
        }
        converter.unwrap().finish(&mut live).unwrap();
        (block.analysis.swap_remove(0), live)
    }

    #[test]
    fn samples_at_16_khz_are_those_of_a_recording() {
        let (recorded, live) = both("speech/pauses.wav");
        assert!(recorded == live);
    }

    /// Other rates have as many samples, and what a shorter filter changes is below the speech.
    #[test]
    fn other_rates_differ_little() {
        for file in ["speech/wav_u8_8k_mono.wav", "speech/wav_s16_44k1_mono.wav", "speech/flac_48k_stereo.flac"] {
            let (recorded, live) = both(file);
            assert_eq!(recorded.len(), live.len(), "{file}");
            let energy = |of: &mut dyn Iterator<Item = f32>| of.map(|s| f64::from(s).powi(2)).sum::<f64>();
            let signal = energy(&mut recorded.iter().copied());
            let error = energy(&mut recorded.iter().zip(&live).map(|(a, b)| a - b));
            assert!(error < signal / 50.0, "{file}: {} dB", 10.0 * (signal / error).log10());
        }
    }
}
