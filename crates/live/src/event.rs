//! What a session reports.

use prepare_audio_vad::SpeechSegment;

/// What has become certain about the speech. Samples are those at 16 kHz, as in the rows of segments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Speech has started.
    SpeechStarted {
        /// Its first sample.
        start: u64,
    },
    /// Speech has ended, and its boundaries are final.
    SpeechEnded(SpeechSegment),
    /// No speech has followed for the time that the client chose.
    UtteranceEnd {
        /// The sample after the last speech.
        end: u64,
    },
}

/// An event with its number, from 1 on. A client that was away says which one it received last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Numbered {
    /// Its number.
    pub number: u64,
    /// The event.
    pub event: Event,
}
