//! Done recordings and their segments as the manifests and folders that other tools load.
//!
//! [`Export::add`] takes one recording after the other, chooses among its segments, and passes them to the writer of a
//! [`Format`]. Nothing is kept beyond a recording, so a database of any size fits. What a format writes goes through a
//! `Target`, under temporary names, and appears when [`Export::finish`] publishes it.
//!
//! This module reads no database: `cli` pages through the rows of `store` and passes them on.

mod choice;
mod columns;
mod condition;
mod formats;
mod group;
mod metadata_columns;
mod names;
mod paths;
mod recording;
mod sorted_lines;
mod split;
mod target;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use prepare_audio_types::Segment;
use serde::Serialize;
use serde_json::{Map, Value};

pub use self::{
    choice::{Choice, Queried, Sample},
    condition::{Condition, InvalidCondition},
    formats::Format,
    group::MaximumGroup,
    metadata_columns::MetadataColumns,
    names::Naming,
    recording::Recording,
    split::{InvalidSplit, Split},
    target::Destination,
};
use self::{formats::Writer, names::Names, target::Target};

/// Samples in a second of the timeline that segments are cut on.
const RATE: f64 = 16_000.0;

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
    /// The format belongs to a Cargo feature that this program was built without.
    #[error("this program was built without the feature {0:?}")]
    NotCompiled(&'static str),
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
