//! From mono samples to segment files: listening, deciding, cutting.

use std::{io, time::Instant};

use super::{cuts::Cuts, ear::Ear, level::Level, seconds, tape::Tape};
use crate::{
    output::Staging,
    vad::{Chunk, Merger, Parameters, Segmenter, SpeechSegment, VadError},
};

/// Cuts one recording. It keeps just the samples that a segment may still need.
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
    tape: Tape,
    cuts: Cuts,
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
    pub fn new(ear: Ear<'e>, segmenter: Segmenter, parameters: &Parameters, staging: Staging) -> Self {
        Self {
            ear,
            segmenter,
            merger: Merger::new(parameters),
            min_dbfs: parameters.min_dbfs,
            heard: Vec::new(),
            decided: Vec::new(),
            chunks: Vec::new(),
            tape: Tape::new(staging.root().to_owned()),
            cuts: Cuts::new(staging, parameters),
        }
    }

    /// Seconds listened to so far.
    pub fn seconds(&self) -> f64 {
        seconds(self.cuts.samples as i64)
    }

    /// Listens to the next samples and writes the segments that they decide.
    pub fn listen(&mut self, pcm: &[f32]) -> Result<(), CutError> {
        let start = Instant::now();
        self.cuts.samples += pcm.len() as u64;
        self.tape.record(pcm)?;
        let known = self.heard.len();
        self.ear.push(pcm, &mut self.heard)?;
        self.decide(known);
        self.merge()?;
        let next = self.segmenter.needed_from();
        self.merger.wait(next, &mut self.chunks);
        self.cuts.vad_time += start.elapsed();
        self.write()?;
        self.tape.forget_before(self.merger.needed_from(next));
        Ok(())
    }

    /// Ends the recording: what is still open is decided and written. Returns the cuts and all probabilities, or nothing
    /// where what was remembered belongs to other audio.
    pub fn finish(mut self) -> Result<Option<(Cuts, Vec<f32>)>, CutError> {
        let start = Instant::now();
        let known = self.heard.len();
        if !self.ear.finish(&mut self.heard)? {
            return Ok(None);
        }
        self.decide(known);
        self.segmenter.clone().finish(self.cuts.samples, &mut self.decided);
        self.merge()?;
        self.merger.clone().finish(&mut self.chunks);
        self.cuts.vad_time += start.elapsed();
        self.write()?;
        Ok(Some((self.cuts, self.heard)))
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

    fn write(&mut self) -> io::Result<()> {
        for chunk in self.chunks.drain(..) {
            if let Some(memory) = self.ear.memory()
                && self.cuts.reuse(&chunk, memory)?
            {
                continue;
            }
            self.cuts.write(&chunk, &self.tape)?;
        }
        Ok(())
    }
}
