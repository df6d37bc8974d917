//! From what one ear hears to chunks: listening and deciding.

use std::io;

use super::{ear::Ear, level::Level, memory::Memory, tape::Tape};
use crate::{
    audio::to_pcm16,
    vad::{Chunk, Merger, Parameters, Segmenter, SpeechSegment, VadError},
};

/// Listens to one channel, or to a mix of them, and decides where to cut. It keeps just the samples that a segment may
/// still need.
pub(super) struct Cutter<'e> {
    ear: Ear<'e>,
    segmenter: Segmenter,
    merger: Merger,
    /// Segments that are quieter are dropped.
    min_dbfs: Option<f64>,
    /// All probabilities so far: a 512th of the samples.
    heard: Vec<f32>,
    decided: Vec<SpeechSegment>,
    chunks: Vec<Chunk>,
    tape: Tape<i16>,
    /// Samples heard so far.
    samples: u64,
}

/// Why a recording could not be cut to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum CutError {
    #[error(transparent)]
    Listen(#[from] VadError),
    #[error(transparent)]
    Write(#[from] io::Error),
}

impl<'e> Cutter<'e> {
    /// Where to keep what was heard is `tape`'s matter.
    pub fn new(ear: Ear<'e>, segmenter: Segmenter, parameters: &Parameters, tape: Tape<i16>) -> Self {
        Self {
            ear,
            segmenter,
            merger: Merger::new(parameters),
            min_dbfs: parameters.min_dbfs,
            heard: Vec::new(),
            decided: Vec::new(),
            chunks: Vec::new(),
            tape,
            samples: 0,
        }
    }

    /// Listens to the next samples; returns the chunks that they decide.
    pub fn listen(&mut self, pcm: &[f32]) -> Result<Vec<Chunk>, CutError> {
        self.samples += pcm.len() as u64;
        self.tape.record(pcm.iter().copied().map(to_pcm16))?;
        let known = self.heard.len();
        self.ear.push(pcm, &mut self.heard)?;
        self.decide(known);
        self.merge()?;
        self.merger.wait(self.segmenter.needed_from(), &mut self.chunks);
        Ok(std::mem::take(&mut self.chunks))
    }

    /// Ends the recording; returns what was open still, or nothing where what was remembered belongs to other audio.
    pub fn finish(&mut self) -> Result<Option<Vec<Chunk>>, CutError> {
        let known = self.heard.len();
        if !self.ear.finish(&mut self.heard)? {
            return Ok(None);
        }
        self.decide(known);
        self.segmenter.clone().finish(self.samples, &mut self.decided);
        self.merge()?;
        self.merger.clone().finish(&mut self.chunks);
        Ok(Some(std::mem::take(&mut self.chunks)))
    }

    /// What is known of the recording.
    pub fn memory(&self) -> Option<&'e Memory<'e>> {
        self.ear.memory()
    }

    /// What was heard from the chunk's first sample to its last.
    pub fn tape(&self) -> &Tape<i16> {
        &self.tape
    }

    /// Samples heard so far, at 16 kHz.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The probabilities of all windows so far.
    pub fn heard(&self) -> &[f32] {
        &self.heard
    }

    /// No chunk to come begins before this sample.
    pub fn needed_from(&self) -> u64 {
        self.merger.needed_from(self.segmenter.needed_from())
    }

    /// Lets go of what no chunk to come needs.
    pub fn forget(&mut self) {
        self.tape.forget_before(self.needed_from());
    }

    /// Segments from the probabilities that are new.
    fn decide(&mut self, known: usize) {
        for probability in &self.heard[known..] {
            self.segmenter.push(*probability, &mut self.decided);
        }
    }

    /// Chunks from the segments that are loud enough.
    fn merge(&mut self) -> io::Result<()> {
        for speech in self.decided.drain(..) {
            if let Some(least) = self.min_dbfs
                && Level::of(self.tape.play(speech.start, speech.end))?.dbfs() < least
            {
                continue;
            }
            self.merger.push(speech, &mut self.chunks);
        }
        Ok(())
    }
}
