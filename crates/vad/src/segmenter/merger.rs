//! Joins neighbouring segments into chunks, for models that expect input of a certain length.

use super::super::{DetectorSpec, Parameters};
use super::SpeechSegment;

/// Joined segments: from the start of the first to the end of the last, including the pauses between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// The chunk as one segment. Its probabilities are those of all its segments' windows; its `cut` is that of its last
    /// segment.
    pub speech: SpeechSegment,
    /// Start and end of each segment in samples, in order. One entry if nothing was joined.
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

/// Joins segments as they arrive. A chunk takes the next segment as long as its length stays within `merge_to_s`. No
/// segment is split or lost; a segment that alone exceeds the limit is a chunk of its own. Without a limit, each segment
/// becomes a chunk immediately.
#[derive(Debug, Clone)]
pub struct Merger {
    /// Maximum length in samples.
    limit: Option<f64>,
    /// The chunk that the next segment may be added to.
    open: Option<Chunk>,
}

impl Merger {
    /// A merger at the start of a recording. `spec` is the detector's, as for [`Segmenter::new`](super::Segmenter::new).
    pub fn new(parameters: &Parameters, spec: DetectorSpec) -> Self {
        Self { limit: parameters.merge_to_s.map(|seconds| seconds * f64::from(spec.sample_rate)), open: None }
    }

    /// Takes the next segment. Appends the chunk that this completes, if any.
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

    /// Informs the merger that no later segment starts before sample `next`, which is
    /// [`Segmenter::needed_from`](super::Segmenter::needed_from). Appends the chunk if no later segment can be added to it.
    pub fn advance(&mut self, next: u64, chunks: &mut Vec<Chunk>) {
        let Some(limit) = self.limit else { return };
        let is_full = |open: &mut Chunk| next.saturating_sub(open.speech.start) as f64 >= limit;
        chunks.extend(self.open.take_if(is_full));
    }

    /// Ends the recording and appends its last chunk. The merger is then ready for the next recording.
    pub fn finish(&mut self, chunks: &mut Vec<Chunk>) {
        chunks.extend(self.open.take());
    }

    /// No later chunk begins before the sample returned, provided that no later segment begins before sample `next`.
    pub fn needed_from(&self, next: u64) -> u64 {
        self.open.as_ref().map_or(next, |open| open.speech.start)
    }
}
