//! Ends attempts: prepared recordings with their facts, segments and probabilities, failures, and claims that are given
//! back. Several share a transaction.

use std::{collections::HashMap, sync::Arc};

use prepare_audio_types::{PackedProbabilities, PreparedRecording, Segment};

use super::{AfterFailure, ClaimKey, Ended, Ending, State, milliseconds, sql};
use crate::store::{
    Result, Store, StoreError,
    backend::Transaction,
    columns::{self, FACTS, PROBABILITIES, SEGMENT},
    statement::{Statement, Value},
};

/// The rows `new` have the claim, `column1` to `column3`, and the facts. Returns how many rows of an earlier preparation
/// have to be deleted.
const COMPLETE: &str = "
UPDATE recording SET state = 'done', lease_until = NULL, finished_at = {now}, {facts}
FROM (VALUES {values}) AS new WHERE {fence_of_new}
RETURNING id, token, claim_id,
          (SELECT COUNT(*) FROM segment s WHERE s.recording_id = recording.id)
        + (SELECT COUNT(*) FROM probabilities p WHERE p.recording_id = recording.id) AS former";

/// The row that this very claim completed already, as when the answer to the first write was lost.
const IS_COMPLETED: &str = "
SELECT COUNT(*) AS completed FROM recording WHERE id = $1 AND token = $2 AND claim_id = $3 AND state = 'done'";

/// `$1` recording.
const DELETE_SEGMENTS: &str = "DELETE FROM segment WHERE recording_id = $1";

/// `$1` recording.
const DELETE_PROBABILITIES: &str = "DELETE FROM probabilities WHERE recording_id = $1";

/// Recordings that one statement completes: as many of the first number as there are, and so on. There are few numbers, so
/// that the statements stay prepared.
const COMPLETED_AT_ONCE: [usize; 3] = [16, 4, 1];

/// Values of a claim's key.
const KEY_COLUMNS: usize = 3;

/// Columns of `segment` that come from the claim.
const CLAIM_COLUMNS: usize = 2;

/// Segments to an INSERT.
const SEGMENTS_AT_ONCE: usize = 500;

/// Recordings whose probabilities are in one INSERT.
const PROBABILITIES_AT_ONCE: usize = 100;

/// What SQLite takes; PostgreSQL takes twice as many.
const MAX_PARAMETERS: usize = 32_766;

const _: () = assert!((KEY_COLUMNS + FACTS.len()) * COMPLETED_AT_ONCE[0] <= MAX_PARAMETERS);
const _: () = assert!((CLAIM_COLUMNS + SEGMENT.len()) * SEGMENTS_AT_ONCE <= MAX_PARAMETERS);
const _: () = assert!((1 + PROBABILITIES.len()) * PROBABILITIES_AT_ONCE <= MAX_PARAMETERS);

