//! What was cut of a recording so far: files and rows.

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{level::Level, memory::Memory, seconds, tape::Tape};
use crate::{
    output::Staging,
    store::Segment,
    vad::{Chunk, Parameters},
};

/// What was cut so far.
pub(super) struct Cuts {
    /// Samples listened to, at 16 kHz.
    pub samples: u64,
    /// Samples of speech: those of the segments, without the gaps in chunks.
    pub speech: u64,
    pub segments: Vec<Segment>,
    pub staging: Staging,
    pub vad_time: Duration,
    pub write_time: Duration,
    keeps_parts: bool,
}

impl Cuts {
    pub fn new(staging: Staging, parameters: &Parameters) -> Self {
        Self {
            samples: 0,
            speech: 0,
            segments: Vec::new(),
            staging,
            vad_time: Duration::ZERO,
            write_time: Duration::ZERO,
            keeps_parts: parameters.merge_to_s.is_some(),
        }
    }

    /// Writes a chunk, whose samples are on the tape.
    pub fn write(&mut self, chunk: &Chunk, tape: &Tape) -> io::Result<()> {
        let start = Instant::now();
        let (first, end) = (chunk.speech.start, chunk.speech.end);
        let mut level = Level::default();
        let blocks = tape.play(first, end).inspect(|block| block.iter().for_each(|samples| level.add(samples)));
        let (path, written) = self.staging.write(end - first, blocks)?;
        self.add(chunk, &path, written.sha256, level.dbfs());
        self.write_time += start.elapsed();
        Ok(())
    }

    /// Takes over the file of a chunk that was cut before; `false` if it was not, or its file is not what it was.
    pub fn reuse(&mut self, chunk: &Chunk, memory: &Memory) -> io::Result<bool> {
        let start = Instant::now();
        let Some(old) = memory.find(chunk.speech.start, chunk.speech.end) else { return Ok(false) };
        let Some(level) = old.level_dbfs else { return Ok(false) };
        let Some(path) = self.staging.reuse(Path::new(&old.path), &old.sha256)? else { return Ok(false) };
        self.add(chunk, &path, old.sha256.clone(), level);
        self.write_time += start.elapsed();
        Ok(true)
    }

    fn add(&mut self, chunk: &Chunk, path: &Path, sha256: String, level: f64) {
        let Chunk { speech, parts } = chunk;
        self.speech += parts.iter().map(|(start, end)| end - start).sum::<u64>();
        self.segments.push(Segment {
            idx: self.segments.len() as i64,
            start_sample: speech.start as i64,
            end_sample: speech.end as i64,
            start_s: seconds(speech.start as i64),
            end_s: seconds(speech.end as i64),
            path: path.to_string_lossy().into_owned(),
            sha256,
            mean_probability: f64::from(speech.mean_probability),
            min_probability: f64::from(speech.min_probability),
            cut: Some(speech.cut.name().to_owned()),
            level_dbfs: Some(level),
            parts: self.keeps_parts.then(|| json!(parts).to_string()),
        });
    }
}
