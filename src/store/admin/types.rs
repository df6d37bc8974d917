//! What operators see.

use serde::Serialize;

use crate::store::{State, row::Row};

/// Which recordings are to be tried again, with all their attempts.
#[derive(Clone, Copy, Debug)]
pub enum Again<'a> {
    /// Every failed and quarantined one.
    Unsuccessful,
    /// Those of these ids that failed or were quarantined or cancelled.
    These(&'a [i64]),
    /// Those of these ids, done ones too: their segments count again when they are prepared again.
    EvenDone(&'a [i64]),
    /// Failed and quarantined ones with one of these error codes.
    WithError(&'a [String]),
}

/// How many recordings are in a state, and how much audio they hold as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StateCount {
    /// The state.
    pub state: State,
    /// Number of recordings.
    pub recordings: i64,
    /// Their known length, seconds.
    pub duration_s: f64,
    /// Their speech, seconds.
    pub speech_s: f64,
    /// Their segments.
    pub segments: i64,
    /// How many of them are done with warnings: [`prepare_audio_types::PreparedRecording::warnings`].
    pub warned: i64,
    /// Their time of preparation, milliseconds, summed over recordings.
    pub total_ms: f64,
}

impl StateCount {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            state: State::read(row)?,
            recordings: row.integer("recordings")?,
            duration_s: row.real("duration_s")?,
            speech_s: row.real("speech_s")?,
            segments: row.integer("segments")?,
            warned: row.integer("warned")?,
            total_ms: row.real("total_ms")?,
        })
    }
}

/// A failed or quarantined recording, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// The recording's id.
    pub id: i64,
    /// Its source.
    pub source: String,
    /// `failed` or `quarantined`.
    pub state: String,
    /// The stable code of the error.
    pub error_code: String,
    /// The message.
    pub error: String,
    /// How often it was tried.
    pub attempts: i64,
    /// How often its worker died or was lost.
    pub crashes: i64,
    /// When, milliseconds since 1970.
    pub finished_at: i64,
}

impl Failure {
    pub(in crate::store) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.integer("id")?,
            source: row.text("source")?,
            state: row.text("state")?,
            error_code: row.text("error_code")?,
            error: row.text("error")?,
            attempts: row.integer("attempts")?,
            crashes: row.integer("crashes")?,
            finished_at: row.integer("finished_at")?,
        })
    }
}

/// A recording that some worker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    /// The recording's id.
    pub id: i64,
    /// Its source.
    pub source: String,
    /// The recipe that it is prepared with.
    pub recipe: String,
    /// The process that holds it: host, process id, and what makes it unique.
    pub worker: String,
    /// How long it has been held, milliseconds.
    pub held_ms: i64,
    /// How long the claim is valid without another heartbeat, milliseconds; below 0 it may be taken at any moment.
    pub lease_left_ms: i64,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// How often its worker died or was lost.
    pub crashes: i64,
}

impl Running {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.integer("id")?,
            source: row.text("source")?,
            recipe: row.text("recipe")?,
            worker: row.text("worker")?,
            held_ms: row.integer("held_ms")?,
            lease_left_ms: row.integer("lease_left_ms")?,
            attempts: row.integer("attempts")?,
            crashes: row.integer("crashes")?,
        })
    }
}
