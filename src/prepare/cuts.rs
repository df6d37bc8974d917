//! What was cut of a recording so far: files and rows.

use std::{
    borrow::Cow,
    io,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{memory::Memory, seconds};
use crate::{
    audio::{Sample, Spec, Written},
    output::Staging,
    store::Segment,
    vad::Chunk,
};

/// A chunk of what one ear heard.
#[derive(Debug)]
pub(super) struct Piece {
    pub chunk: Chunk,
    /// The channel, from 1; none where channels were mixed.
    pub channel: Option<i64>,
    /// Its level, dB below full scale.
    pub level_dbfs: f64,
}

/// What was cut so far.
pub(super) struct Cuts {
    /// Samples of speech at 16 kHz: those of the segments, without the gaps in chunks.
    pub speech: u64,
    pub staging: Staging,
    pub write_time: Duration,
    rows: Vec<Row>,
    keeps_parts: bool,
}

/// A segment's row, which gets its position and its file's name at the end: only then is the order known.
struct Row {
    segment: Segment,
    /// The file's number among the claim's, and what it ends in.
    file: Option<(usize, &'static str)>,
}

impl Cuts {
    /// With `keeps_parts` rows say what was joined in them.
    pub fn new(staging: Staging, keeps_parts: bool) -> Self {
        Self { speech: 0, staging, write_time: Duration::ZERO, rows: Vec::new(), keeps_parts }
    }

    /// Writes a piece of `frames` frames.
    pub fn write<'s, S: Sample>(
        &mut self,
        piece: &Piece,
        spec: &Spec,
        frames: u64,
        blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
    ) -> io::Result<()> {
        let start = Instant::now();
        let (file, written) = self.staging.write(spec, frames, blocks)?;
        let Written { bytes, sha256 } = written;
        let mut segment = self.row(piece);
        segment.sha256 = Some(sha256);
        segment.bytes = Some(bytes as i64);
        segment.sample_rate = Some(i64::from(spec.rate));
        segment.channels = Some(spec.channels as i64);
        self.rows.push(Row { segment, file: Some((file, spec.format.name())) });
        self.write_time += start.elapsed();
        Ok(())
    }

    /// Takes down a piece without a file.
    pub fn note(&mut self, piece: &Piece) {
        let segment = self.row(piece);
        self.rows.push(Row { segment, file: None });
    }

    /// Takes over the file of a chunk that was cut before; `false` if it was not, or its file is not what it was.
    pub fn reuse(
        &mut self,
        chunk: &Chunk,
        channel: Option<i64>,
        memory: &Memory,
        ending: &'static str,
    ) -> io::Result<bool> {
        let start = Instant::now();
        let Some(old) = memory.file(channel, &chunk.speech) else { return Ok(false) };
        let (Some(level_dbfs), Some(path), Some(sha256)) = (old.level_dbfs, &old.path, &old.sha256) else {
            return Ok(false);
        };
        let Some((file, bytes)) = self.staging.reuse(Path::new(path), sha256)? else { return Ok(false) };
        let segment = Segment {
            sha256: Some(sha256.clone()),
            bytes: Some(bytes as i64),
            // Rows of the first versions do not say that they are 16 kHz mono.
            sample_rate: old.sample_rate.or(Some(16_000)),
            channels: old.channels.or(Some(1)),
            ..self.row(&Piece { chunk: chunk.clone(), channel, level_dbfs })
        };
        self.rows.push(Row { segment, file: Some((file, ending)) });
        self.write_time += start.elapsed();
        Ok(true)
    }

    /// The rows in order of time, with their positions and the final names of their files; and the files.
    pub fn settle(mut self) -> (Vec<Segment>, Staging) {
        self.rows.sort_by_key(|row| (row.segment.start_sample, row.segment.channel));
        let mut segments = Vec::with_capacity(self.rows.len());
        for (idx, Row { mut segment, file }) in self.rows.into_iter().enumerate() {
            segment.idx = idx as i64;
            if let (Some((file, ending)), Some(sha256)) = (file, &segment.sha256) {
                let path = self.staging.name(file, idx, sha256, ending);
                segment.path = Some(path.to_string_lossy().into_owned());
            }
            segments.push(segment);
        }
        (segments, self.staging)
    }

    /// The row of a piece, as far as it does not depend on a file.
    fn row(&mut self, piece: &Piece) -> Segment {
        let Piece { chunk: Chunk { speech, parts }, channel, level_dbfs } = piece;
        self.speech += parts.iter().map(|(start, end)| end - start).sum::<u64>();
        Segment {
            channel: *channel,
            start_sample: speech.start as i64,
            end_sample: speech.end as i64,
            start_s: seconds(speech.start as i64),
            end_s: seconds(speech.end as i64),
            mean_probability: f64::from(speech.mean_probability),
            min_probability: f64::from(speech.min_probability),
            cut: Some(speech.cut.name().to_owned()),
            level_dbfs: Some(*level_dbfs),
            parts: self.keeps_parts.then(|| json!(parts).to_string()),
            ..Segment::default()
        }
    }
}
