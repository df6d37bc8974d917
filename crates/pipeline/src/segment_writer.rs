//! Writes the segments of one recording: their files, and the rows that describe them.

use std::{
    borrow::Cow,
    io,
    path::Path,
    time::{Duration, Instant},
};

use prepare_audio_media::{Sample, SegmentSpec, WrittenFile};
use prepare_audio_types::Segment;
use prepare_audio_vad::Chunk;
use serde_json::json;

use crate::{
    StagedSegments, WriteError,
    quality::{Quality, Surroundings},
    seconds,
    stored_probabilities::StoredAnalysis,
};

/// A segment whose boundaries are decided.
#[derive(Debug)]
pub(crate) struct FinishedSegment {
    pub chunk: Chunk,
    /// The channel, from 1; `None` where channels were mixed.
    pub channel: Option<u16>,
    /// What was measured of it.
    pub quality: Quality,
}

/// The segments of one recording so far.
pub(crate) struct SegmentWriter<T> {
    /// Samples of speech at 16 kHz: those of the segments, without the pauses in joined segments.
    pub speech: u64,
    pub staging: T,
    pub write_time: Duration,
    rows: Vec<Row>,
    keeps_parts: bool,
}

/// A segment's row. Its position and its file's name are set at the end, when the order of all segments is known.
struct Row {
    segment: Segment,
    /// The file's number among the claim's files, and its extension.
    file: Option<(usize, &'static str)>,
}

impl<T: StagedSegments> SegmentWriter<T> {
    /// With `keeps_parts`, rows list the segments that were joined in them.
    pub fn new(staging: T, keeps_parts: bool) -> Self {
        Self { speech: 0, staging, write_time: Duration::ZERO, rows: Vec::new(), keeps_parts }
    }

    /// Writes the file and the row of a segment of `frames` frames.
    pub fn write<'s, S: Sample>(
        &mut self,
        finished: &FinishedSegment,
        spec: &SegmentSpec,
        frames: u64,
        blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
    ) -> Result<(), WriteError> {
        let start = Instant::now();
        let (file, WrittenFile { bytes, sha256 }) = self.staging.write(spec, frames, blocks)?;
        let segment = Segment {
            sha256: Some(sha256),
            bytes: Some(bytes),
            sample_rate: Some(spec.rate),
            channels: Some(spec.channels),
            ..self.row(finished)
        };
        self.rows.push(Row { segment, file: Some((file, spec.format.name())) });
        self.write_time += start.elapsed();
        Ok(())
    }

    /// Adds the row of a segment that gets no file.
    pub fn add_row(&mut self, finished: &FinishedSegment) {
        let segment = self.row(finished);
        self.rows.push(Row { segment, file: None });
    }

    /// Takes over the file of a segment that was cut before. `false` means that there is none, or that its content has
    /// changed.
    pub fn reuse(
        &mut self,
        finished: &FinishedSegment,
        stored: &StoredAnalysis,
        extension: &'static str,
    ) -> Result<bool, WriteError> {
        let start = Instant::now();
        let Some(old) = stored.file(finished.channel, &finished.chunk.speech) else { return Ok(false) };
        let (Some(path), Some(sha256)) = (&old.path, &old.sha256) else { return Ok(false) };
        let Some((file, bytes)) = self.staging.reuse(Path::new(path), sha256)? else { return Ok(false) };
        let segment = Segment {
            sha256: Some(sha256.clone()),
            bytes: Some(bytes),
            // Rows of the first versions do not say that they are 16 kHz mono.
            sample_rate: old.sample_rate.or(Some(16_000)),
            channels: old.channels.or(Some(1)),
            ..self.row(finished)
        };
        self.rows.push(Row { segment, file: Some((file, extension)) });
        self.write_time += start.elapsed();
        Ok(true)
    }

    /// Measures the rows of a channel against what is around them in the recording.
    pub fn measure(&mut self, channel: Option<u16>, surroundings: &Surroundings) {
        for Row { segment, .. } in self.rows.iter_mut().filter(|row| row.segment.channel == channel) {
            let (start, end) = (segment.start_sample, segment.end_sample);
            segment.snr_db = surroundings.snr_db(start, end);
            segment.speech_ratio = surroundings.speech_ratio(start, end);
        }
    }

    /// Returns the rows in order of time, with their positions and the final names of their files, and the files.
    pub fn finish(mut self) -> (Vec<Segment>, T) {
        self.rows.sort_by_key(|row| (row.segment.start_sample, row.segment.channel));
        let mut segments = Vec::with_capacity(self.rows.len());
        for (position, Row { mut segment, file }) in self.rows.into_iter().enumerate() {
            segment.idx = position as u64;
            if let (Some((file, extension)), Some(sha256)) = (file, &segment.sha256) {
                let path = self.staging.set_final_name(file, position, sha256, extension);
                segment.path = Some(path.to_string_lossy().into_owned());
            }
            segments.push(segment);
        }
        (segments, self.staging)
    }

    /// The parts of a segment's row that do not depend on a file.
    fn row(&mut self, finished: &FinishedSegment) -> Segment {
        let FinishedSegment { chunk: Chunk { speech, parts }, channel, quality } = finished;
        self.speech += parts.iter().map(|(start, end)| end - start).sum::<u64>();
        Segment {
            channel: *channel,
            start_sample: speech.start,
            end_sample: speech.end,
            start_s: seconds(speech.start),
            end_s: seconds(speech.end),
            mean_probability: f64::from(speech.mean_probability),
            min_probability: f64::from(speech.min_probability),
            cut: Some(speech.cut.name().to_owned()),
            level_dbfs: Some(quality.level_dbfs),
            peak_dbfs: quality.peak_dbfs,
            loudness_lufs: quality.loudness_lufs,
            clipped: quality.clipped,
            dc_offset: quality.dc_offset,
            snr_db: quality.snr_db,
            bandwidth_hz: quality.bandwidth_hz,
            speech_ratio: quality.speech_ratio,
            parts: self.keeps_parts.then(|| json!(parts).to_string()),
            ..Segment::default()
        }
    }
}
