//! Widens stretches of speech by the padding; neighbours that are too close share the gap between them, each side in
//! proportion to its padding. Of two equal paddings that is half the gap, rounded down, as the official package has it.

use super::super::Parameters;
use super::super::statistics::Statistics;
use super::{Cut, SpeechSegment, Stretch};

/// Holds back the last stretch until its end is certain, which depends on where the next one begins.
#[derive(Debug, Clone)]
pub(super) struct Padder {
    pad_start: u64,
    pad_end: u64,
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
            windows: self.statistics.count(),
            cut: self.cut,
        }
    }
}

impl Padder {
    pub fn new(parameters: &Parameters) -> Self {
        Self { pad_start: parameters.pad_start(), pad_end: parameters.pad_end(), held: None, next_start: None }
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
        let mut pad_start = self.pad_start;
        if let Some(held) = self.held.take() {
            let (before, after) = self.share(start - held.end);
            pad_start = after;
            let end = held.end + before;
            segments.push(held.ending_at(end));
        }
        self.next_start = Some(start.saturating_sub(pad_start));
    }

    /// What the end before a gap and the start after it get of the gap.
    fn share(&self, gap: u64) -> (u64, u64) {
        let both = self.pad_end + self.pad_start;
        if gap >= both {
            (self.pad_end, self.pad_start)
        } else {
            (gap * self.pad_end / both, gap * self.pad_start / both)
        }
    }

    /// Learns that the next stretch, if any, starts at `next` or later, and that the recording has at least `length`
    /// samples.
    pub fn wait(&mut self, next: u64, length: u64, segments: &mut Vec<SpeechSegment>) {
        let (start, end) = (self.pad_start, self.pad_end);
        let is_final = |held: &mut Held| next >= held.end + end + start && length >= held.end + end;
        if let Some(held) = self.held.take_if(is_final) {
            let end = held.end + end;
            segments.push(held.ending_at(end));
        }
    }

    /// Gives out the last segment.
    pub fn finish(self, total_samples: u64, segments: &mut Vec<SpeechSegment>) {
        if let Some(held) = self.held {
            let end = total_samples.min(held.end + self.pad_end);
            segments.push(held.ending_at(end));
        }
    }

    /// The earliest sample of any segment to come, given that the next stretch starts at `next` or later.
    pub fn needed_from(&self, next: u64) -> u64 {
        let held = self.held.as_ref().map(|held| held.start);
        held.or(self.next_start).unwrap_or_else(|| next.saturating_sub(self.pad_start))
    }
}
