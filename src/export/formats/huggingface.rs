//! Hugging Face's audiofolder. Source: the documentation of datasets, "Create an audio dataset".

use std::path::Path;

use serde_json::{Map, Value};

use super::{Name, Recording, Result, Settings, Target, Writer};
use crate::export::{
    columns::{Column, columns},
    metadata_columns::MetadataColumns,
    target::OutputFile,
};

/// The columns of a dataset beside the audio and the segment's id.
const FIELDS: &[Column] = columns! {
    "duration": Real = |_, segment| segment.end_s - segment.start_s,
    "text": Text = |recording, _| recording.segment_text(),
    "speaker": Text = |recording, _| recording.speaker(),
    "language": Text = |recording, _| recording.language(),
    "source": Text = |recording, _| recording.source.as_str(),
    "start": Real = |_, segment| segment.start_s,
    "end": Real = |_, segment| segment.end_s,
    "channel": Integer = |_, segment| segment.channel.map(i64::from),
    "mean_probability": Real = |_, segment| segment.mean_probability,
    "level_dbfs": Real = |_, segment| segment.level_dbfs,
    "snr_db": Real = |_, segment| segment.snr_db,
    "denoised_snr_db": Real = |_, segment| segment.denoised_snr_db,
    "loudness_lufs": Real = |_, segment| segment.loudness_lufs,
    "bandwidth_hz": Real = |_, segment| segment.bandwidth_hz,
    "dnsmos_signal": Real = |_, segment| segment.dnsmos_signal,
    "dnsmos_background": Real = |_, segment| segment.dnsmos_background,
    "dnsmos_overall": Real = |_, segment| segment.dnsmos_overall,
};

/// What a person said of the segment. A key of the metadata goes before them: it was there first.
const ANNOTATION: &[Column] = columns! {
    "tag": Text = |_, segment| segment.tag.as_deref(),
    "note": Text = |_, segment| segment.note.as_deref(),
};

/// The columns of a dataset whose metadata has these keys, and those keys that are none of these columns.
pub(super) fn columns_of(metadata: &MetadataColumns) -> (Vec<&'static Column>, MetadataColumns) {
    let metadata = metadata.without(FIELDS);
    let is_free = |column: &&Column| metadata.names().all(|name| name != column.name);
    let columns = FIELDS.iter().chain(ANNOTATION.iter().filter(is_free)).collect();
    (columns, metadata)
}

/// Writes an audiofolder. A file in it is another name of the segment's file where the file system has hard links, and else a
/// copy.
///
/// Its columns are the same, with the same kinds of values, in every line of metadata.jsonl: the reader derives the types
/// from them.
pub struct AudioFolder {
    metadata_file: Option<OutputFile>,
    columns: Vec<&'static Column>,
    metadata: MetadataColumns,
}

impl AudioFolder {
    /// An audiofolder.
    pub fn new(settings: &Settings, target: &mut Target) -> Result<Self> {
        let (columns, metadata) = columns_of(&settings.metadata_columns);
        Ok(Self { metadata_file: Some(target.file("metadata.jsonl")?), columns, metadata })
    }
}

impl Writer for AudioFolder {
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
            let value = |column: &&Column| (column.name.to_owned(), (column.value)(recording, segment).into());
            line.extend(self.columns.iter().map(value));
            line.extend(self.metadata.values(&recording.metadata).map(|(key, value)| (key.to_owned(), value)));
            metadata_file.write(|out| writeln!(out, "{}", Value::Object(line)))?;
        }
        Ok(())
    }

    fn finish(&mut self, _target: &mut Target) -> Result<()> {
        self.metadata_file.take().map_or(Ok(()), OutputFile::close)
    }
}

/// A file name with the extension of another.
pub(super) fn with_extension(stem: &str, like: &Path) -> String {
    format!("{stem}.{}", like.extension().and_then(|extension| extension.to_str()).unwrap_or("wav"))
}
