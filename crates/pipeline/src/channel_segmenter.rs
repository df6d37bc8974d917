//! Finds the segments of one channel, or of the mix of all channels.

use prepare_audio_denoise::DenoiseError;
use prepare_audio_dnsmos::DnsmosError;
use prepare_audio_media::to_pcm16;
use prepare_audio_vad::{Chunk, Merger, Parameters, Segmenter, SpeechSegment, VadError};

use crate::{
    WriteError,
    denoising::{DenoisedChannel, VadInput},
    probability_source::ProbabilitySource,
    quality::{Level, Surroundings, WindowPowers},
    sample_buffer::SampleBuffer,
    stored_probabilities::StoredAnalysis,
};

/// Turns the samples of one channel into segments. It keeps only the samples that a segment may still need.
pub(crate) struct ChannelSegmenter<'a> {
    source: ProbabilitySource<'a>,
    segmenter: Segmenter,
    merger: Merger,
    /// Segments with a lower level are dropped.
    min_dbfs: Option<f64>,
    /// The probabilities of all windows so far: one for each 512 samples.
    probabilities: Vec<f32>,
    speech: Vec<SpeechSegment>,
    chunks: Vec<Chunk>,
    buffer: SampleBuffer<i16>,
    /// The powers of the same windows as `probabilities`.
    powers: WindowPowers,
    /// The channel without its noise, if that is wanted.
    denoised: Option<DenoisedChannel<'a>>,
    vad_input: VadInput,
    /// The samples of one block, 16 bits.
    block: Vec<i16>,
    /// Samples received so far.
    samples: u64,
}

/// Why a recording could not be segmented to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SegmentError {
    #[error(transparent)]
    Detect(#[from] VadError),
    #[error(transparent)]
    Denoise(#[from] DenoiseError),
    #[error(transparent)]
    Dnsmos(#[from] DnsmosError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl<'a> ChannelSegmenter<'a> {
    pub fn new(
        source: ProbabilitySource<'a>,
        segmenter: Segmenter,
        parameters: &Parameters,
        buffer: SampleBuffer<i16>,
    ) -> Self {
        Self {
            source,
            merger: Merger::new(parameters, segmenter.spec()),
            segmenter,
            min_dbfs: parameters.min_dbfs,
            probabilities: Vec::new(),
            speech: Vec::new(),
            chunks: Vec::new(),
            buffer,
            powers: WindowPowers::default(),
            denoised: None,
            vad_input: VadInput::Raw,
            block: Vec::new(),
            samples: 0,
        }
    }

    /// Denoises the channel as well. The detector receives `vad_input`.
    pub fn with_denoised(mut self, denoised: DenoisedChannel<'a>, vad_input: VadInput) -> Self {
        (self.denoised, self.vad_input) = (Some(denoised), vad_input);
        self
    }

    /// Processes the next samples; returns the chunks that are decided by them.
    pub fn push(&mut self, pcm: &[f32]) -> Result<Vec<Chunk>, SegmentError> {
        self.samples += pcm.len() as u64;
        self.block.clear();
        self.block.extend(pcm.iter().copied().map(to_pcm16));
        self.powers.push(&self.block);
        self.buffer.push(self.block.iter().copied()).map_err(WriteError::from)?;
        let input = match &mut self.denoised {
            None => pcm,
            Some(denoised) => {
                let denoised = denoised.push(pcm)?;
                if self.vad_input == VadInput::Denoised { denoised } else { pcm }
            }
        };
        let known = self.probabilities.len();
        self.source.push(input, &mut self.probabilities)?;
        self.segment(known);
        self.merge()?;
        self.merger.advance(self.segmenter.needed_from(), &mut self.chunks);
        Ok(std::mem::take(&mut self.chunks))
    }

    /// Ends the recording; returns the chunks that were still open. `None` means that the stored probabilities belong to
    /// other audio.
    pub fn finish(&mut self) -> Result<Option<Vec<Chunk>>, SegmentError> {
        let known = self.probabilities.len();
        if let Some(denoised) = &mut self.denoised {
            let rest = denoised.finish()?;
            if self.vad_input == VadInput::Denoised {
                self.source.push(rest, &mut self.probabilities)?;
            }
        }
        if !self.source.finish(&mut self.probabilities)? {
            return Ok(None);
        }
        self.powers.finish();
        self.segment(known);
        self.segmenter.finish(self.samples, &mut self.speech);
        self.merge()?;
        self.merger.finish(&mut self.chunks);
        Ok(Some(std::mem::take(&mut self.chunks)))
    }

    /// What an earlier preparation stored, if the probabilities come from there.
    pub fn stored(&self) -> Option<&'a StoredAnalysis<'a>> {
        self.source.stored()
    }

    /// The samples from the first one that a segment may still need.
    pub fn buffer(&self) -> &SampleBuffer<i16> {
        &self.buffer
    }

    /// The channel without its noise, if that is wanted.
    pub fn denoised(&self) -> Option<&DenoisedChannel<'a>> {
        self.denoised.as_ref()
    }

    /// Samples received so far, at 16 kHz.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The probabilities of all windows so far.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// What is around the segments, once the recording has ended.
    pub fn surroundings(&self) -> Surroundings<'_> {
        Surroundings::new(&self.powers, &self.probabilities)
    }

    /// The same windows of the denoised channel.
    pub fn denoised_surroundings(&self) -> Option<Surroundings<'_>> {
        Some(Surroundings::new(self.denoised.as_ref()?.powers(), &self.probabilities))
    }

    /// No later chunk begins before this sample.
    pub fn needed_from(&self) -> u64 {
        self.merger.needed_from(self.segmenter.needed_from())
    }

    /// Discards the samples that no later chunk needs, nor a chunk that waits from sample `waiting` on.
    pub fn discard_unneeded(&mut self, waiting: Option<u64>) {
        let needed = self.needed_from();
        let needed = waiting.map_or(needed, |waiting| waiting.min(needed));
        self.buffer.discard_before(needed);
        if let Some(denoised) = &mut self.denoised {
            denoised.discard_before(needed);
        }
    }

    /// Segments the probabilities from index `known` on.
    fn segment(&mut self, known: usize) {
        for probability in &self.probabilities[known..] {
            self.segmenter.push(*probability, &mut self.speech);
        }
    }

    /// Makes chunks of the segments that are loud enough.
    fn merge(&mut self) -> Result<(), WriteError> {
        for speech in self.speech.drain(..) {
            if let Some(min_dbfs) = self.min_dbfs
                && Level::of(self.buffer.read(speech.start, speech.end))?.dbfs() < min_dbfs
            {
                continue;
            }
            self.merger.push(speech, &mut self.chunks);
        }
        Ok(())
    }
}
