//! From mono samples to segment files: listening, deciding, cutting.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    audio::to_pcm16,
    output::Staging,
    store::Segment,
    vad::{Listener, SAMPLE_RATE, Segmenter, SpeechSegment, VadError},
};

/// Cuts one recording. It keeps just the samples that a segment may still need.
pub(super) struct Cutter<'l> {
    listener: &'l mut Listener,
    segmenter: Segmenter,
    probabilities: Vec<f32>,
    decided: Vec<SpeechSegment>,
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

/// What was cut so far.
pub(super) struct Cuts {
    /// Samples listened to, at 16 kHz.
    pub samples: u64,
    pub segments: Vec<Segment>,
    pub staging: Staging,
    pub vad_time: Duration,
    pub write_time: Duration,
}

impl<'l> Cutter<'l> {
    pub fn new(listener: &'l mut Listener, segmenter: Segmenter, staging: Staging) -> Self {
        listener.reset();
        let (vad_time, write_time) = (Duration::ZERO, Duration::ZERO);
        Self {
            listener,
            segmenter,
            probabilities: Vec::new(),
            decided: Vec::new(),
            tape: Tape::default(),
            cuts: Cuts { samples: 0, segments: Vec::new(), staging, vad_time, write_time },
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
        self.tape.record(pcm);
        self.listener.push(pcm, &mut self.probabilities)?;
        self.decide();
        self.cuts.vad_time += start.elapsed();
        self.cuts.write(&mut self.decided, &self.tape)?;
        self.tape.forget_before(self.segmenter.needed_from());
        Ok(())
    }

    /// Ends the recording: what is still open is decided and written.
    pub fn finish(mut self) -> Result<Cuts, CutError> {
        let start = Instant::now();
        self.listener.finish(&mut self.probabilities)?;
        self.decide();
        self.segmenter.finish(self.cuts.samples, &mut self.decided);
        self.cuts.vad_time += start.elapsed();
        self.cuts.write(&mut self.decided, &self.tape)?;
        Ok(self.cuts)
    }

    fn decide(&mut self) {
        for probability in self.probabilities.drain(..) {
            self.segmenter.push(probability, &mut self.decided);
        }
    }
}

impl Cuts {
    fn write(&mut self, decided: &mut Vec<SpeechSegment>, tape: &Tape) -> io::Result<()> {
        let start = Instant::now();
        for speech in decided.drain(..) {
            let (path, written) = self.staging.write(tape.play(speech.start, speech.end))?;
            self.segments.push(Segment {
                idx: self.segments.len() as i64,
                start_sample: speech.start as i64,
                end_sample: speech.end as i64,
                start_s: seconds(speech.start as i64),
                end_s: seconds(speech.end as i64),
                path: path.to_string_lossy().into_owned(),
                sha256: written.sha256,
                mean_probability: f64::from(speech.mean_probability),
                min_probability: f64::from(speech.min_probability),
            });
        }
        self.write_time += start.elapsed();
        Ok(())
    }
}

/// Samples at 16 kHz in seconds.
pub(super) fn seconds(samples: i64) -> f64 {
    samples as f64 / f64::from(SAMPLE_RATE)
}

/// The last part of the recording, as it will be written.
#[derive(Default)]
struct Tape {
    samples: Vec<i16>,
    /// Position of the first kept sample in the recording.
    first: u64,
    /// How many samples at the front are no longer needed. They go when they are the larger part, so that each sample
    /// is moved at most once on average.
    stale: usize,
}

impl Tape {
    fn record(&mut self, pcm: &[f32]) {
        self.samples.extend(pcm.iter().copied().map(to_pcm16));
    }

    fn play(&self, start: u64, end: u64) -> &[i16] {
        &self.samples[(start - self.first) as usize..(end - self.first) as usize]
    }

    fn forget_before(&mut self, position: u64) {
        self.stale = (position.saturating_sub(self.first) as usize).min(self.samples.len());
        if self.stale * 2 > self.samples.len() {
            self.samples.drain(..self.stale);
            self.first += self.stale as u64;
            self.stale = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tape_plays_what_was_recorded_and_stays_short() {
        let mut tape = Tape::default();
        let value = |n: u64| (n % 30_000) as i16;
        for block in 0..1000u64 {
            let pcm: Vec<f32> = (block * 100..block * 100 + 100).map(|n| f32::from(value(n)) / 32_768.0).collect();
            tape.record(&pcm);
            let end = block * 100 + 100;
            let start = end.saturating_sub(250);
            let want: Vec<i16> = (start..end).map(value).collect();
            assert_eq!(tape.play(start, end), want);
            tape.forget_before(end.saturating_sub(300));
            assert!(tape.samples.len() <= 800, "{} samples kept", tape.samples.len());
        }
    }
}
