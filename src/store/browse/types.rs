//! Rows of browsing, and what is searched for.

use prepare_audio_types::Gaps;

use crate::store::{State, columns, row::Row, statement::Value};

/// Which way a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To recordings that were added before, which have lesser ids.
    Older,
    /// To recordings that were added after.
    Newer,
}

impl Direction {
    pub(super) fn order(self) -> &'static str {
        match self {
            Self::Older => "DESC",
            Self::Newer => "ASC",
        }
    }
}

/// Which recordings are listed: those that meet every condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordingFilter {
    /// A part of the source. Whether capitals differ from small letters beyond ASCII depends on the database.
    pub source: Option<String>,
    /// Parts of the metadata's JSON text, all of which it has; compared in the same way.
    pub metadata: Vec<String>,
    /// The state.
    pub state: Option<State>,
    /// Whether few recordings have that state: they are found by its index, and sorted by id.
    pub is_rare: bool,
}

impl RecordingFilter {
    /// Whether every recording meets it.
    pub fn is_empty(&self) -> bool {
        self.source.is_none() && self.metadata.is_empty() && self.state.is_none()
    }

    /// Whether the recordings are found by the index on their state.
    pub fn uses_index(&self) -> bool {
        self.state.is_some() && self.is_rare
    }

    /// The conditions in SQL, and the values of their parameters, which are numbered from `first` on.
    pub(super) fn conditions(&self, first: usize) -> (String, Vec<Value<'static>>) {
        let mut text = self.state.map(|state| self.state_condition(state)).unwrap_or_default();
        let mut values = Vec::new();
        let source = self.source.iter().map(|part| ("r.source", part));
        for (column, part) in source.chain(self.metadata.iter().map(|part| ("r.metadata", part))) {
            text += &format!(" AND {column} {{like}} ${} ESCAPE '!'", first + values.len());
            values.push(containing(part).into());
        }
        (text, values)
    }

    /// A partial index serves a query that has the index's own condition, literally. `|| ''` keeps the database from all of
    /// them.
    fn state_condition(&self, state: State) -> String {
        let name = state.name();
        match state {
            _ if !self.is_rare => format!(" AND r.state || '' = '{name}'"),
            State::Failed | State::Quarantined => {
                format!(" AND r.state IN ('failed', 'quarantined') AND r.state = '{name}'")
            }
            _ => format!(" AND r.state = '{name}'"),
        }
    }
}

/// The pattern of texts that contain this one.
fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// A recording in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedRecording {
    /// Its id.
    pub id: i64,
    /// Its source.
    pub source: String,
    /// Its recipe; empty until it is claimed.
    pub recipe: String,
    /// Its state.
    pub state: State,
    /// Its length, seconds.
    pub duration_s: Option<f64>,
    /// Its speech, seconds.
    pub speech_s: Option<f64>,
    /// Its segments.
    pub segments: Option<u64>,
    /// Mean signal-to-noise ratio of its segments, dB.
    pub snr_db: Option<f64>,
    /// The code of its error.
    pub error_code: Option<String>,
    /// Its warnings, a JSON array.
    pub warnings: Option<String>,
    /// What the user's own table says of it, a JSON object.
    pub metadata: Option<String>,
}

impl ListedRecording {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.integer("id")?,
            source: row.text("source")?,
            recipe: row.text("recipe")?,
            state: State::read(row)?,
            duration_s: row.optional_real("duration_s")?,
            speech_s: row.optional_real("speech_s")?,
            segments: row.optional_integer("segments")?.map(columns::unsigned),
            snr_db: row.optional_real("snr_db")?,
            error_code: row.optional_text("error_code")?,
            warnings: row.optional_text("warnings")?,
            metadata: row.optional_text("metadata")?,
        })
    }
}

