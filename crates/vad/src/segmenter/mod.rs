//! From probabilities to speech segments, as in `get_speech_timestamps` of silero-vad 6.2.3, but one window at a time.
//!
//! - [`tracker`] finds the starts and ends of speech.
//! - [`padder`] adds the padding.
//! - [`merger`] joins segments into longer chunks. It is separate: a caller that wants chunks runs it on the segments.
//!
//! A segment is emitted as soon as no later window can change it. The state is small and of constant size, however long
//! the recording is.

mod merger;
mod padder;
mod tracker;

use serde::{Deserialize, Serialize};

pub use self::merger::{Chunk, Merger};
use self::padder::Padder;
use self::tracker::Tracker;
use super::statistics::Statistics;
use super::{DetectorSpec, Parameters, VadError};

/// An interval of speech.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpeechSegment {
    /// The first sample, padding included.
    pub start: u64,
    /// The sample after the last, padding included.
    pub end: u64,
    /// The mean probability of the segment's windows before padding. Windows in the padding are silence, so they do not
    /// show how certain the model was.
    pub mean_probability: f32,
    /// The minimum of the same probabilities.
    pub min_probability: f32,
    /// The number of these windows.
    pub windows: u64,
    /// Why the segment ends where it does.
    pub cut: CutReason,
}

/// Why a segment ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutReason {
    /// Silence of at least `min_silence_duration_ms` followed.
    Silence,
    /// The speech was too long and was cut at its longest pause.
    LongestPause,
    /// The speech was too long and was cut at its last pause (`use_max_possible_silence: false`).
    LastPause,
    /// The speech was too long and was cut at the window with the lowest probability
    /// ([`MaxSpeechCut::Quietest`](super::MaxSpeechCut)).
    Quietest,
    /// The speech was too long and had no pause to cut at.
    Forced,
    /// The recording ended.
    End,
}

impl CutReason {
    /// Its name in rows and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::LongestPause => "longest_pause",
            Self::LastPause => "last_pause",
            Self::Quietest => "quietest",
            Self::Forced => "forced",
            Self::End => "end",
        }
    }
}

/// An event that [`Segmenter::push_events`] reports. Each `Started` is followed by the `Ended` of the same segment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SegmentEvent {
    /// A segment has started. It is reported once it is certain, which is when its speech is longer than
    /// `min_speech_duration_ms`. So `at` is in the past by that time.
    Started {
        /// The first sample, padding included: the `start` of the segment that ends next.
        at: u64,
    },
    /// The segment has ended. It is reported once its end is final: after the silence that ends it and the padding.
    Ended(SpeechSegment),
}

/// A segment before padding.
#[derive(Debug, Clone, Copy)]
struct UnpaddedSegment {
    start: u64,
    end: u64,
    statistics: Statistics,
    cut: CutReason,
}

/// Turns the probabilities of consecutive windows into speech segments.
///
/// [`push`](Self::push) reports whole segments. [`push_events`](Self::push_events) reports their starts as well, for live
/// use. Both may be called on the same recording.
///
/// ```
/// use prepare_audio_vad::{Parameters, SILERO_16K, SegmentEvent, Segmenter};
///
/// let mut segmenter = Segmenter::new(&Parameters::default(), SILERO_16K)?;
/// let mut events = Vec::new();
/// for window in 0..100 {
///     let probability = if (20..60).contains(&window) { 0.9 } else { 0.1 };
///     segmenter.push_events(probability, &mut events);
///     for event in events.drain(..) {
///         match event {
///             // Speech from window 20 on, less 30 ms of padding; known 250 ms later.
///             SegmentEvent::Started { at } => assert_eq!((at, window), (20 * 512 - 480, 28)),
///             // Silence from window 60 on, plus 30 ms of padding; final after 100 ms of silence.
///             SegmentEvent::Ended(segment) => assert_eq!((segment.end, window), (60 * 512 + 480, 64)),
///         }
///     }
/// }
/// segmenter.finish_events(100 * 512, &mut events);
/// assert!(events.is_empty());
/// # Ok::<(), prepare_audio_vad::VadError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Segmenter {
    spec: DetectorSpec,
    tracker: Tracker,
    padder: Padder,
}

impl Segmenter {
    /// A segmenter at the start of a recording, for the probabilities of a detector with the specification `spec`.
    ///
    /// # Errors
    /// [`VadError::Parameter`] or [`VadError::Spec`] if a value is out of its range.
    pub fn new(parameters: &Parameters, spec: DetectorSpec) -> Result<Self, VadError> {
        parameters.validate()?;
        spec.validate()?;
        Ok(Self { spec, tracker: Tracker::new(parameters, &spec), padder: Padder::new(parameters, &spec) })
    }

    /// Takes the probability of the next window. Appends the segments that become final with it, at most two.
    pub fn push(&mut self, probability: f32, segments: &mut Vec<SpeechSegment>) {
        self.advance(probability, |event| segments.extend(ended(event)));
    }

    /// Takes the probability of the next window. Appends the events that become certain with it.
    pub fn push_events(&mut self, probability: f32, events: &mut Vec<SegmentEvent>) {
        self.advance(probability, |event| events.push(event));
    }

    /// Ends the recording, which has `total_samples` samples; its last window may be incomplete. Appends the remaining
    /// segments. The segmenter is then ready for the next recording.
    pub fn finish(&mut self, total_samples: u64, segments: &mut Vec<SpeechSegment>) {
        self.end(total_samples, |event| segments.extend(ended(event)));
    }

    /// As [`finish`](Self::finish), with events.
    pub fn finish_events(&mut self, total_samples: u64, events: &mut Vec<SegmentEvent>) {
        self.end(total_samples, |event| events.push(event));
    }

    /// Discards the current recording. The segmenter is then ready for the next one.
    pub fn reset(&mut self) {
        self.tracker.reset();
        self.padder.finish(0, |_| {});
    }

    /// No later segment begins before this sample, padding included. A caller that writes segments may discard the audio
    /// before it.
    pub fn needed_from(&self) -> u64 {
        self.padder.needed_from(self.next_start())
    }

    /// The specification of the detector whose probabilities it takes.
    pub fn spec(&self) -> DetectorSpec {
        self.spec
    }

    fn advance(&mut self, probability: f32, mut emit: impl FnMut(SegmentEvent)) {
        if let Some(segment) = self.tracker.push(probability) {
            self.padder.add(segment, &mut emit);
        }
        match self.tracker.ongoing() {
            Some(speech) if speech.is_certain => self.padder.start(speech.start, emit),
            _ => self.padder.advance(self.next_start(), self.tracker.min_samples(), emit),
        }
    }

    fn end(&mut self, total_samples: u64, mut emit: impl FnMut(SegmentEvent)) {
        debug_assert_eq!(self.spec.windows(total_samples), self.tracker.windows(), "one probability per window");
        if let Some(segment) = self.tracker.finish(total_samples) {
            self.padder.add(segment, &mut emit);
        }
        self.padder.finish(total_samples, emit);
    }

    /// The earliest sample, before padding, at which the next segment may begin.
    fn next_start(&self) -> u64 {
        self.tracker.ongoing().map_or(self.tracker.position(), |speech| speech.start)
    }
}

fn ended(event: SegmentEvent) -> Option<SpeechSegment> {
    match event {
        SegmentEvent::Started { .. } => None,
        SegmentEvent::Ended(segment) => Some(segment),
    }
}
