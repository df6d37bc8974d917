//! Figures of segments that are computed after their recording was done.

use prepare_audio_pipeline::RecordingQuality;
use prepare_audio_types::{PackedProbabilities, Segment};

use super::{sql::with_columns, types};
use crate::store::{
    Result, Selection, Store,
    columns::{self, PROBABILITIES, QUALITY, rows, signed, unsigned},
    row::Row,
    statement::{Statement, Value},
};

/// `$1` what `{which}` needs, `$2` the recording to start behind, `$3` limit, `$4` whether scores are wanted.
const UNMEASURED: &str = "
SELECT r.id, r.source FROM recording r
WHERE r.state = 'done' AND {which} AND r.id > $2 AND EXISTS (
    SELECT 1 FROM segment s
    WHERE s.recording_id = r.id AND (s.peak_dbfs IS NULL OR CAST($4 AS BIGINT) = 1 AND s.dnsmos_overall IS NULL))
ORDER BY r.id LIMIT $3";

/// `$1` what `{which}` needs.
const COUNTS: &str = "
SELECT COUNT(*) AS segments, COUNT(s.peak_dbfs) AS measured, COUNT(s.dnsmos_overall) AS scored,
       COUNT(DISTINCT CASE WHEN s.peak_dbfs IS NULL THEN r.id END) AS unmeasured_recordings,
       COUNT(DISTINCT CASE WHEN s.dnsmos_overall IS NULL THEN r.id END) AS unscored_recordings
FROM recording r JOIN segment s ON s.recording_id = r.id WHERE r.state = 'done' AND {which}";

/// `$1` recording.
const RECORDING: &str = "SELECT token, parameters, codec, samples FROM recording WHERE id = $1 AND state = 'done'";

/// `$1` recording.
const STORED_PROBABILITIES: &str = "SELECT {probabilities} FROM probabilities p WHERE p.recording_id = $1";

/// `$1` recording.
const SEGMENTS: &str = "SELECT {segment} FROM segment s WHERE s.recording_id = $1 ORDER BY s.idx";

/// `$1` recording, `$2` token, `$3` to `$6` the means of its segments. A recording that was prepared again has another token.
const SET_RECORDING: &str = "
UPDATE recording SET speech_ratio = speech_s / NULLIF(duration_s, 0), loudness_lufs = $3, snr_db = $4,
       denoised_snr_db = $5, dnsmos_overall = $6
WHERE id = $1 AND token = $2 AND state = 'done'";

/// The rows `new` have the recording, the position, and the figures.
const SET_SEGMENTS: &str = "
UPDATE segment SET {figures} FROM (VALUES {values}) AS new
WHERE segment.recording_id = new.column1 AND segment.idx = new.column2";

/// Columns of [`SET_SEGMENTS`] before the figures.
const KEY_COLUMNS: usize = 2;

/// Segments to an UPDATE.
const SEGMENTS_AT_ONCE: usize = 500;

/// How many segments have figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QualityCounts {
    /// Segments of done recordings.
    pub segments: u64,
    /// Those with all figures but scores.
    pub measured: u64,
    /// Those with scores of DNSMOS.
    pub scored: u64,
    /// Recordings with segments without figures.
    pub unmeasured_recordings: u64,
    /// Recordings with segments without scores.
    pub unscored_recordings: u64,
}

/// A done recording with what its segments are measured from, besides its audio.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurableRecording {
    /// Its id.
    pub id: i64,
    /// Its claims so far, which tell whether it was prepared again meanwhile.
    pub token: i64,
    /// Its recipe in full, JSON.
    pub parameters: String,
    /// Its codec.
    pub codec: String,
    /// Its length at 16 kHz, in samples.
    pub samples: u64,
    /// Its probabilities, if they are stored.
    pub probabilities: Option<PackedProbabilities>,
    /// Its segments in order.
    pub segments: Vec<Segment>,
}

