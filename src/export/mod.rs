//! Done recordings and their segments as the manifests and folders that other tools load.
//!
//! [`Export::add`] takes one recording after the other, chooses among its segments, and passes them to the writer of a
//! [`Format`]. Nothing is kept beyond a recording, so a database of any size fits. What a format writes goes through a
//! `Target`, under temporary names, and appears when [`Export::finish`] publishes it.
//!
//! This module reads no database: `cli` pages through the rows of `store` and passes them on.

mod choice;
mod condition;
mod formats;
mod group;
mod names;
mod paths;
mod sorted_lines;
mod split;
mod target;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use prepare_audio_types::{Part as SourcePart, Segment};
use serde::Serialize;
use serde_json::{Map, Value};

pub use self::{
    choice::{Choice, Queried, Sample},
    condition::{Condition, InvalidCondition},
    formats::Format,
    group::MaximumGroup,
    names::Naming,
    split::{InvalidSplit, Split},
    target::Destination,
};
use self::{formats::Writer, names::Names, target::Target};
use crate::store::DoneRecording;

/// Samples in a second of the timeline that segments are cut on.
const RATE: f64 = 16_000.0;

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
    file: String,
    /// The part of that file that is the recording, in seconds of the file, as are the segments' times.
    #[serde(skip)]
    span: (f64, f64),
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
    fn segment_text(&self) -> Option<String> {
        if self.segments.len() == 1 { self.text() } else { None }
    }

    /// Whether any segment belongs to one channel.
    fn is_split(&self) -> bool {
        self.segments.iter().any(|segment| segment.channel.is_some())
    }

    /// The channels that its segments were found in, from 1; one channel, `None`, where they were mixed.
    fn segment_channels(&self) -> Vec<Option<u16>> {
        if !self.is_split() {
            return vec![None];
        }
        let mut channels: Vec<_> = self.segments.iter().map(|segment| segment.channel).collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }

    /// The source's file, for names beside it. A part of a file has its times in the name.
    fn beside(&self) -> PathBuf {
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
    fn locate(&mut self, audio_dir: &Path) {
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
fn media_time(recording: &Recording, seconds: f64) -> f64 {
    (seconds + recording.start_offset_s).max(0.0)
}

/// Which audio a manifest refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioFiles {
    /// The segments' files.
    Segments,
    /// The segments' files without noise.
    Denoised,
    /// The sources, by offset and duration.
    Sources,
}

/// How an export is made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The format.
    pub format: Format,
    /// The audio that manifests refer to; `None` leaves it to the format.
    pub audio: Option<AudioFiles>,
    /// The folder of relative sources, absolute.
    pub audio_dir: PathBuf,
    /// How recordings are named; `None` leaves it to the format.
    pub naming: Option<Naming>,
    /// Whether paths in manifests are relative to the manifest's folder.
    pub relative_paths: bool,
    /// Joins neighbouring segments.
    pub group: Option<MaximumGroup>,
    /// Divides the recordings into parts.
    pub split: Option<Split>,
    /// Bytes of a shard, at most.
    pub shard_bytes: u64,
    /// Whether files that rows refer to must exist.
    pub check_files: bool,
    /// The metadata's keys, with their kinds, for formats whose columns must be known before the first row.
    pub metadata_columns: MetadataColumns,
}

/// The keys of all metadata, in order of name.
#[derive(Clone, Debug, Default)]
pub struct MetadataColumns(BTreeMap<String, Kind>);

/// The kind of a metadata column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Bool,
    /// Arrays and objects; and values whose kinds differ from row to row. They are written as JSON text.
    Mixed,
}

impl MetadataColumns {
    /// Takes note of the keys of a recording's metadata.
    pub fn add(&mut self, metadata: &Map<String, Value>) {
        for (key, value) in metadata {
            let kind = match value {
                Value::Null => continue,
                Value::String(_) => Kind::Text,
                Value::Number(_) => Kind::Number,
                Value::Bool(_) => Kind::Bool,
                Value::Array(_) | Value::Object(_) => Kind::Mixed,
            };
            match self.0.get_mut(key) {
                Some(known) if *known != kind => *known = Kind::Mixed,
                Some(_) => {}
                None => {
                    self.0.insert(key.clone(), kind);
                }
            }
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The values of the columns in order. Every column has one kind: readers derive a column's type from its values.
    fn values<'a>(&'a self, metadata: &'a Map<String, Value>) -> impl Iterator<Item = (&'a str, Value)> {
        self.0.iter().map(|(name, kind)| {
            let value = match (kind, metadata.get(name)) {
                (_, None | Some(Value::Null)) => Value::Null,
                (Kind::Mixed, Some(Value::String(text))) => Value::String(text.clone()),
                (Kind::Mixed, Some(other)) => Value::String(other.to_string()),
                (_, Some(value)) => value.clone(),
            };
            (name.as_str(), value)
        })
    }
}

/// Why an export failed. Nothing of it was published.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system reports.
        source: io::Error,
    },
    /// A temporary file, in which lines are sorted, could not be written or read.
    #[error("sorting in a temporary file (TMPDIR names their folder): {0}")]
    Temporary(#[from] io::Error),
    /// The settings do not fit the format or the rows.
    #[error("{0}")]
    Invalid(String),
}

