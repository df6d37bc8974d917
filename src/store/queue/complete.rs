//! Writes a prepared recording: its facts, its segments and its probabilities, in one transaction.

use std::sync::Arc;

use prepare_audio_types::{PreparedRecording, Segment};

use super::ClaimKey;
use crate::store::{
    Result, Store, StoreError,
    backend::Transaction,
    columns::{self, FACTS, PROBABILITIES, SEGMENT},
    statement::{Statement, Value},
};

/// `$4` and on: the facts, `{facts}`. Returns how many rows of an earlier preparation have to be deleted.
const COMPLETE: &str = "
UPDATE recording SET state = 'done', lease_until = NULL, finished_at = {now}, {facts} WHERE {fence}
RETURNING (SELECT COUNT(*) FROM segment s WHERE s.recording_id = recording.id)
        + (SELECT COUNT(*) FROM probabilities p WHERE p.recording_id = recording.id) AS former";

/// The row that this very claim completed already, as when the answer to the first write was lost.
const IS_COMPLETED: &str = "
SELECT COUNT(*) AS completed FROM recording WHERE id = $1 AND token = $2 AND claim_id = $3 AND state = 'done'";

/// `$1` recording.
const DELETE_SEGMENTS: &str = "DELETE FROM segment WHERE recording_id = $1";

/// `$1` recording.
const DELETE_PROBABILITIES: &str = "DELETE FROM probabilities WHERE recording_id = $1";

/// Columns of `segment` that come from the claim.
const CLAIM_COLUMNS: usize = 2;

/// Segments to an INSERT.
const SEGMENTS_AT_ONCE: usize = 500;

/// What SQLite takes; PostgreSQL takes twice as many.
const MAX_PARAMETERS: usize = 32_766;

const _: () = assert!((CLAIM_COLUMNS + SEGMENT.len()) * SEGMENTS_AT_ONCE <= MAX_PARAMETERS);

impl Store {
    /// Writes facts and segments and makes the recording done, in one transaction. Repeated under the same claim, it
    /// changes nothing more and succeeds: the answer to the first call may have been lost.
    ///
    /// The recording is shared, not copied, so that it can be repeated at no cost.
    ///
    /// # Errors
    /// [`StoreError::Lost`] if the claim is no longer valid; those of the database.
    pub async fn complete(&self, key: &ClaimKey, recording: impl Into<Arc<PreparedRecording>>) -> Result<()> {
        let (held, recording) = (key.clone(), recording.into());
        let done = self.call(|db| async move {
            let mut transaction = db.begin().await?;
            let done = write(&mut *transaction, &held, &recording).await?;
            if done.is_written() {
                transaction.commit().await?
            } else {
                transaction.rollback().await?
            }
            Ok(done)
        });
        match done.await? {
            Completion::Written | Completion::Repeated => Ok(()),
            Completion::Lost => Err(StoreError::Lost(key.id)),
        }
    }
}

/// The result of [`write()`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Completion {
    /// The recording is done.
    Written,
    /// It was already, by this very claim; nothing was changed.
    Repeated,
    /// The claim is no longer valid; nothing was changed.
    Lost,
}

impl Completion {
    fn is_written(self) -> bool {
        self == Self::Written
    }
}

/// Writes one recording within a transaction, which may hold others.
async fn write(transaction: &mut dyn Transaction, key: &ClaimKey, recording: &PreparedRecording) -> Result<Completion> {
    let text = COMPLETE.replace("{facts}", &columns::assignments(FACTS, 4));
    let facts = Statement::of_claim(text, key).bind_all(columns::values(FACTS, recording));
    // The fence comes first: it locks the row for the rest of the transaction.
    let former = transaction.execute(facts).await?.first(|row| row.integer("former"))?;
    let Some(former) = former else {
        let completed = transaction.execute(Statement::of_claim(IS_COMPLETED, key)).await?;
        let completed = completed.one(|row| row.integer("completed"))?;
        return Ok(if completed > 0 { Completion::Repeated } else { Completion::Lost });
    };
    if former > 0 {
        transaction.execute(Statement::new(DELETE_SEGMENTS).bind(key.id)).await?;
        transaction.execute(Statement::new(DELETE_PROBABILITIES).bind(key.id)).await?;
    }
    for segments in recording.segments.chunks(SEGMENTS_AT_ONCE) {
        transaction.execute(insert_segments(key, segments)).await?;
    }
    if let Some(probabilities) = &recording.probabilities {
        let text =
            format!("INSERT INTO probabilities (recording_id, {}) VALUES {{values}}", columns::names(PROBABILITIES));
        let row = std::iter::once(key.id.into()).chain(columns::values(PROBABILITIES, probabilities)).collect();
        let insert = Statement::insert(text, 1 + PROBABILITIES.len(), row);
        transaction.execute(Statement { persistent: true, ..insert }).await?; // always one row: the same text
    }
    Ok(Completion::Written)
}

fn insert_segments<'a>(key: &ClaimKey, segments: &'a [Segment]) -> Statement<'a> {
    let width = CLAIM_COLUMNS + SEGMENT.len();
    let mut rows: Vec<Value<'a>> = Vec::with_capacity(segments.len() * width);
    for segment in segments {
        rows.extend([key.id.into(), key.token.into()]);
        rows.extend(columns::values(SEGMENT, segment));
    }
    let text = format!("INSERT INTO segment (recording_id, token, {}) VALUES {{values}}", columns::names(SEGMENT));
    Statement::insert(text, width, rows)
}