impl Store {
    /// Ids and sources of done recordings with segments that have no figures, or with `scores` no scores, in order of their
    /// ids, in pages: those after `after`.
    pub async fn unmeasured(
        &self,
        of: &Selection,
        scores: bool,
        after: i64,
        limit: usize,
    ) -> Result<Vec<(i64, String)>> {
        let page = of.statement(UNMEASURED).bind(after).bind(rows(limit)).bind(i64::from(scores));
        self.read(page).await?.all(|row| Ok((row.integer("id")?, row.text("source")?)))
    }

    /// How many segments of `of` have figures.
    pub async fn quality_counts(&self, of: &Selection) -> Result<QualityCounts> {
        self.read(of.statement(COUNTS)).await?.one(|row| {
            let count = |name| row.integer(name).map(unsigned);
            Ok(QualityCounts {
                segments: count("segments")?,
                measured: count("measured")?,
                scored: count("scored")?,
                unmeasured_recordings: count("unmeasured_recordings")?,
                unscored_recordings: count("unscored_recordings")?,
            })
        })
    }

    /// What the segments of a recording are measured from; `None` if it is no longer done.
    pub async fn measurable(&self, id: i64) -> Result<Option<MeasurableRecording>> {
        self.call(|db| async move {
            let recording = db.read(Statement::new(RECORDING).bind(id)).await?;
            let Some(mut recording) = recording.first(|row| recording_row(id, row))? else { return Ok(None) };
            let none = || PackedProbabilities { model_key: String::new(), coding: 0, windows: 0, data: Vec::new() };
            let stored = db.read(Statement::new(with_columns(STORED_PROBABILITIES)).bind(id)).await?;
            recording.probabilities = stored.first(|row| columns::read(PROBABILITIES, none(), row))?;
            let segments = db.read(Statement::new(with_columns(SEGMENTS)).bind(id)).await?;
            recording.segments = segments.all(types::segment)?;
            Ok(Some(recording))
        })
        .await
    }

    /// Writes the figures of a recording and of its segments. Returns whether it was still the same preparation; if it was
    /// not, nothing is changed.
    pub async fn set_quality(
        &self,
        id: i64,
        token: i64,
        quality: RecordingQuality,
        segments: Vec<Segment>,
    ) -> Result<bool> {
        self.call(|db| async move {
            let RecordingQuality { loudness_lufs, snr_db, denoised_snr_db, dnsmos_overall } = quality;
            let means = [loudness_lufs, snr_db, denoised_snr_db, dnsmos_overall].map(Value::Real);
            let mut transaction = db.begin().await?;
            let set = Statement::new(SET_RECORDING).bind(id).bind(token).bind_all(means);
            if transaction.execute(set).await?.affected == 0 {
                transaction.rollback().await?;
                return Ok(false);
            }
            for segments in segments.chunks(SEGMENTS_AT_ONCE) {
                transaction.execute(set_segments(id, segments)).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }
}

fn recording_row(id: i64, row: &Row) -> sqlx::Result<MeasurableRecording> {
    Ok(MeasurableRecording {
        id,
        token: row.integer("token")?,
        parameters: row.optional_text("parameters")?.unwrap_or_default(),
        codec: row.optional_text("codec")?.unwrap_or_default(),
        samples: row.optional_integer("samples")?.map(unsigned).unwrap_or_default(),
        probabilities: None,
        segments: Vec::new(),
    })
}

fn set_segments(recording: i64, segments: &[Segment]) -> Statement<'_> {
    let width = KEY_COLUMNS + QUALITY.len();
    let mut values = Vec::with_capacity(segments.len() * width);
    for segment in segments {
        values.extend([Value::from(recording), signed(segment.idx).into()]);
        values.extend(columns::values(QUALITY, segment));
    }
    let text = SET_SEGMENTS.replace("{figures}", &columns::assignments(QUALITY, "new", KEY_COLUMNS));
    Statement::insert(text, width, values)
}