/// The result of one step of an export.
pub type Result<T> = std::result::Result<T, ExportError>;

/// Why a segment is not part of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// The choice leaves it out: that is what the user asked for.
    NotChosen,
    /// Its file does not exist.
    FileMissing,
    /// It was prepared without audio files, and the format needs them.
    NoFile,
    /// It has no file without noise.
    NotDenoised,
    /// Its path or name cannot be written in this format, as one with a line break.
    NotRepresentable,
    /// The format needs a transcript.
    NoText,
}

impl Skipped {
    /// Its name in messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::NotChosen => "not chosen",
            Self::FileMissing => "file missing",
            Self::NoFile => "prepared without files",
            Self::NotDenoised => "prepared without denoised files; `fetch --denoise` writes them",
            Self::NotRepresentable => "name cannot be written in this format",
            Self::NoText => "no text in the metadata",
        }
    }
}

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Recordings with at least one segment in it.
    pub recordings: u64,
    /// Segments in it.
    pub rows: u64,
    /// Hours of these segments.
    pub hours: f64,
    /// Files that were written.
    pub files: u64,
    /// Segments that are not in it, by reason.
    pub skipped: BTreeMap<Skipped, u64>,
}

impl Summary {
    /// Segments that are missing although they were chosen.
    pub fn problems(&self) -> u64 {
        self.skipped.iter().filter(|(reason, _)| **reason != Skipped::NotChosen).map(|(_, count)| count).sum()
    }

    fn skip(&mut self, reason: Skipped, segments: usize) {
        if segments > 0 {
            *self.skipped.entry(reason).or_default() += segments as u64;
        }
    }
}

/// An export that is being made.
pub struct Export {
    settings: Settings,
    choice: Choice,
    destination: Destination,
    names: Names,
    /// A writer for each part; one, without a name, where the recordings are not divided.
    parts: Vec<Part>,
    summary: Summary,
}

struct Part {
    name: Option<String>,
    writer: Box<dyn Writer>,
    target: Target,
}

impl Export {
    /// Begins an export to `destination`.
    ///
    /// # Errors
    /// [`ExportError::Invalid`] where the settings do not fit together; [`ExportError::Write`] where the destination cannot
    /// be written.
    pub fn new(settings: Settings, choice: Choice, destination: Destination) -> Result<Self> {
        settings.check(&destination)?;
        let names = match &settings.split {
            Some(split) => split.parts().map(|part| Some(part.to_owned())).collect(),
            None => vec![None],
        };
        let part = |name: Option<String>| {
            let mut target = Target::new(&destination, name.as_deref(), settings.format)?;
            let writer = settings.format.writer(&settings, &mut target)?;
            Ok(Part { name, writer, target })
        };
        let parts = names.into_iter().map(part).collect::<Result<_>>()?;
        // Beside their sources, files of one name lie in different folders.
        let default = match destination {
            Destination::BesideSources => Naming::Key,
            _ => settings.format.naming(),
        };
        let naming = settings.naming.unwrap_or(default);
        Ok(Self { choice, destination, names: Names::new(naming), parts, summary: Summary::default(), settings })
    }

    /// Adds a recording. Those of one export must come in order of their ids.
    ///
    /// # Errors
    /// [`ExportError::Write`]; [`ExportError::Invalid`] where two recordings would get one name.
    pub fn add(&mut self, mut recording: Recording) -> Result<()> {
        recording.locate(&self.settings.audio_dir);
        let all = recording.segments.len();
        let segments = std::mem::take(&mut recording.segments);
        recording.segments = segments.into_iter().filter(|segment| self.choice.has(&recording, segment)).collect();
        self.summary.skip(Skipped::NotChosen, all - recording.segments.len());
        if recording.segments.is_empty() && (all > 0 || !self.choice.has_recording(&recording)) {
            return Ok(());
        }
        if let Some(group) = self.settings.group {
            recording.segments = group.join(recording.segments);
        }
        if self.settings.audio == Some(AudioFiles::Denoised) {
            recording.segments.iter_mut().for_each(take_denoised_file);
        }
        self.drop_unusable(&mut recording);
        if recording.segments.is_empty() && !self.settings.format.takes_silent_recordings() {
            return Ok(());
        }
        let part = match &self.settings.split {
            None => 0,
            Some(split) => split.part_of(&recording),
        };
        let name = self.names.of(&recording)?;
        let part = &mut self.parts[part];
        part.writer.write(&recording, &name, &mut part.target)?;
        self.summary.recordings += u64::from(!recording.segments.is_empty());
        self.summary.rows += recording.segments.len() as u64;
        self.summary.hours +=
            recording.segments.iter().map(|segment| segment.end_s - segment.start_s).sum::<f64>() / 3600.0;
        Ok(())
    }

