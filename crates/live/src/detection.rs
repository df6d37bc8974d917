//! From stored audio to events: samples at 16 kHz, windows, speech.

use prepare_audio_media::{LiveConverter, ResamplerError};
use prepare_audio_vad::{self as vad, Engine, Parameters, SAMPLE_RATE, SegmentEvent, Segmenter, VadError};

use crate::{AudioFormat, Event, Numbered};

/// Why audio could not be analysed. It is stored all the same.
#[derive(Debug, thiserror::Error)]
pub enum DetectionError {
    /// The detector failed, or its parameters are out of range.
    #[error(transparent)]
    Vad(#[from] VadError),
    /// The resampler failed.
    #[error(transparent)]
    Resample(#[from] ResamplerError),
    /// No resampler can be made for this rate.
    #[error("resampling: {0}")]
    Rate(String),
    /// The stored audio cannot be read.
    #[error(transparent)]
    Read(#[from] std::io::Error),
}

/// Finds the speech of one recording.
pub struct Detector {
    format: AudioFormat,
    converter: LiveConverter,
    detector: vad::Detector,
    segmenter: Segmenter,
    /// Samples at 16 kHz without speech after which an utterance has ended.
    utterance_gap: Option<u64>,
    /// The end of the last speech, if its utterance has not ended.
    utterance_end: Option<u64>,
    /// Samples at 16 kHz that the detector received.
    samples: u64,
    /// Number of the last event.
    number: u64,
    decoded: Vec<f32>,
    mono: Vec<f32>,
    probabilities: Vec<f32>,
    found: Vec<SegmentEvent>,
}

impl Detector {
    /// A detector at the beginning of a recording. With `utterance_end_ms`, the ends of utterances are reported too.
    ///
    /// # Errors
    /// [`DetectionError`], if a parameter is out of range or the engine cannot make another detector.
    pub fn new(
        engine: &Engine,
        parameters: &Parameters,
        format: AudioFormat,
        utterance_end_ms: Option<u32>,
    ) -> Result<Self, DetectionError> {
        let converter = LiveConverter::new(format.channels.into(), format.sample_rate).map_err(DetectionError::Rate)?;
        Ok(Self {
            format,
            converter,
            detector: engine.live_detector()?,
            segmenter: Segmenter::new(parameters, engine.spec())?,
            utterance_gap: utterance_end_ms.map(|ms| u64::from(ms) * u64::from(SAMPLE_RATE) / 1000),
            utterance_end: None,
            samples: 0,
            number: 0,
            decoded: Vec::new(),
            mono: Vec::new(),
            probabilities: Vec::new(),
            found: Vec::new(),
        })
    }

    /// Samples at 16 kHz that were analysed, or will be with the next ones.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Takes the next audio, whole samples, and appends what becomes certain with it.
    ///
    /// # Errors
    /// [`DetectionError`].
    pub fn push(&mut self, audio: &[u8], events: &mut Vec<Numbered>) -> Result<(), DetectionError> {
        self.decoded.clear();
        self.format.decode(audio, &mut self.decoded);
        self.mono.clear();
        self.converter.push(&self.decoded, &mut self.mono)?;
        self.analyse(events)
    }

    /// Ends the recording, and appends what is still open.
    ///
    /// # Errors
    /// [`DetectionError`].
    pub fn finish(&mut self, events: &mut Vec<Numbered>) -> Result<(), DetectionError> {
        self.mono.clear();
        self.converter.finish(&mut self.mono)?;
        self.analyse(events)?;
        self.detector.finish(&mut self.probabilities)?;
        self.segment(events);
        self.segmenter.finish_events(self.samples, &mut self.found);
        self.report_found(events);
        if self.utterance_gap.is_some() {
            self.end_utterance(events);
        }
        Ok(())
    }

    fn analyse(&mut self, events: &mut Vec<Numbered>) -> Result<(), DetectionError> {
        self.samples += self.mono.len() as u64;
        self.detector.push(&self.mono, &mut self.probabilities)?;
        self.segment(events);
        Ok(())
    }

    fn segment(&mut self, events: &mut Vec<Numbered>) {
        for probability in std::mem::take(&mut self.probabilities) {
            self.segmenter.push_events(probability, &mut self.found);
            self.report_found(events);
            let silent_until = self.segmenter.needed_from();
            if let (Some(gap), Some(end)) = (self.utterance_gap, self.utterance_end)
                && silent_until >= end + gap
            {
                self.end_utterance(events);
            }
        }
    }

    fn report_found(&mut self, events: &mut Vec<Numbered>) {
        for found in std::mem::take(&mut self.found) {
            match found {
                SegmentEvent::Started { at } => self.report(Event::SpeechStarted { start: at }, events),
                SegmentEvent::Ended(segment) => {
                    self.utterance_end = Some(segment.end);
                    self.report(Event::SpeechEnded(segment), events);
                }
            }
        }
    }

    fn end_utterance(&mut self, events: &mut Vec<Numbered>) {
        if let Some(end) = self.utterance_end.take() {
            self.report(Event::UtteranceEnd { end }, events);
        }
    }

    fn report(&mut self, event: Event, events: &mut Vec<Numbered>) {
        self.number += 1;
        events.push(Numbered { number: self.number, event });
    }
}