impl Store {
    /// Ends attempts, each under its claim, all in one transaction. Returns what has changed, in the same order. An
    /// attempt whose claim is no longer valid is [`Ended::Lost`], and does not keep the others from ending.
    ///
    /// The call may be repeated: what the first one wrote, the second one leaves as it is, with the same result.
    ///
    /// # Errors
    /// Those of the database. Nothing is changed then.
    pub async fn end(&self, attempts: impl Into<Arc<[(ClaimKey, Ending)]>>) -> Result<Vec<Ended>> {
        let attempts = attempts.into();
        self.call(|db| async move {
            let mut transaction = db.begin().await?;
            let ended = end(&mut *transaction, &attempts).await?;
            if ended.iter().any(|ended| ended.is_written) {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            Ok(ended.into_iter().map(|ended| ended.outcome).collect())
        })
        .await
    }

    /// Writes facts and segments and makes the recording done, in one transaction. Repeated under the same claim, it
    /// changes nothing more and succeeds: the answer to the first call may have been lost.
    ///
    /// # Errors
    /// [`StoreError::Lost`] if the claim is no longer valid; those of the database.
    pub async fn complete(&self, key: &ClaimKey, recording: impl Into<Arc<PreparedRecording>>) -> Result<()> {
        let ended = self.end([(key.clone(), Ending::Done(recording.into()))]).await?;
        if ended == [Ended::Done] { Ok(()) } else { Err(StoreError::Lost(key.id)) }
    }

    /// Ends an attempt that failed; returns the recording's new state. It may be repeated, as [`Store::complete`] may.
    ///
    /// # Errors
    /// [`StoreError::Lost`] if the claim is no longer valid; those of the database.
    pub async fn fail(&self, key: &ClaimKey, code: &str, message: &str, after: AfterFailure) -> Result<State> {
        let ending = Ending::Failed { code: code.to_owned(), message: message.to_owned(), after };
        match self.end([(key.clone(), ending)]).await?[..] {
            [Ended::Failed(state)] => Ok(state),
            _ => Err(StoreError::Lost(key.id)),
        }
    }
}

/// The result of one attempt within a transaction.
struct Written {
    outcome: Ended,
    /// Whether anything was changed for it.
    is_written: bool,
}

/// Ends attempts within a transaction: first those that failed or are given back, then those that are done, each in the order
/// of their keys. Only valid claims lock rows, and a row has one, so that no two processes wait for each other in a circle.
async fn end(transaction: &mut dyn Transaction, attempts: &[(ClaimKey, Ending)]) -> Result<Vec<Written>> {
    let mut order: Vec<usize> = (0..attempts.len()).collect();
    order.sort_by_key(|&index| &attempts[index].0);
    let mut outcomes: Vec<Option<Written>> = attempts.iter().map(|_| None).collect();
    let mut prepared = Vec::new();
    for index in order {
        let (key, ending) = &attempts[index];
        outcomes[index] = match ending {
            Ending::Done(recording) => {
                prepared.push((index, key, &**recording));
                None
            }
            Ending::Failed { code, message, after } => Some(fail(transaction, key, code, message, *after).await?),
            Ending::Released => {
                let released = transaction.execute(Statement::of_claim(sql::RELEASE, key)).await?.affected > 0;
                Some(Written { outcome: if released { Ended::Released } else { Ended::Lost }, is_written: released })
            }
        };
    }
    let mut rest = &prepared[..];
    for number in COMPLETED_AT_ONCE {
        while let Some((group, others)) = rest.split_at_checked(number) {
            rest = others;
            for ((index, ..), written) in group.iter().zip(complete(transaction, group).await?) {
                outcomes[*index] = Some(written);
            }
        }
    }
    let is_written = |index: usize| outcomes[index].as_ref().is_some_and(|written| written.is_written);
    prepared.retain(|(index, ..)| is_written(*index));
    let segments = prepared.iter().flat_map(|(_, key, recording)| recording.segments.iter().map(|one| (*key, one)));
    for segments in segments.collect::<Vec<_>>().chunks(SEGMENTS_AT_ONCE) {
        transaction.execute(insert_segments(segments)).await?;
    }
    let packed = prepared.iter().flat_map(|(_, key, recording)| recording.probabilities.iter().map(|one| (*key, one)));
    for packed in packed.collect::<Vec<_>>().chunks(PROBABILITIES_AT_ONCE) {
        transaction.execute(insert_probabilities(packed)).await?;
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// Makes recordings done, and deletes the rows of earlier preparations. The segments are not inserted yet.
async fn complete(
    transaction: &mut dyn Transaction,
    group: &[(usize, &ClaimKey, &PreparedRecording)],
) -> Result<Vec<Written>> {
    let width = KEY_COLUMNS + FACTS.len();
    let mut rows: Vec<Value<'_>> = Vec::with_capacity(group.len() * width);
    for (_, key, recording) in group {
        rows.extend([key.id.into(), key.token.into(), (&key.claim_id).into()]);
        rows.extend(columns::values(FACTS, *recording));
    }
    let text = COMPLETE.replace("{facts}", &columns::assignments(FACTS, "new", KEY_COLUMNS));
    let complete = Statement { persistent: true, ..Statement::insert(text, width, rows) };
    // The fence comes first: it locks the rows for the rest of the transaction.
    let completed = transaction.execute(complete).await?;
    let completed = completed.all(|row| Ok((ClaimKey::read(row)?, row.integer("former")?)))?;
    let completed: HashMap<ClaimKey, i64> = completed.into_iter().collect();
    let mut written = Vec::with_capacity(group.len());
    for (_, key, _) in group {
        let Some(former) = completed.get(*key) else {
            let completed = transaction.execute(Statement::of_claim(IS_COMPLETED, key)).await?;
            let completed = completed.one(|row| row.integer("completed"))?;
            let outcome = if completed > 0 { Ended::Done } else { Ended::Lost };
            written.push(Written { outcome, is_written: false });
            continue;
        };
        if *former > 0 {
            transaction.execute(Statement::new(DELETE_SEGMENTS).bind(key.id)).await?;
            transaction.execute(Statement::new(DELETE_PROBABILITIES).bind(key.id)).await?;
        }
        written.push(Written { outcome: Ended::Done, is_written: true });
    }
    Ok(written)
}

async fn fail(
    transaction: &mut dyn Transaction,
    key: &ClaimKey,
    code: &str,
    message: &str,
    after: AfterFailure,
) -> Result<Written> {
    let delay = match after {
        AfterFailure::GiveUp => None,
        AfterFailure::RetryIn(delay) => Some(milliseconds(delay)),
    };
    let fail = Statement::of_claim(sql::FAIL, key).bind(code).bind(message).bind(delay);
    if let Some(state) = transaction.execute(fail).await?.first(State::read)? {
        return Ok(Written { outcome: Ended::Failed(state), is_written: true });
    }
    let failed = transaction.execute(Statement::of_claim(sql::IS_FAILED, key).bind(code)).await?;
    let outcome = failed.first(State::read)?.map_or(Ended::Lost, Ended::Failed);
    Ok(Written { outcome, is_written: false })
}

fn insert_segments<'a>(segments: &[(&'a ClaimKey, &'a Segment)]) -> Statement<'a> {
    let width = CLAIM_COLUMNS + SEGMENT.len();
    let mut rows: Vec<Value<'a>> = Vec::with_capacity(segments.len() * width);
    for (key, segment) in segments {
        rows.extend([key.id.into(), key.token.into()]);
        rows.extend(columns::values(SEGMENT, *segment));
    }
    let text = format!("INSERT INTO segment (recording_id, token, {}) VALUES {{values}}", columns::names(SEGMENT));
    Statement::insert(text, width, rows)
}

fn insert_probabilities<'a>(probabilities: &[(&'a ClaimKey, &'a PackedProbabilities)]) -> Statement<'a> {
    let width = 1 + PROBABILITIES.len();
    let mut rows: Vec<Value<'a>> = Vec::with_capacity(probabilities.len() * width);
    for (key, packed) in probabilities {
        rows.push(key.id.into());
        rows.extend(columns::values(PROBABILITIES, *packed));
    }
    let text = format!("INSERT INTO probabilities (recording_id, {}) VALUES {{values}}", columns::names(PROBABILITIES));
    let insert = Statement::insert(text, width, rows);
    Statement { persistent: probabilities.len() == 1, ..insert } // the text of one row is always the same
}
