//! Denoising of one channel, beside the samples that the detector and the segments are made of.
//!
//! The denoiser runs through the whole channel, not from segment to segment: its estimate of the noise is settled before a
//! segment begins, and its output does not depend on where segments are cut.

use prepare_audio_denoise::{DenoiseModel, Denoiser};
use prepare_audio_media::to_pcm16;

use crate::{WriteError, channel_segmenter::SegmentError, quality::WindowPowers, sample_buffer::SampleBuffer};

/// The signal that the detector receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VadInput {
    /// The recording as it is.
    #[default]
    Raw,
    /// The recording without its noise.
    Denoised,
}

/// How recordings are denoised.
#[derive(Clone, Debug)]
pub struct Denoising {
    /// The model.
    pub model: DenoiseModel,
    /// What the detector receives.
    pub vad_input: VadInput,
}

/// The denoised samples of one channel. They come later than the raw ones: resamplers and models work in blocks.
pub(crate) struct DenoisedChannel<'a> {
    denoiser: &'a mut Denoiser,
    buffer: SampleBuffer<i16>,
    /// The powers of the detector's windows.
    powers: WindowPowers,
    /// The newest samples.
    newest: Vec<f32>,
    newest_pcm16: Vec<i16>,
}

impl<'a> DenoisedChannel<'a> {
    /// A channel at its start.
    pub fn new(denoiser: &'a mut Denoiser, buffer: SampleBuffer<i16>) -> Self {
        Self { denoiser, buffer, powers: WindowPowers::default(), newest: Vec::new(), newest_pcm16: Vec::new() }
    }

    /// Takes the next samples of the channel; returns the denoised ones that are finished.
    pub fn push(&mut self, pcm: &[f32]) -> Result<&[f32], SegmentError> {
        self.newest.clear();
        self.denoiser.push(pcm, &mut self.newest)?;
        self.keep_newest()
    }

    /// Ends the channel; returns its last denoised samples.
    pub fn finish(&mut self) -> Result<&[f32], SegmentError> {
        self.newest.clear();
        self.denoiser.finish(&mut self.newest)?;
        self.keep_newest()?;
        self.powers.finish();
        Ok(&self.newest)
    }

    fn keep_newest(&mut self) -> Result<&[f32], SegmentError> {
        self.newest_pcm16.clear();
        self.newest_pcm16.extend(self.newest.iter().copied().map(to_pcm16));
        self.powers.push(&self.newest_pcm16);
        self.buffer.push(self.newest_pcm16.iter().copied()).map_err(WriteError::from)?;
        Ok(&self.newest)
    }

    /// The samples from the first one that a segment may still need.
    pub fn buffer(&self) -> &SampleBuffer<i16> {
        &self.buffer
    }

    /// The powers of the detector's windows so far.
    pub fn powers(&self) -> &WindowPowers {
        &self.powers
    }

    /// Whether all samples before `end` are finished.
    pub fn reaches(&self, end: u64) -> bool {
        end <= self.buffer.end()
    }

    /// Discards the samples before this one; they are not read again.
    pub fn discard_before(&mut self, sample: u64) {
        self.buffer.discard_before(sample.min(self.buffer.end()));
    }
}
