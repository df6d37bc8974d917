//! Joins neighbouring segments into chunks, for models that want about so many seconds at a time.

use super::super::{Parameters, SAMPLE_RATE};
use super::SpeechSegment;

/// Segments that were joined: the first one's start, the last one's end, and all that lies between.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The whole, with the probabilities of all its segments' windows; it was cut as its last segment was.
    pub speech: SpeechSegment,
    /// Start and end of each segment, in order; just one where nothing was joined.
    pub parts: Vec<(u64, u64)>,
}

impl From<SpeechSegment> for Chunk {
    fn from(speech: SpeechSegment) -> Self {
        Self { parts: vec![(speech.start, speech.end)], speech }
    }
}

impl Chunk {
    fn join(&mut self, next: SpeechSegment) {
        let Self { speech: whole, parts } = self;
        let windows = whole.windows + next.windows;
        let sum = |s: &SpeechSegment| f64::from(s.mean_probability) * s.windows as f64;
        whole.mean_probability = ((sum(whole) + sum(&next)) / windows.max(1) as f64) as f32;
        whole.min_probability = whole.min_probability.min(next.min_probability);
        (whole.windows, whole.end, whole.cut) = (windows, next.end, next.cut);
        parts.push((next.start, next.end));
    }
}

/// Joins segments as they come: each chunk takes the next segment as long as it stays within the limit. No segment is
/// split or lost; one that alone is longer than the limit is a chunk of its own. Without a limit each segment is its own
/// chunk, at once.
#[derive(Debug, Clone)]
pub struct Merger {
    /// In samples.
    limit: Option<f64>,
    open: Option<Chunk>,
}

impl Merger {
    /// A merger at the start of a recording.
    pub fn new(parameters: &Parameters) -> Self {
        Self { limit: parameters.merge_to_s.map(|seconds| seconds * f64::from(SAMPLE_RATE)), open: None }
    }

    /// Takes the next segment; adds the chunk that is complete now, if one is.
    pub fn push(&mut self, segment: SpeechSegment, chunks: &mut Vec<Chunk>) {
        let Some(limit) = self.limit else {
            chunks.push(segment.into());
            return;
        };
        match &mut self.open {
            Some(open) if (segment.end - open.speech.start) as f64 <= limit => open.join(segment),
            open => chunks.extend(open.replace(segment.into())),
        }
    }

    /// Learns that the next segment, if any, starts at `next` or later: a chunk that it cannot join is complete.
    pub fn wait(&mut self, next: u64, chunks: &mut Vec<Chunk>) {
        let Some(limit) = self.limit else { return };
        let is_full = |open: &mut Chunk| next.saturating_sub(open.speech.start) as f64 >= limit;
        chunks.extend(self.open.take_if(is_full));
    }

    /// Ends the recording; adds the last chunk.
    pub fn finish(self, chunks: &mut Vec<Chunk>) {
        chunks.extend(self.open);
    }

    /// No chunk given out from now on begins before this sample, given that no segment to come begins before `next`.
    pub fn needed_from(&self, next: u64) -> u64 {
        self.open.as_ref().map_or(next, |open| open.speech.start)
    }
}
