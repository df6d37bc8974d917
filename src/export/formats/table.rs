//! CSV and TSV with all columns. The metadata's keys are columns of their own, `metadata.KEY`.

use serde_json::Value;

use super::{Name, Recording, Result, Settings, Target, Writer};
use crate::export::{MetadataColumns, target::OutputFile};

/// The columns before those of the metadata.
const COLUMNS: [&str; 32] = [
    "id",
    "recording_id",
    "source",
    "recipe",
    "duration_s",
    "start_offset_s",
    "idx",
    "channel",
    "start_sample",
    "end_sample",
    "start_s",
    "end_s",
    "segment_s",
    "path",
    "sha256",
    "bytes",
    "mean_probability",
    "min_probability",
    "cut",
    "level_dbfs",
    "peak_dbfs",
    "loudness_lufs",
    "clipped",
    "dc_offset",
    "snr_db",
    "bandwidth_hz",
    "speech_ratio",
    "gap_s",
    "parts",
    "tag",
    "note",
    "text",
];

/// Writes a line for each segment below a line of names.
pub struct Table {
    file: Option<OutputFile>,
    delimiter: u8,
    metadata: MetadataColumns,
}

impl Table {
    /// A table with the metadata columns of the settings, and its line of names.
    pub fn new(delimiter: u8, settings: &Settings, target: &mut Target) -> Result<Self> {
        let metadata = settings.metadata_columns.clone();
        let mut table = Self { file: Some(target.single()?), delimiter, metadata };
        let names = table.metadata.names().map(|name| format!("metadata.{name}"));
        let header: Vec<String> = COLUMNS.into_iter().map(str::to_owned).chain(names).collect();
        table.line(&header)?;
        Ok(table)
    }

    fn line(&mut self, values: &[String]) -> Result<()> {
        let delimiter = self.delimiter;
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write(|out| {
            let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
            writer.write_record(values)?;
            writer.flush()
        })
    }
}

impl Writer for Table {
    fn write(&mut self, recording: &Recording, name: &Name, _target: &mut Target) -> Result<()> {
        let text = recording.segment_text().unwrap_or_default();
        let metadata: Vec<String> = self.metadata.values(&recording.metadata).map(|(_, value)| cell(&value)).collect();
        for segment in &recording.segments {
            let optional = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
            let values = [
                name.segment(segment),
                recording.recording_id.to_string(),
                recording.source.clone(),
                recording.recipe.clone(),
                recording.duration_s.to_string(),
                recording.start_offset_s.to_string(),
                segment.idx.to_string(),
                segment.channel.map_or_else(String::new, |channel| channel.to_string()),
                segment.start_sample.to_string(),
                segment.end_sample.to_string(),
                segment.start_s.to_string(),
                segment.end_s.to_string(),
                (segment.end_s - segment.start_s).to_string(),
                segment.path.clone().unwrap_or_default(),
                segment.sha256.clone().unwrap_or_default(),
                segment.bytes.map_or_else(String::new, |bytes| bytes.to_string()),
                segment.mean_probability.to_string(),
                segment.min_probability.to_string(),
                segment.cut.clone().unwrap_or_default(),
                optional(segment.level_dbfs),
                optional(segment.peak_dbfs),
                optional(segment.loudness_lufs),
                optional(segment.clipped),
                optional(segment.dc_offset),
                optional(segment.snr_db),
                optional(segment.bandwidth_hz),
                optional(segment.speech_ratio),
                optional(segment.gap_s),
                segment.parts.clone().unwrap_or_default(),
                segment.tag.clone().unwrap_or_default(),
                segment.note.clone().unwrap_or_default(),
                text.clone(),
            ];
            let line: Vec<String> = values.into_iter().chain(metadata.iter().cloned()).collect();
            self.line(&line)?;
        }
        Ok(())
    }

    fn finish(&mut self, _target: &mut Target) -> Result<()> {
        self.file.take().map_or(Ok(()), OutputFile::close)
    }
}

/// A value in a cell: texts as they are, nothing for null.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
