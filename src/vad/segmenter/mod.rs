//! From probabilities to speech segments, as `get_speech_timestamps` of silero-vad 6.2.3, but one window at a time.
//!
//! Two machines in a row: [`tracker`] finds where speech begins and ends, [`padder`] adds the padding. A segment is given
//! out as soon as nothing that may follow can change it; what is kept is small and of fixed size, however long the
//! recording. A third, [`merger`], is run behind them by whoever wants longer chunks.

mod merger;
mod padder;
mod tracker;

use serde::{Deserialize, Serialize};

pub use self::merger::{Chunk, Merger};
use self::padder::Padder;
use self::tracker::Tracker;
use super::statistics::Statistics;
use super::{Parameters, VadError, WINDOW};

/// A stretch of speech.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SpeechSegment {
    /// First sample, padding included.
    pub start: u64,
    /// The sample after the last, padding included.
    pub end: u64,
    /// Mean of the probabilities of the segment's windows before padding: padding is silence by design and would only
    /// blur how sure the model was.
    pub mean_probability: f32,
    /// The least of the same probabilities.
    pub min_probability: f32,
    /// How many windows these are.
    pub windows: u64,
    /// Why the segment ends where it does.
    pub cut: Cut,
}

/// Why a segment ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// Silence followed, at least `min_silence_duration_ms` of it.
    Silence,
    /// It grew too long and was cut at its longest pause.
    LongestPause,
    /// It grew too long and was cut at its last pause (`use_max_possible_silence: false`).
    LastPause,
    /// It grew too long and was cut where speech was least probable ([`MaxSpeechCut::Quietest`](super::MaxSpeechCut)).
    Quietest,
    /// It grew too long and had no pause to cut at.
    Forced,
    /// The recording ended.
    End,
}

impl Cut {
    /// The name that rows and JSON have for it.
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

/// A segment before padding.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: u64,
    end: u64,
    statistics: Statistics,
    cut: Cut,
}

/// Turns the probabilities of a recording, one after the other, into its speech segments.
#[derive(Debug, Clone)]
pub struct Segmenter {
    tracker: Tracker,
    padder: Padder,
}

impl Segmenter {
    /// A segmenter at the start of a recording.
    pub fn new(parameters: &Parameters) -> Result<Self, VadError> {
        parameters.validate()?;
        Ok(Self { tracker: Tracker::new(parameters), padder: Padder::new(parameters) })
    }

    /// Takes the next window's probability; adds the segments (at most two) that are decided now to `segments`.
    pub fn push(&mut self, probability: f32, segments: &mut Vec<SpeechSegment>) {
        if let Some(stretch) = self.tracker.push(probability) {
            self.padder.add(stretch, segments);
        }
        match self.tracker.open() {
            Some(open) if open.is_certain => self.padder.meet(open.start, segments),
            // The last window counts with a single sample: the recording may end within it.
            _ => self.padder.wait(self.next_start(), self.heard() - WINDOW as u64 + 1, segments),
        }
    }

    /// Ends the recording, which is `total_samples` long (its last window may be incomplete); adds the last segments.
    pub fn finish(mut self, total_samples: u64, segments: &mut Vec<SpeechSegment>) {
        debug_assert_eq!(total_samples.next_multiple_of(WINDOW as u64), self.heard(), "one probability a window");
        if let Some(stretch) = self.tracker.finish(total_samples) {
            self.padder.add(stretch, segments);
        }
        self.padder.finish(total_samples, segments);
    }

    /// No segment given out from now on begins before this sample: whoever cuts them may forget the audio before it.
    pub fn needed_from(&self) -> u64 {
        self.padder.needed_from(self.next_start())
    }

    /// The earliest sample, before padding, at which the next stretch may begin.
    fn next_start(&self) -> u64 {
        self.tracker.open().map_or(self.heard(), |open| open.start)
    }

    /// Samples of the windows taken so far.
    fn heard(&self) -> u64 {
        self.tracker.windows() * WINDOW as u64
    }
}
