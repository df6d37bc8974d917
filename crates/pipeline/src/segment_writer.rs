//! Writes the segments of one recording: their files, raw and denoised, and the rows that describe them.

use std::{
    borrow::Cow,
    io,
    path::Path,
    time::{Duration, Instant},
};

use prepare_audio_media::{Sample, SegmentFormat, SegmentSpec, WrittenFile};
use prepare_audio_types::Segment;
use prepare_audio_vad::{Chunk, SAMPLE_RATE};
use serde_json::json;

use crate::{
    SegmentFilter, StagedSegments, WriteError,
    quality::{Quality, Surroundings},
    seconds,
    segment_filter::Dropped,
    stored_probabilities::StoredAnalysis,
};

/// What the ending of a denoised file's name begins with: `00000-HASH.denoised.wav`. So it differs from the raw file's name,
/// even where a model changes nothing.
pub const DENOISED_INFIX: &str = "denoised.";

/// A segment whose boundaries are decided.
#[derive(Debug)]
pub(crate) struct FinishedSegment {
    pub chunk: Chunk,
    /// The channel, from 1; `None` where channels were mixed.
    pub channel: Option<u16>,
    /// What was measured of it.
    pub quality: Quality,
    /// Its SNR without its noise, if that is known from an earlier preparation.
    pub denoised_snr_db: Option<f64>,
}

/// A file among those of a claim that are not published yet.
#[derive(Debug)]
pub(crate) struct StagedFile {
    /// Its number in [`StagedSegments`].
    number: usize,
    format: SegmentFormat,
    rate: u32,
    channels: u16,
    bytes: u64,
    sha256: String,
}

/// The files of a segment. One that is missing is still to be written, or not wanted.
#[derive(Debug, Default)]
pub(crate) struct SegmentFiles {
    pub raw: Option<StagedFile>,
    pub denoised: Option<StagedFile>,
}

/// The segments of one recording so far.
pub(crate) struct SegmentWriter<T> {
    pub staging: T,
    pub write_time: Duration,
    rows: Vec<Row>,
    keeps_parts: bool,
}

/// A segment's row. Its position and its files' names are set at the end, when the order of all segments is known.
struct Row {
    segment: Segment,
    /// Its samples of speech at 16 kHz, without the pauses in a joined segment.
    speech: u64,
    files: SegmentFiles,
}

/// What a writer has written.
pub(crate) struct Written<T> {
    pub segments: Vec<Segment>,
    /// Samples of speech at 16 kHz: those of the segments, without the pauses in joined segments.
    pub speech: u64,
    pub dropped: Dropped,
    pub staging: T,
}

impl<T: StagedSegments> SegmentWriter<T> {
    /// With `keeps_parts`, rows list the segments that were joined in them.
    pub fn new(staging: T, keeps_parts: bool) -> Self {
        Self { staging, write_time: Duration::ZERO, rows: Vec::new(), keeps_parts }
    }