/// Everything that is known of a recording, besides its segments and probabilities.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordingDetails {
    /// Its id.
    pub id: i64,
    /// Its source.
    pub source: String,
    /// Its recipe; empty until it is claimed.
    pub recipe: String,
    /// Its state.
    pub state: State,
    /// How often it was tried.
    pub attempts: i64,
    /// How often its worker died or was lost.
    pub crashes: i64,
    /// How often it may be tried.
    pub max_attempts: i64,
    /// Counts its claims. A recording that was prepared again has a greater one.
    pub token: i64,
    /// The process that holds it, or held it last.
    pub worker: Option<String>,
    /// The code of its error.
    pub error_code: Option<String>,
    /// The message of its error.
    pub error: Option<String>,
    /// When it was added, milliseconds since 1970.
    pub created_at: i64,
    /// When it was claimed last, milliseconds since 1970.
    pub started_at: Option<i64>,
    /// When it ended, milliseconds since 1970.
    pub finished_at: Option<i64>,
    /// Name and version of the model.
    pub model: Option<String>,
    /// The recipe in words, JSON.
    pub parameters: Option<String>,
    /// The container's short name.
    pub container: Option<String>,
    /// The codec's short name.
    pub codec: Option<String>,
    /// Sample rate of the source, Hz.
    pub sample_rate: Option<i64>,
    /// Channels of the source.
    pub channels: Option<i64>,
    /// Length of the file in bytes.
    pub bytes: Option<i64>,
    /// Length at 16 kHz, in samples.
    pub samples: Option<u64>,
    /// Length in seconds.
    pub duration_s: Option<f64>,
    /// Its speech, seconds.
    pub speech_s: Option<f64>,
    /// Its segments.
    pub segments: Option<u64>,
    /// Packets that could not be decoded.
    pub decode_errors: i64,
    /// Its warnings, a JSON array of texts.
    pub warnings: Option<String>,
    /// Where silence replaces missing audio.
    pub gaps: Gaps,
    /// Where the gaps are, a JSON array `[[start_s, end_s], ...]`.
    pub gap_spans: Option<String>,
    /// Seconds by which the audio begins later than the film that it belongs to.
    pub start_offset_s: Option<f64>,
    /// The audio track that was prepared, from 1.
    pub track: Option<i64>,
    /// The audio tracks of a file with several, a JSON array.
    pub tracks: Option<String>,
    /// What the user's own table says of it, a JSON object.
    pub metadata: Option<String>,
    /// Mean loudness of its segments, LUFS.
    pub loudness_lufs: Option<f64>,
    /// Mean signal-to-noise ratio of its segments, dB.
    pub snr_db: Option<f64>,
    /// How long its preparation took, milliseconds.
    pub total_ms: Option<f64>,
}

impl RecordingDetails {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        let (gap_spans, lost_s) = (row.optional_text("gaps")?, row.optional_real("lost_s")?.unwrap_or_default());
        Ok(Self {
            id: row.integer("id")?,
            source: row.text("source")?,
            recipe: row.text("recipe")?,
            state: State::read(row)?,
            attempts: row.integer("attempts")?,
            crashes: row.integer("crashes")?,
            max_attempts: row.integer("max_attempts")?,
            token: row.integer("token")?,
            worker: row.optional_text("worker")?,
            error_code: row.optional_text("error_code")?,
            error: row.optional_text("error")?,
            created_at: row.integer("created_at")?,
            started_at: row.optional_integer("started_at")?,
            finished_at: row.optional_integer("finished_at")?,
            model: row.optional_text("model")?,
            parameters: row.optional_text("parameters")?,
            container: row.optional_text("container")?,
            codec: row.optional_text("codec")?,
            sample_rate: row.optional_integer("sample_rate")?,
            channels: row.optional_integer("channels")?,
            bytes: row.optional_integer("bytes")?,
            samples: row.optional_integer("samples")?.map(columns::unsigned),
            duration_s: row.optional_real("duration_s")?,
            speech_s: row.optional_real("speech_s")?,
            segments: row.optional_integer("segments")?.map(columns::unsigned),
            decode_errors: row.integer("decode_errors")?,
            warnings: row.optional_text("warnings")?,
            gaps: Gaps::from_json(gap_spans.as_deref(), lost_s),
            gap_spans,
            start_offset_s: row.optional_real("start_offset_s")?,
            track: row.optional_integer("track")?,
            tracks: row.optional_text("tracks")?,
            metadata: row.optional_text("metadata")?,
            loudness_lufs: row.optional_real("loudness_lufs")?,
            snr_db: row.optional_real("snr_db")?,
            total_ms: row.optional_real("total_ms")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_have_numbered_parameters() {
        assert_eq!(RecordingFilter::default().conditions(4), (String::new(), Vec::new()));
        let filter = RecordingFilter {
            source: Some("50%_off!".into()),
            metadata: vec!["de".into()],
            state: Some(State::Done),
            is_rare: false,
        };
        let (text, values) = filter.conditions(4);
        assert_eq!(
            text,
            " AND r.state || '' = 'done' AND r.source {like} $4 ESCAPE '!' AND r.metadata {like} $5 ESCAPE '!'"
        );
        assert_eq!(values, [Value::from("%50!%!_off!!%"), Value::from("%de%")]);
    }
}
