//! A done recording with its segments, as exports see it.

use std::path::{Path, PathBuf};

use prepare_audio_types::{Part as SourcePart, Segment};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::store::DoneRecording;

/// A done recording with its segments.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Recording {
    /// Its id.
    pub recording_id: i64,
    /// Its source, as the row has it: a path.
    pub source: String,
    /// Its recipe.
    pub recipe: String,
    /// Name and version of the model that found the speech.
    pub model: Option<String>,
    /// When it was prepared, in milliseconds since 1970.
    pub finished_at: i64,
    /// Length in seconds.
    pub duration_s: f64,
    /// Container's short name.
    pub container: Option<String>,
    /// Sample rate of the source, Hz.
    pub sample_rate: Option<u32>,
    /// Channels of the source.
    pub channels: Option<u16>,
    /// Seconds by which the audio begins later than the film that it belongs to.
    pub start_offset_s: f64,
    /// What the user's own table or list says of it.
    pub metadata: Map<String, Value>,
    /// Its segments, in order of time.
    #[serde(skip)]
    pub segments: Vec<Segment>,
    /// The file that the source names, with the folder of relative sources before it.
    #[serde(skip)]
    pub(super) file: String,
    /// The part of that file that is the recording, in seconds of the file, as are the segments' times.
    #[serde(skip)]
    pub(super) span: (f64, f64),
}

impl Recording {
    /// The metadata's text under `key`; numbers and truth values as they are written.
    pub fn label(&self, key: &str) -> Option<String> {
        match self.metadata.get(key)? {
            Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The speaker, if the metadata names one.
    pub fn speaker(&self) -> Option<String> {
        ["speaker", "speaker_id", "client_id"].into_iter().find_map(|key| self.label(key))
    }

    /// The language, if the metadata names one.
    pub fn language(&self) -> Option<String> {
        ["language", "lang", "locale"].into_iter().find_map(|key| self.label(key))
    }

    /// The transcript of the recording, if the metadata has one, on one line.
    ///
    /// It is a segment's text only where the recording has a single segment: how a text is divided among several segments
    /// is not known.
    pub fn text(&self) -> Option<String> {
        let text = ["text", "transcript", "sentence"].into_iter().find_map(|key| self.label(key))?;
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The text of its segment, where it has one segment alone.
    pub(super) fn segment_text(&self) -> Option<String> {
        if self.segments.len() == 1 { self.text() } else { None }
    }

    /// Whether any segment belongs to one channel.
    pub(super) fn is_split(&self) -> bool {
        self.segments.iter().any(|segment| segment.channel.is_some())
    }

    /// The channels that its segments were found in, from 1; one channel, `None`, where they were mixed.
    pub(super) fn segment_channels(&self) -> Vec<Option<u16>> {
        if !self.is_split() {
            return vec![None];
        }
        let mut channels: Vec<_> = self.segments.iter().map(|segment| segment.channel).collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }

    /// The source's file, for names beside it. A part of a file has its times in the name.
    pub(super) fn beside(&self) -> PathBuf {
        let file = Path::new(&self.file);
        match SourcePart::split(&self.source) {
            (path, Some(part)) if self.file.ends_with(path) => {
                let end = part.end_s.map_or_else(String::new, |end| end.to_string());
                let stem = file.file_stem().unwrap_or_default().to_string_lossy();
                file.with_file_name(format!("{stem}.{}-{end}.x", part.start_s))
            }
            _ => file.to_owned(),
        }
    }

    /// Finds the file and the part of it that the source names. A file whose name looks like a part is a file.
    pub(super) fn locate(&mut self, audio_dir: &Path) {
        let (path, part) = SourcePart::split(&self.source);
        let (path, part) = match part {
            Some(_) if audio_dir.join(&self.source).exists() => (self.source.as_str(), None),
            part => (path, part),
        };
        let start = part.map_or(0.0, |part| part.start_s);
        let last = self.segments.iter().map(|segment| segment.end_s).fold(0.0, f64::max);
        // Before rows had lengths, or where a user has edited them, the segments tell how long it is at least.
        let end = (start + self.duration_s).max(last);
        self.file = audio_dir.join(path).to_string_lossy().into_owned();
        self.span = (start, end);
    }
}

impl From<DoneRecording> for Recording {
    /// The recording's row, without segments. Metadata that is no JSON object, which a user may have written, is kept under
    /// the key `metadata`.
    fn from(row: DoneRecording) -> Self {
        let text = row.metadata.unwrap_or_default();
        let metadata = match serde_json::from_str(&text) {
            Ok(Value::Object(metadata)) => metadata,
            Ok(Value::Null) => Map::new(),
            Ok(other) => Map::from_iter([("metadata".to_owned(), other)]),
            Err(_) if text.is_empty() => Map::new(),
            Err(_) => Map::from_iter([("metadata".to_owned(), text.into())]),
        };
        Self {
            recording_id: row.id,
            source: row.source,
            recipe: row.recipe,
            model: row.model,
            finished_at: row.finished_at,
            duration_s: row.duration_s,
            container: row.container,
            sample_rate: row.sample_rate,
            channels: row.channels,
            start_offset_s: row.start_offset_s,
            metadata,
            segments: Vec::new(),
            file: String::new(),
            span: (0.0, 0.0),
        }
    }
}

/// Seconds from the start of the medium, as its player counts them: times of segments are those of the audio, which may
/// begin later than the pictures. For what is laid beside a film: subtitles and annotations.
pub(super) fn media_time(recording: &Recording, seconds: f64) -> f64 {
    (seconds + recording.start_offset_s).max(0.0)
}
