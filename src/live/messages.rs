//! The messages of `/ws`: JSON, and how it becomes frames. docs/live-protocol.md describes them.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use prepare_audio_live::{AudioFormat, Encoding, Event, Frame, Numbered, Refusal};
use prepare_audio_vad::SAMPLE_RATE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::failure::Failure;

/// Bytes of an audio_id.
const MAX_AUDIO_ID: usize = 256;

/// Bytes of a client's metadata as JSON.
const MAX_METADATA: usize = 8 << 10;

/// How binary messages are divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Framing {
    /// They are audio.
    #[default]
    Bare,
    /// They begin with the number of their first sample.
    Numbered,
    /// They begin with that number and a message authentication code. JSON messages have to have both, too.
    Signed,
}

/// What a client chose. A session's row keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Options {
    #[serde(flatten)]
    pub format: AudioFormat,
    #[serde(default)]
    pub frames: Framing,
    #[serde(default)]
    pub utterance_end_ms: Option<u32>,
}

/// The first message of a new recording.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    #[serde(rename = "type")]
    _kind: String,
    pub audio_id: String,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default = "default_rate")]
    sample_rate: u32,
    #[serde(default = "default_channels")]
    channels: u16,
    #[serde(default)]
    frames: Framing,
    #[serde(default)]
    utterance_end_ms: Option<u32>,
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

fn default_rate() -> u32 {
    AudioFormat::default().sample_rate
}

fn default_channels() -> u16 {
    AudioFormat::default().channels
}

impl Hello {
    /// That of a client which begins with audio.
    pub fn implied(audio_id: String) -> Self {
        let AudioFormat { encoding, sample_rate, channels } = AudioFormat::default();
        let (frames, utterance_end_ms, metadata) = (Framing::default(), None, Map::new());
        Self { _kind: String::new(), audio_id, encoding, sample_rate, channels, frames, utterance_end_ms, metadata }
    }

    /// What the client chose.
    ///
    /// # Errors
    /// If the format is not accepted, or a text is too long.
    pub fn options(&self) -> Result<Options, Failure> {
        let Self { encoding, sample_rate, channels, frames, utterance_end_ms, .. } = *self;
        if self.audio_id.is_empty() || self.audio_id.len() > MAX_AUDIO_ID {
            return Err(Failure::BadMessage(format!("audio_id must have from 1 to {MAX_AUDIO_ID} bytes")));
        }
        if json!(self.metadata).to_string().len() > MAX_METADATA {
            return Err(Failure::BadMessage(format!("metadata must have at most {MAX_METADATA} bytes")));
        }
        let format = AudioFormat { encoding, sample_rate, channels }.check()?;
        Ok(Options { format, frames, utterance_end_ms })
    }
}

/// The first message of a client that comes back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resume {
    #[serde(rename = "type")]
    _kind: String,
    pub resume_token: String,
    /// The last event that it has received.
    #[serde(default)]
    pub last_event: u64,
}

/// A frame. Other fields are allowed, because clients of other servers send them.
#[derive(Debug, Deserialize)]
pub(super) struct Audio<'a> {
    #[serde(default)]
    pub audio_id: Option<String>,
    #[serde(default)]
    seq: Option<u64>,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default)]
    mac: Option<String>,
}

/// A frame that was decoded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OwnedFrame {
    audio_id: Option<String>,
    number: Option<u64>,
    mac: Option<Vec<u8>>,
    audio: Vec<u8>,
}

impl OwnedFrame {
    pub fn as_frame(&self) -> Frame<'_> {
        let Self { audio_id, number, mac, audio } = self;
        Frame { audio_id: audio_id.as_deref(), number: *number, mac: mac.as_deref(), audio }
    }
}

impl Audio<'_> {
    /// Decodes the frame.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn decode(self) -> Result<OwnedFrame, Refusal> {
        let audio = BASE64.decode(self.content.as_bytes()).map_err(|_| Refusal::Malformed)?;
        let mac = self.mac.map(hex::decode).transpose().map_err(|_| Refusal::Malformed)?;
        Ok(OwnedFrame { audio_id: self.audio_id, number: self.seq, mac, audio })
    }
}

/// A message in JSON.
#[derive(Debug)]
pub(super) enum ClientMessage<'a> {
    Hello(Box<Hello>),
    Resume(Resume),
    Audio(Audio<'a>),
    End,
}

