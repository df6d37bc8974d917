//! LJSpeech's folder: wavs/ID.wav, and metadata.csv with ID, text and normalised text between bars.

use std::path::Path;

use super::{Name, Recording, Result, Target, Writer, huggingface::with_extension};
use crate::export::target::OutputFile;

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