    /// Writes a file of `frames` frames.
    pub fn write<'s, S: Sample>(
        &mut self,
        spec: &SegmentSpec,
        frames: u64,
        blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
    ) -> Result<StagedFile, WriteError> {
        let start = Instant::now();
        let (number, WrittenFile { bytes, sha256 }) = self.staging.write(spec, frames, blocks)?;
        self.write_time += start.elapsed();
        Ok(StagedFile { number, format: spec.format, rate: spec.rate, channels: spec.channels, bytes, sha256 })
    }

    /// Takes over those files of a segment that were written before, if their content has not changed.
    pub fn reuse(
        &mut self,
        finished: &FinishedSegment,
        stored: &StoredAnalysis,
        format: SegmentFormat,
    ) -> Result<SegmentFiles, WriteError> {
        let start = Instant::now();
        let mut files = SegmentFiles::default();
        let FinishedSegment { channel, chunk, .. } = finished;
        if let Some(old) = stored.file(*channel, &chunk.speech)
            && let (Some(path), Some(sha256)) = (&old.path, &old.sha256)
        {
            // Rows of the first versions do not say that they are 16 kHz mono.
            let (rate, channels) = (old.sample_rate.unwrap_or(SAMPLE_RATE), old.channels.unwrap_or(1));
            files.raw = self.take_over(path, sha256, format, rate, channels)?;
        }
        if let Some(old) = stored.denoised_file(*channel, &chunk.speech)
            && let (Some(path), Some(sha256)) = (&old.denoised_path, &old.denoised_sha256)
        {
            files.denoised = self.take_over(path, sha256, format, SAMPLE_RATE, 1)?;
        }
        self.write_time += start.elapsed();
        Ok(files)
    }

    fn take_over(
        &mut self,
        path: &str,
        sha256: &str,
        format: SegmentFormat,
        rate: u32,
        channels: u16,
    ) -> Result<Option<StagedFile>, WriteError> {
        let reused = self.staging.reuse(Path::new(path), sha256)?;
        let sha256 = sha256.to_owned();
        Ok(reused.map(|(number, bytes)| StagedFile { number, format, rate, channels, bytes, sha256 }))
    }

    /// Adds the row of a segment with its files.
    pub fn add(&mut self, finished: &FinishedSegment, files: SegmentFiles) {
        let speech = finished.chunk.parts.iter().map(|(start, end)| end - start).sum();
        self.rows.push(Row { segment: self.row(finished), speech, files });
    }

    /// Measures the rows of a channel against what is around them in the recording; `denoised` are the same windows without
    /// their noise.
    pub fn measure(&mut self, channel: Option<u16>, surroundings: &Surroundings, denoised: Option<&Surroundings>) {
        for Row { segment, .. } in self.rows.iter_mut().filter(|row| row.segment.channel == channel) {
            let (start, end) = (segment.start_sample, segment.end_sample);
            segment.snr_db = surroundings.snr_db(start, end);
            segment.denoised_snr_db = denoised.and_then(|denoised| denoised.snr_db(start, end));
            segment.speech_ratio = surroundings.speech_ratio(start, end);
        }
    }

    /// Drops the segments that the filter rejects, with their files. Gives the others their positions in order of time, and
    /// their files their final names.
    pub fn finish(mut self, filter: &SegmentFilter) -> Written<T> {
        self.rows.sort_by_key(|row| (row.segment.start_sample, row.segment.channel));
        let mut dropped = Dropped::new();
        for Row { files, .. } in self.rows.extract_if(.., |row| {
            let criterion = filter.rejects(&row.segment);
            criterion.inspect(|criterion| *dropped.entry((*criterion).to_owned()).or_default() += 1).is_some()
        }) {
            for file in [files.raw, files.denoised].into_iter().flatten() {
                self.staging.discard(file.number);
            }
        }
        let speech = self.rows.iter().map(|row| row.speech).sum();
        let mut segments = Vec::with_capacity(self.rows.len());
        for (position, Row { mut segment, files, .. }) in self.rows.into_iter().enumerate() {
            segment.idx = position as u64;
            let mut name = |file: &StagedFile, infix: &str| {
                let ending = format!("{infix}{}", file.format.name());
                let path = self.staging.set_final_name(file.number, position, &file.sha256, &ending);
                path.to_string_lossy().into_owned()
            };
            if let Some(file) = files.raw {
                segment.path = Some(name(&file, ""));
                (segment.sample_rate, segment.channels) = (Some(file.rate), Some(file.channels));
                (segment.bytes, segment.sha256) = (Some(file.bytes), Some(file.sha256));
            }
            if let Some(file) = files.denoised {
                segment.denoised_path = Some(name(&file, DENOISED_INFIX));
                (segment.denoised_bytes, segment.denoised_sha256) = (Some(file.bytes), Some(file.sha256));
            }
            segments.push(segment);
        }
        Written { segments, speech, dropped, staging: self.staging }
    }

    /// The parts of a segment's row that do not depend on a file.
    fn row(&self, finished: &FinishedSegment) -> Segment {
        let FinishedSegment { chunk: Chunk { speech, parts }, channel, quality, denoised_snr_db } = finished;
        let mut segment = Segment {
            channel: *channel,
            start_sample: speech.start,
            end_sample: speech.end,
            start_s: seconds(speech.start),
            end_s: seconds(speech.end),
            mean_probability: f64::from(speech.mean_probability),
            min_probability: f64::from(speech.min_probability),
            cut: Some(speech.cut.name().to_owned()),
            denoised_snr_db: *denoised_snr_db,
            parts: self.keeps_parts.then(|| json!(parts).to_string()),
            ..Segment::default()
        };
        quality.write_to(&mut segment);
        segment
    }
}