impl<'a> ClientMessage<'a> {
    /// Parses a message. One without a type is audio.
    ///
    /// # Errors
    /// [`Failure::BadMessage`].
    pub fn parse(text: &'a str) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Kind<'a> {
            #[serde(rename = "type", borrow, default)]
            kind: Option<Cow<'a, str>>,
        }
        let bad = |error: serde_json::Error| Failure::BadMessage(error.to_string());
        let Kind { kind } = serde_json::from_str(text).map_err(bad)?;
        Ok(match kind.as_deref() {
            None | Some("audio") => Self::Audio(serde_json::from_str(text).map_err(bad)?),
            Some("hello") => Self::Hello(serde_json::from_str(text).map_err(bad)?),
            Some("resume") => Self::Resume(serde_json::from_str(text).map_err(bad)?),
            Some("end") => Self::End,
            Some(_) => return Err(Failure::BadMessage("type must be hello, resume, audio or end".into())),
        })
    }
}

/// An event as the client receives it.
pub(super) fn event(numbered: &Numbered) -> Value {
    let seconds = |sample: u64| sample as f64 / f64::from(SAMPLE_RATE);
    let number = numbered.number;
    match numbered.event {
        Event::SpeechStarted { start } => {
            json!({ "type": "speech_started", "event": number, "start_sample": start, "start_s": seconds(start) })
        }
        Event::SpeechEnded(segment) => json!({
            "type": "speech_ended", "event": number,
            "start_sample": segment.start, "end_sample": segment.end,
            "start_s": seconds(segment.start), "end_s": seconds(segment.end),
            "mean_probability": segment.mean_probability, "cut": segment.cut.name(),
        }),
        Event::UtteranceEnd { end } => {
            json!({ "type": "utterance_end", "event": number, "end_sample": end, "end_s": seconds(end) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(text: &str) -> Result<Options, String> {
        match ClientMessage::parse(text) {
            Ok(ClientMessage::Hello(hello)) => hello.options().map_err(|failure| failure.to_string()),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.to_string()),
        }
    }

    #[test]
    fn a_hello_is_checked() {
        assert_eq!(hello(r#"{"type": "hello", "audio_id": "a"}"#), Ok(Options::default()));
        let options = hello(
            r#"{"type": "hello", "audio_id": "a", "encoding": "mulaw", "sample_rate": 8000, "channels": 2,
                "frames": "signed", "utterance_end_ms": 700, "metadata": {"caller": "x"}}"#,
        )
        .unwrap();
        assert_eq!(
            (options.format.sample_rate, options.frames, options.utterance_end_ms),
            (8_000, Framing::Signed, Some(700))
        );
        assert_eq!(serde_json::from_value::<Options>(json!(options)).unwrap(), options, "as a row keeps it");
        let long = "x".repeat(10_000);
        for (text, part) in [
            (r#"{"type": "hello"}"#.to_owned(), "audio_id"),
            (r#"{"type": "hello", "audio_id": ""}"#.to_owned(), "from 1 to 256 bytes"),
            (format!(r#"{{"type": "hello", "audio_id": "{long}"}}"#), "from 1 to 256 bytes"),
            (format!(r#"{{"type": "hello", "audio_id": "a", "metadata": {{"a": "{long}"}}}}"#), "at most 8192 bytes"),
            (r#"{"type": "hello", "audio_id": "a", "rate": 8000}"#.to_owned(), "unknown field `rate`"),
            (r#"{"type": "hello", "audio_id": "a", "encoding": "opus"}"#.to_owned(), "unknown variant `opus`"),
            (r#"{"type": "hello", "audio_id": "a", "sample_rate": 0}"#.to_owned(), "0 Hz is not accepted"),
            (r#"{"type": "goodbye"}"#.to_owned(), "type must be"),
            ("[]".to_owned(), "invalid"),
            ("{".to_owned(), "EOF"),
        ] {
            let error = hello(&text).unwrap_err();
            assert!(error.contains(part), "{text:.60}: {error}");
        }
    }

    #[test]
    fn frames_are_decoded() {
        let decode = |text: &str| match ClientMessage::parse(text) {
            Ok(ClientMessage::Audio(audio)) => audio.decode(),
            other => panic!("{other:?}"),
        };
        let frame = decode(r#"{"audio_id": "a", "seq": 7, "content": "AAEC", "mac": "00ff", "more": 1}"#).unwrap();
        let as_frame = frame.as_frame();
        assert_eq!((as_frame.audio_id, as_frame.number, as_frame.mac), (Some("a"), Some(7), Some(&[0, 255][..])));
        assert_eq!(as_frame.audio, [0, 1, 2]);
        assert_eq!(decode(r#"{"content": "A\u0041EC"}"#).unwrap().audio, [0, 1, 2]);
        for text in [r#"{"content": "AAE"}"#, r#"{"content": "%"}"#, r#"{"content": "", "mac": "0"}"#] {
            assert_eq!(decode(text), Err(Refusal::Malformed), "{text}");
        }
        assert!(ClientMessage::parse(r#"{"seq": -1, "content": ""}"#).is_err());
    }
}
