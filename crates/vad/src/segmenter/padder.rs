//! Adds the padding to segments. If the gap between two segments is too short for both paddings, it is divided in
//! proportion to them. For equal paddings that is half the gap, rounded down, as in the official package.

use super::super::statistics::Statistics;
use super::super::{DetectorSpec, Parameters};
use super::{CutReason, SegmentEvent, SpeechSegment, UnpaddedSegment};

/// Delays a segment until its padded end is final, which depends on the start of the next segment.
///
/// The events alternate: `Started` for a segment, then `Ended` for the same one.
#[derive(Debug, Clone)]
pub(super) struct Padder {
    pad_start: u64,
    pad_end: u64,
    /// The segment whose `Started` was emitted and whose end before padding is known.
    held: Option<HeldSegment>,
    /// The padded start of the segment whose `Started` was emitted and whose end is not known.
    started: Option<u64>,
}

/// A segment whose start is padded and whose end is not padded yet.
#[derive(Debug, Clone)]
struct HeldSegment {
    start: u64,
    end: u64,
    statistics: Statistics,
    cut: CutReason,
}

impl HeldSegment {
    fn ending_at(self, end: u64) -> SegmentEvent {
        SegmentEvent::Ended(SpeechSegment {
            start: self.start,
            end,
            mean_probability: self.statistics.mean(),
            min_probability: self.statistics.min(),
            windows: self.statistics.count(),
            cut: self.cut,
        })
    }
}

impl Padder {
    pub fn new(parameters: &Parameters, spec: &DetectorSpec) -> Self {
        Self { pad_start: parameters.pad_start(spec), pad_end: parameters.pad_end(spec), held: None, started: None }
    }

    /// Takes the next segment.
    pub fn add(&mut self, segment: UnpaddedSegment, mut emit: impl FnMut(SegmentEvent)) {
        self.start(segment.start, &mut emit);
        let UnpaddedSegment { start, end, statistics, cut } = segment;
        let start = self.started.take().unwrap_or(start);
        self.held = Some(HeldSegment { start, end, statistics, cut });
    }

    /// A segment is certain to begin at `start` before padding. Has no effect if its `Started` was emitted already.
    pub fn start(&mut self, start: u64, mut emit: impl FnMut(SegmentEvent)) {
        if self.started.is_some() {
            return;
        }
        let mut pad_start = self.pad_start;
        if let Some(held) = self.held.take() {
            let (before, after) = self.share(start - held.end);
            pad_start = after;
            let end = held.end + before;
            emit(held.ending_at(end));
        }
        let at = start.saturating_sub(pad_start);
        self.started = Some(at);
        emit(SegmentEvent::Started { at });
    }

    /// The padding of the end before a gap and of the start after it.
    fn share(&self, gap: u64) -> (u64, u64) {
        let both = self.pad_end + self.pad_start;
        if gap >= both {
            (self.pad_end, self.pad_start)
        } else {
            (gap * self.pad_end / both, gap * self.pad_start / both)
        }
    }

    /// The next segment, if any, starts at `next` or later, and the recording has at least `length` samples.
    pub fn advance(&mut self, next: u64, length: u64, mut emit: impl FnMut(SegmentEvent)) {
        let (start, end) = (self.pad_start, self.pad_end);
        let is_final = |held: &mut HeldSegment| next >= held.end + end + start && length >= held.end + end;
        if let Some(held) = self.held.take_if(is_final) {
            let end = held.end + end;
            emit(held.ending_at(end));
        }
    }

    /// Emits the end of the last segment. The padder is then ready for the next recording.
    pub fn finish(&mut self, total_samples: u64, mut emit: impl FnMut(SegmentEvent)) {
        self.started = None;
        if let Some(held) = self.held.take() {
            let end = total_samples.min(held.end + self.pad_end);
            emit(held.ending_at(end));
        }
    }

    /// The earliest sample of any later segment, provided that the next one starts at `next` or later before padding.
    pub fn needed_from(&self, next: u64) -> u64 {
        let held = self.held.as_ref().map(|held| held.start);
        held.or(self.started).unwrap_or_else(|| next.saturating_sub(self.pad_start))
    }
}
