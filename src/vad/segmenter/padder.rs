//! Widens stretches of speech by the padding; neighbours that are too close share the gap between them.

use super::super::Parameters;
use super::super::parameters::samples;
use super::super::statistics::Statistics;
use super::{Cut, SpeechSegment, Stretch};

/// Holds back the last stretch until its end is certain, which depends on where the next one begins.
#[derive(Debug, Clone)]
pub(super) struct Padder {
    padding: u64,
    held: Option<Held>,
    /// Start, with padding, of the stretch after the held one, once that is known.
    next_start: Option<u64>,
}

/// A stretch of which only the end still lacks its padding.
#[derive(Debug, Clone)]
struct Held {
    start: u64,
    end: u64,
    statistics: Statistics,
    cut: Cut,
}

impl Held {
    fn ending_at(self, end: u64) -> SpeechSegment {
        SpeechSegment {
            start: self.start,
            end,
            mean_probability: self.statistics.mean(),
            min_probability: self.statistics.min(),
            cut: self.cut,
        }
    }
}

impl Padder {
    pub fn new(parameters: &Parameters) -> Self {
        Self { padding: samples(parameters.speech_pad_ms), held: None, next_start: None }
    }

    /// Takes the next stretch.
    pub fn add(&mut self, stretch: Stretch, segments: &mut Vec<SpeechSegment>) {
        self.meet(stretch.start, segments);
        let Stretch { start, end, statistics, cut } = stretch;
        let start = self.next_start.take().unwrap_or(start);
        self.held = Some(Held { start, end, statistics, cut });
    }

    /// Learns that the next stretch is certain to come, and where it starts.
    pub fn meet(&mut self, start: u64, segments: &mut Vec<SpeechSegment>) {
        if self.next_start.is_some() {
            return;
        }
        let mut padding = self.padding;
        if let Some(held) = self.held.take() {
            let gap = start - held.end;
            if gap < 2 * padding {
                padding = gap / 2;
            }
            let end = held.end + padding;
            segments.push(held.ending_at(end));
        }
        self.next_start = Some(start.saturating_sub(padding));
    }

    /// Learns that the next stretch, if any, starts at `next` or later, and that the recording has at least `length`
    /// samples.
    pub fn wait(&mut self, next: u64, length: u64, segments: &mut Vec<SpeechSegment>) {
        let padding = self.padding;
        let is_final = |held: &mut Held| next >= held.end + 2 * padding && length >= held.end + padding;
        if let Some(held) = self.held.take_if(is_final) {
            let end = held.end + padding;
            segments.push(held.ending_at(end));
        }
    }

    /// Gives out the last segment.
    pub fn finish(self, total_samples: u64, segments: &mut Vec<SpeechSegment>) {
        if let Some(held) = self.held {
            let end = total_samples.min(held.end + self.padding);
            segments.push(held.ending_at(end));
        }
    }

    /// The earliest sample of any segment to come, given that the next stretch starts at `next` or later.
    pub fn needed_from(&self, next: u64) -> u64 {
        let held = self.held.as_ref().map(|held| held.start);
        held.or(self.next_start).unwrap_or_else(|| next.saturating_sub(self.padding))
    }
}
