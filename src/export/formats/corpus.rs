//! Folders with the segments' files in them: Hugging Face's audiofolder and LJSpeech's.
//!
//! A file is another name of the segment's file where the file system has hard links, and else a copy.

use std::path::Path;

use serde_json::{Map, Value};

use super::{Name, Recording, Result, Settings, Target, Writer};
use crate::export::{MetadataColumns, target::OutputFile};

/// Hugging Face's audiofolder. Source: the documentation of datasets, "Create an audio dataset".
///
/// Its columns are the same, with the same kinds of values, in every line of metadata.jsonl: the reader derives the types
/// from them.
pub struct HuggingFace {
    metadata_file: Option<OutputFile>,
    metadata: MetadataColumns,
}

impl HuggingFace {
    /// An audiofolder.
    pub fn new(settings: &Settings, target: &mut Target) -> Result<Self> {
        Ok(Self { metadata_file: Some(target.file("metadata.jsonl")?), metadata: settings.metadata_columns.clone() })
    }
}

impl Writer for HuggingFace {
    fn write(&mut self, recording: &Recording, name: &Name, target: &mut Target) -> Result<()> {
        let Some(metadata_file) = &mut self.metadata_file else { return Ok(()) };
        for segment in &recording.segments {
            let from = Path::new(segment.path.as_deref().unwrap_or_default());
            // A folder for each recording: a folder of a million files is slow everywhere.
            let id = name.segment(segment);
            let file = format!("audio/{}/{}", name.recording, with_extension(&id, from));
            target.link_or_copy(from, &file)?;
            let mut line = Map::new();
            line.insert("file_name".into(), file.into());
            line.insert("id".into(), id.into());
            line.insert("duration".into(), (segment.end_s - segment.start_s).into());
            line.insert("text".into(), recording.segment_text().into());
            line.insert("speaker".into(), recording.speaker().into());
            line.insert("language".into(), recording.language().into());
            line.insert("source".into(), recording.source.clone().into());
            line.insert("start".into(), segment.start_s.into());
            line.insert("end".into(), segment.end_s.into());
            line.insert("channel".into(), segment.channel.into());
            line.insert("mean_probability".into(), segment.mean_probability.into());
            line.insert("level_dbfs".into(), segment.level_dbfs.into());
            line.insert("snr_db".into(), segment.snr_db.into());
            line.insert("loudness_lufs".into(), segment.loudness_lufs.into());
            line.insert("bandwidth_hz".into(), segment.bandwidth_hz.into());
            for (key, value) in self.metadata.values(&recording.metadata) {
                line.entry(key).or_insert(value);
            }
            // A key of the metadata goes before them: it was there first.
            for (key, value) in [("tag", &segment.tag), ("note", &segment.note)] {
                line.entry(key).or_insert(value.clone().into());
            }
            metadata_file.write(|out| writeln!(out, "{}", Value::Object(line)))?;
        }
        Ok(())
    }

    fn finish(&mut self, _target: &mut Target) -> Result<()> {
        self.metadata_file.take().map_or(Ok(()), OutputFile::close)
    }
}

/// LJSpeech's folder: wavs/ID.wav, and metadata.csv with ID, text and normalised text between bars.
pub struct LjSpeech {
    metadata_file: Option<OutputFile>,
}

impl LjSpeech {
    /// An LJSpeech folder.
    pub fn new(target: &mut Target) -> Result<Self> {
        Ok(Self { metadata_file: Some(target.file("metadata.csv")?) })
    }
}

impl Writer for LjSpeech {
    fn write(&mut self, recording: &Recording, name: &Name, target: &mut Target) -> Result<()> {
        let Some(metadata_file) = &mut self.metadata_file else { return Ok(()) };
        // The format knows no escape for a bar.
        let text = recording.segment_text().unwrap_or_default().replace('|', " ");
        for segment in &recording.segments {
            let from = Path::new(segment.path.as_deref().unwrap_or_default());
            let id = name.segment(segment);
            target.link_or_copy(from, &format!("wavs/{}", with_extension(&id, from)))?;
            metadata_file.write(|out| writeln!(out, "{id}|{text}|{text}"))?;
        }
        Ok(())
    }

    fn finish(&mut self, _target: &mut Target) -> Result<()> {
        self.metadata_file.take().map_or(Ok(()), OutputFile::close)
    }
}

/// A file name with the extension of another.
fn with_extension(stem: &str, like: &Path) -> String {
    format!("{stem}.{}", like.extension().and_then(|extension| extension.to_str()).unwrap_or("wav"))
}
