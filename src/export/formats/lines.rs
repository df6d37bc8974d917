//! JSON lines: all columns, and NeMo's manifest.

use std::path::PathBuf;

use prepare_audio_types::Segment;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Name, Recording, Result, Settings, Target, Writer};
use crate::export::{
    AudioFiles,
    names::identifier,
    paths::{absolute, relative_to},
    target::OutputFile,
};

/// The line of a segment.
type Line = Box<dyn Fn(&Recording, &Name, &Segment) -> Value + Send>;

/// Writes a JSON object for each segment.
pub struct JsonLines {
    file: Option<OutputFile>,
    line: Line,
}

impl Writer for JsonLines {
    fn write(&mut self, recording: &Recording, name: &Name, _target: &mut Target) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        for segment in &recording.segments {
            let line = (self.line)(recording, name, segment);
            file.write(|out| writeln!(out, "{line}"))?;
        }
        Ok(())
    }

    fn finish(&mut self, _target: &mut Target) -> Result<()> {
        self.file.take().map_or(Ok(()), OutputFile::close)
    }
}

/// All columns of recording and segment.
pub fn json_lines(target: &mut Target) -> Result<JsonLines> {
    let line = |recording: &Recording, name: &Name, segment: &Segment| {
        #[derive(Serialize)]
        struct Row<'a> {
            id: String,
            #[serde(flatten)]
            recording: &'a Recording,
            #[serde(flatten)]
            segment: Segment,
            text: Option<String>,
        }
        // Both have `channels` and `sample_rate`. The line has those of the source, because a reader of the segment's file
        // finds the others there.
        let segment = Segment { channels: None, sample_rate: None, ..segment.clone() };
        let mut row = json!(Row { id: name.segment(&segment), recording, segment, text: recording.segment_text() });
        row["sample_rate"] = json!(recording.sample_rate);
        row["channels"] = json!(recording.channels);
        row
    };
    Ok(JsonLines { file: Some(target.single()?), line: Box::new(line) })
}

/// NeMo's manifest. Source: NVIDIA NeMo documentation, "Datasets", preparing custom ASR data.
pub fn nemo(settings: &Settings, target: &mut Target) -> Result<JsonLines> {
    let sources = settings.audio == Some(AudioFiles::Sources);
    let folder = settings.relative_paths.then(|| absolute(target.folder()));
    let path = move |path: &str| match &folder {
        Some(folder) => relative_to(&PathBuf::from(path), folder).display().to_string(),
        None => path.to_owned(),
    };
    let line = move |recording: &Recording, _: &Name, segment: &Segment| {
        let (file, offset) = match &segment.path {
            Some(file) if !sources => (file.as_str(), 0.0),
            _ => (recording.file.as_str(), segment.start_s),
        };
        let mut line = Map::new();
        line.insert("audio_filepath".into(), path(file).into());
        line.insert("offset".into(), offset.into());
        line.insert("duration".into(), (segment.end_s - segment.start_s).into());
        line.insert("text".into(), recording.segment_text().unwrap_or_default().into());
        if let Some(speaker) = recording.speaker() {
            line.insert("speaker".into(), identifier(&speaker).into());
        }
        if let Some(language) = recording.language() {
            line.insert("lang".into(), language.into());
        }
        if let Some(channel) = segment.channel.filter(|_| sources) {
            line.insert("channel_selector".into(), (channel - 1).into());
        }
        for (key, value) in &recording.metadata {
            line.entry(key.clone()).or_insert_with(|| value.clone());
        }
        for (key, value) in segment.annotation() {
            line.entry(key).or_insert(value.into());
        }
        let figures = [
            ("snr_db", segment.snr_db),
            ("loudness_lufs", segment.loudness_lufs),
            ("bandwidth_hz", segment.bandwidth_hz),
        ];
        for (key, value) in figures.into_iter().filter_map(|(key, value)| Some((key, value?))) {
            line.entry(key).or_insert(value.into());
        }
        Value::Object(line)
    };
    Ok(JsonLines { file: Some(target.single()?), line: Box::new(line) })
}