    /// Leaves out segments that the format cannot hold, and counts them.
    fn drop_unusable(&mut self, recording: &mut Recording) {
        let format = self.settings.format;
        let audio = self.settings.audio.unwrap_or(format.audio());
        let has_text = recording.segment_text().is_some();
        let source_problem = (format.refers_to_audio() && audio == AudioFiles::Sources)
            .then(|| self.problem_of(&recording.file))
            .flatten();
        let segments = std::mem::take(&mut recording.segments);
        for segment in segments {
            let problem = if format.needs_text() && !has_text {
                Some(Skipped::NoText)
            } else if !format.refers_to_audio() {
                None
            } else if audio == AudioFiles::Sources {
                source_problem
            } else {
                match segment.path.as_deref() {
                    None if audio == AudioFiles::Denoised => Some(Skipped::NotDenoised),
                    None => Some(Skipped::NoFile),
                    Some(path) => self.problem_of(path),
                }
            };
            match problem {
                Some(reason) => self.summary.skip(reason, 1),
                None => recording.segments.push(segment),
            }
        }
    }

    fn problem_of(&self, path: &str) -> Option<Skipped> {
        if !self.settings.format.can_write_path(path) {
            Some(Skipped::NotRepresentable)
        } else if self.settings.check_files && !Path::new(path).is_file() {
            Some(Skipped::FileMissing)
        } else {
            None
        }
    }

    /// What was added so far.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Completes the files and publishes them. `about` describes the export, for the file `prepare-audio-export.json` of a
    /// folder.
    ///
    /// # Errors
    /// [`ExportError::Write`].
    pub fn finish(mut self, about: &Map<String, Value>) -> Result<Summary> {
        for part in &mut self.parts {
            part.writer.finish(&mut part.target)?;
        }
        if self.destination.folder().is_some() && self.settings.format.is_corpus() {
            for part in &mut self.parts {
                let mut description = about.clone();
                if let Some(name) = &part.name {
                    description.insert("part".into(), name.clone().into());
                }
                part.target.write_whole("prepare-audio-export.json", &pretty(&description))?;
            }
        }
        for part in self.parts {
            self.summary.files += part.target.publish()?;
        }
        Ok(self.summary)
    }
}

/// Puts a segment's file without noise in the place of its file: the same span, mono at 16 kHz.
fn take_denoised_file(segment: &mut Segment) {
    segment.path = segment.denoised_path.take();
    segment.sha256 = segment.denoised_sha256.take();
    segment.bytes = segment.denoised_bytes.take();
    (segment.sample_rate, segment.channels) = (None, None);
}

fn pretty(value: &Map<String, Value>) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default(); // a map of JSON values is always JSON
    text.push(b'\n');
    text
}

impl Settings {
    fn check(&self, destination: &Destination) -> Result<()> {
        let format = self.format;
        let invalid = |message: String| Err(ExportError::Invalid(message));
        if format.is_corpus() && destination.folder().is_none() {
            return invalid(format!("{format} is a folder of files: name the folder with --to"));
        }
        if self.split.is_some() && destination.folder().is_none() {
            return invalid("a split writes one file or folder for each part: name a folder for them with --to".into());
        }
        if self.audio == Some(AudioFiles::Sources) && !format.can_refer_to_sources() {
            return invalid(format!("{format} holds the segments' own files; it cannot refer to the sources"));
        }
        if self.audio == Some(AudioFiles::Denoised) && !format.refers_to_audio() {
            let with_audio: Vec<_> = Format::ALL.iter().filter(|it| it.refers_to_audio()).map(|it| it.name()).collect();
            return invalid(format!(
                "{format} does not choose among audio files; --audio denoised is for {}, and csv, tsv and jsonl name both files",
                with_audio.join(", ")
            ));
        }
        if self.group.is_some() {
            if format.refers_to_audio() && !format.can_refer_to_sources() {
                return invalid(format!(
                    "groups of segments have no files of their own, and {format} needs files; \
                     `prepare-audio resegment --merge-to` makes such segments with files"
                ));
            }
            if format.refers_to_audio() && self.audio.unwrap_or(format.audio()) != AudioFiles::Sources {
                return invalid("groups of segments have no files of their own: add --audio sources".into());
            }
        }
        if format == Format::Ctm && self.group.is_some() {
            return invalid("ctm has one line for each segment; groups do not fit into it".into());
        }
        Ok(())
    }
}
