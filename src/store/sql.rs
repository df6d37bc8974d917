//! The statements. One text serves both databases; the few words that they spell differently stand in braces.
//!
//! Parameters that name a claim are always `$1` id, `$2` token, `$3` claim_id.

use serde_json::json;
use sqlx::AssertSqlSafe;

use super::{Again, Company, Scope, Selection};

/// How one database spells the words in braces.
#[derive(Debug)]
pub struct Dialect {
    /// `{now}`: milliseconds since 1970 by the database's clock.
    pub now: &'static str,
    /// `{nonce}`: 128 random bits as 32 hex digits, new for each row.
    pub nonce: &'static str,
    /// `{lock}`: ends a SELECT whose rows `r` are about to be changed; passes over rows that somebody else is changing.
    pub lock: &'static str,
    /// `{list}`: the rows `list(value, position)` of the JSON array in `$1`.
    pub list: &'static str,
    /// `{new}`: those rows as `new(source, priority, metadata, position)`, each value an array of the first three.
    pub new: &'static str,
}

impl Dialect {
    /// Fills in the braces. Nothing that a user typed gets into the text: values are always bound.
    pub fn sql(&self, text: &str) -> AssertSqlSafe<String> {
        #[cfg(feature = "fault-injection")]
        let text = &crate::faults::statement(text);
        AssertSqlSafe(
            text.replace("{fence}", fence())
                .replace("{new}", self.new)
                .replace("{now}", self.now)
                .replace("{nonce}", self.nonce)
                .replace("{lock}", self.lock)
                .replace("{list}", self.list),
        )
    }
}

/// What `{fence}` stands for.
fn fence() -> &'static str {
    "id = $1 AND token = $2 AND claim_id = $3 AND state = 'running'"
}

/// `$1` sources as JSON, `$2` recipe or NULL: what [`ADD`] would add.
pub const UNKNOWN: &str = "
SELECT list.value FROM {list}
WHERE NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = list.value
                  AND ($2 IS NULL OR o.recipe = $2 OR o.state IN ('pending', 'running')))
GROUP BY list.value ORDER BY MIN(list.position)";

/// `$1` recordings as JSON, each `[source, priority, metadata]`; `$2` recipe or NULL. A source that is new work under
/// another recipe keeps what is known of it.
pub const ADD: &str = "
INSERT INTO recording (source, priority, metadata)
SELECT new.source, new.priority,
       COALESCE(new.metadata, (SELECT MAX(o.metadata) FROM recording o WHERE o.source = new.source))
FROM {new}
WHERE NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = new.source
                  AND ($2 IS NULL OR o.recipe = $2 OR o.state IN ('pending', 'running')))
ORDER BY new.position
ON CONFLICT DO NOTHING";

/// `$1` limit, `$2` recipe, `$3` worker, `$4` lease, `$5` the most attempts, or NULL for the row's own.
///
/// `{company}` says whether recordings that took a process down are wanted: those alone, or none of them.
///
/// A claimed row takes the claimer's recipe, and (source, recipe) is unique. So a row is passed over when its source has
/// that recipe already; and of several pending rows of one source, which all would get it, only the first is taken.
/// MATERIALIZED, because PostgreSQL may otherwise run the LIMIT more than once and claim too many. `+ 0` and the missing
/// `state = 'pending'` at the end (the lock on `r` makes it needless) keep PostgreSQL from going through all pending rows:
/// a table that was just filled has no statistics, and a claim among a million rows took 33 ms instead of 0.1.
pub const CLAIM: &str = "
WITH chosen AS MATERIALIZED (
    SELECT r.id FROM recording r
    WHERE r.state = 'pending' AND {company} AND r.available_at <= {now} {bound}
      AND (r.recipe = $2 OR NOT EXISTS (
          SELECT 1 FROM recording o
          WHERE o.source = r.source
            AND (o.recipe = $2
                 OR o.state = 'pending' AND o.available_at <= {now}
                    AND (o.priority + 0, o.available_at, o.id) < (r.priority, r.available_at, r.id))))
    ORDER BY r.priority, r.available_at, r.id
    LIMIT $1 {lock}
)
UPDATE recording
SET state = 'running', recipe = $2, worker = $3, lease_until = {now} + $4, started_at = {now}, claim_id = {nonce},
    token = token + 1, attempts = attempts + 1, max_attempts = COALESCE($5, max_attempts), error_code = NULL,
    error = NULL, finished_at = NULL
FROM chosen
WHERE recording.id = chosen.id
RETURNING recording.id, token, claim_id, source, attempts, max_attempts, crashes";

/// How long the first suspected recording has been waiting since its last attempt ended, or since it may be claimed; NULL
/// where there is none.
pub const SUSPECT_WAITS: &str = "
SELECT {now} - MIN(CASE WHEN r.finished_at > r.available_at THEN r.finished_at ELSE r.available_at END) FROM recording r
WHERE r.state = 'pending' AND r.crashes > 0 AND r.available_at <= {now}";

/// `$1` worker: the claims that it has according to the table.
pub const CLAIMS_OF: &str = "
SELECT id, token, COALESCE(claim_id, '') AS claim_id FROM recording WHERE state = 'running' AND worker = $1";

/// Who holds what.
pub const RUNNING: &str = "
SELECT id, source, recipe, COALESCE(worker, '?') AS worker, {now} - COALESCE(started_at, {now}) AS held_ms,
       COALESCE(lease_until, 0) - {now} AS lease_left_ms, attempts, crashes
FROM recording WHERE state = 'running' ORDER BY worker, started_at, id";

/// `$4` lease.
pub const HEARTBEAT: &str = "UPDATE recording SET lease_until = {now} + $4 WHERE {fence}";

/// `$4` and on: the facts, in the order of [`super::Outcome`]. Returns how many rows of an earlier preparation have to go.
pub const COMPLETE: &str = "
UPDATE recording
SET state = 'done', lease_until = NULL, finished_at = {now},
    parameters = $4, model = $5, container = $6, codec = $7, sample_rate = $8, channels = $9, bytes = $10,
    samples = $11, duration_s = $12, speech_s = $13, decode_errors = $14, truncated = $15,
    decode_ms = $16, resample_ms = $17, vad_ms = $18, write_ms = $19, total_ms = $20, segments = $21, warnings = $22
WHERE {fence}
RETURNING (SELECT COUNT(*) FROM segment s WHERE s.recording_id = recording.id)
        + (SELECT COUNT(*) FROM probabilities p WHERE p.recording_id = recording.id)";

/// The row that this very claim completed already, as when the answer to the first writing got lost.
pub const IS_COMPLETED: &str = "
SELECT COUNT(*) FROM recording WHERE id = $1 AND token = $2 AND claim_id = $3 AND state = 'done'";

/// `$1` recording.
pub const DELETE_SEGMENTS: &str = "DELETE FROM segment WHERE recording_id = $1";

/// The start of an INSERT of many rows, whose values are in the order of [`super::Segment`].
pub const INSERT_SEGMENTS: &str = "
INSERT INTO segment (recording_id, token, idx, start_sample, end_sample, start_s, end_s, path, sha256,
                     mean_probability, min_probability, cut, level_dbfs, parts, channel, bytes, sample_rate, channels) ";

/// `$1` recording.
pub const DELETE_PROBABILITIES: &str = "DELETE FROM probabilities WHERE recording_id = $1";

/// `$1` recording, and the fields of [`super::Probabilities`] in their order.
pub const INSERT_PROBABILITIES: &str = "
INSERT INTO probabilities (recording_id, hearing, coding, windows, data) VALUES ($1, $2, $3, $4, $5)";

/// `$1` what `{which}` needs, `$2` recipe, `$3` hearing.
pub const RESEGMENTABLE: &str = "SELECT COUNT(DISTINCT r.source) {resegmentable}";

/// `$1` what `{which}` needs, `$2` recipe, `$3` hearing: done sources that [`RESEGMENT`] has nothing to work with for.
pub const FORGOTTEN: &str = "
SELECT COUNT(DISTINCT r.source) FROM recording r
WHERE {which} AND r.state = 'done'
  AND NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = r.source AND o.recipe = $2)
  AND NOT EXISTS (SELECT 1 FROM recording k JOIN probabilities p ON p.recording_id = k.id
                  WHERE k.source = r.source AND k.state = 'done' AND p.hearing = $3)";

/// `$1` what `{which}` needs, `$2` recipe, `$3` hearing.
pub const RESEGMENT: &str = "
INSERT INTO recording (source, recipe, priority, max_attempts, metadata)
SELECT r.source, $2, MIN(r.priority), MAX(r.max_attempts), MAX(r.metadata) {resegmentable}
GROUP BY r.source ORDER BY MIN(r.id)
ON CONFLICT DO NOTHING";

/// What `{resegmentable}` stands for.
pub const FROM_RESEGMENTABLE: &str = "
FROM recording r JOIN probabilities p ON p.recording_id = r.id
WHERE {which} AND r.state = 'done' AND p.hearing = $3
  AND NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = r.source AND o.recipe = $2)";

/// `$1` source, `$2` hearing.
pub const KNOWN: &str = "
SELECT r.id, r.container, r.codec, r.sample_rate, r.channels, r.bytes, r.samples, r.decode_errors, r.truncated,
       r.warnings, p.hearing, p.coding, p.windows, p.data
FROM recording r JOIN probabilities p ON p.recording_id = r.id
WHERE r.source = $1 AND r.state = 'done' AND p.hearing = $2
ORDER BY r.finished_at DESC, r.id DESC LIMIT 1";

/// `$1` recording: the segments of all recordings of its source that heard the very same.
pub const KNOWN_SEGMENTS: &str = "
SELECT r.parameters, s.idx, s.start_sample, s.end_sample, s.start_s, s.end_s, NULLIF(s.path, '') AS path,
       NULLIF(s.sha256, '') AS sha256, s.mean_probability,
       s.min_probability, s.cut, s.level_dbfs, s.parts, s.channel, s.bytes, s.sample_rate, s.channels
FROM recording k JOIN probabilities kp ON kp.recording_id = k.id
     JOIN recording r ON r.source = k.source AND r.samples = k.samples AND r.state = 'done'
     JOIN probabilities p ON p.recording_id = r.id AND p.data = kp.data
     JOIN segment s ON s.recording_id = r.id
WHERE k.id = $1
ORDER BY s.recording_id DESC, s.idx";

/// The claim for a scope and a company.
pub fn claim(scope: Scope, company: Company) -> String {
    let company = match company {
        Company::Many => "r.crashes = 0",
        Company::Alone => "r.crashes > 0",
    };
    scoped(CLAIM, scope, "$2").replace("{company}", company)
}

/// A statement for a claimer's scope, whose recipe is `recipe` of its parameters.
pub fn scoped(text: &str, scope: Scope, recipe: &str) -> String {
    match scope {
        Scope::Any => text.replace("{bound}", ""),
        Scope::Bound => text.replace("{bound}", &format!("AND r.recipe = {recipe}")),
    }
}

/// `$4` error code, `$5` message, `$6` delay until the next attempt or NULL for none.
pub const FAIL: &str = "
UPDATE recording
SET state = CASE WHEN $6 IS NOT NULL AND attempts < max_attempts THEN 'pending' ELSE 'failed' END,
    available_at = COALESCE({now} + $6, available_at), finished_at = {now}, lease_until = NULL,
    error_code = $4, error = $5
WHERE {fence}
RETURNING state";

/// `$4` error code: where the row went that this very claim failed already, as when the first answer got lost.
pub const IS_FAILED: &str = "
SELECT state FROM recording
WHERE id = $1 AND token = $2 AND claim_id = $3 AND state IN ('pending', 'failed') AND error_code = $4";

/// The attempt is taken back; the token stays, because it never falls.
pub const RELEASE: &str = "
UPDATE recording SET state = 'pending', lease_until = NULL, finished_at = {now}, attempts = attempts - 1 WHERE {fence}";

/// What a reaper has to know of the running rows where a lease alone does not tell.
pub const LEASES: &str = "
SELECT id, token, COALESCE(worker, '') AS worker, lease_until, CASE WHEN lease_until < {now} THEN 1 ELSE 0 END AS lapsed
FROM recording WHERE state = 'running'";

/// Takes back what nobody holds any more: `$1` their ids as JSON, or NULL for all whose lease ran out.
///
/// They may be claimed at once, as they could before. `available_at` does not become now: on SQLite that is this process's
/// clock, and where somebody sets it back later, they would wait until it has caught up.
pub const REAP: &str = "
WITH lapsed AS MATERIALIZED (
    SELECT r.id FROM recording r
    WHERE r.state = 'running'
      AND ($1 IS NULL AND r.lease_until < {now} OR r.id IN (SELECT CAST(list.value AS BIGINT) FROM {list})) {lock}
)
UPDATE recording
SET state = CASE WHEN attempts < max_attempts THEN 'pending' ELSE 'quarantined' END,
    token = token + 1, crashes = crashes + 1, lease_until = NULL, finished_at = {now},
    error_code = 'crashed',
    error = 'the worker ' || COALESCE(worker, '?') || ' vanished while it held this recording (attempt '
        || attempts || ' of ' || max_attempts || '): its process died, or its machine was cut off'
        || CASE WHEN attempts < max_attempts THEN ''
                ELSE '. `prepare-audio retry ' || recording.id || '` tries again' END
FROM lapsed
WHERE recording.id = lapsed.id
RETURNING state, source, recipe, COALESCE(claim_id, '') AS claim_id, error";

/// `$1` recipe.
pub const DROP_DUPLICATES: &str = "
DELETE FROM recording
WHERE state = 'pending' AND attempts = 0 AND recipe = ''
  AND EXISTS (SELECT 1 FROM recording o WHERE o.source = recording.source AND o.recipe = $1
              AND o.state IN ('done', 'failed', 'quarantined', 'running'))";

/// `$1` recipe.
pub const OUTLOOK: &str = "
WITH waiting AS (
    SELECT r.available_at FROM recording r
    WHERE r.state = 'pending' {bound}
      AND (r.recipe = $1 OR NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = r.source AND o.recipe = $1))
), due AS (
    SELECT MIN(available_at) AS at FROM waiting
    UNION ALL SELECT MIN(r.lease_until) FROM recording r WHERE r.state = 'running' {bound}
)
SELECT (SELECT COUNT(*) FROM waiting) AS pending,
       (SELECT COUNT(*) FROM recording r WHERE r.state = 'running' {bound}) AS running,
       (SELECT MIN(at) FROM due) - {now} AS next_in_ms";

/// `$1` ids or error codes as JSON, or NULL where `{which}` needs none.
const RETRY: &str = "
UPDATE recording
SET state = 'pending', attempts = 0, crashes = 0, available_at = 0, finished_at = NULL, error_code = NULL, error = NULL
WHERE {which}";

/// The statement that puts rows back to pending, and its `$1`.
pub fn retry(again: &Again<'_>) -> (String, Option<String>) {
    const NAMED: &str = "id IN (SELECT CAST(list.value AS BIGINT) FROM {list})";
    let (which, value) = match again {
        Again::Unsuccessful => (format!("state IN ('failed', 'quarantined') AND ($1 IS NULL OR {NAMED})"), None),
        Again::These(ids) => (format!("state IN ('failed', 'quarantined', 'cancelled') AND {NAMED}"), Some(json!(ids))),
        Again::EvenDone(ids) => (format!("state NOT IN ('pending', 'running') AND {NAMED}"), Some(json!(ids))),
        Again::WithError(codes) => {
            let coded = "state IN ('failed', 'quarantined') AND error_code IN (SELECT list.value FROM {list})";
            (coded.to_owned(), Some(json!(codes)))
        }
    };
    (RETRY.replace("{which}", &which), value.map(|value| value.to_string()))
}

/// `$1` what `{which}` needs: no more work for these. What is done stays done.
pub const CANCEL: &str = "
UPDATE recording AS r
SET state = 'cancelled', lease_until = NULL, finished_at = {now}
WHERE {which} AND r.state IN ('pending', 'running', 'failed', 'quarantined')";

/// Sums by state.
pub const COUNTS: &str = "
SELECT state, COUNT(*) AS recordings, COALESCE(SUM(duration_s), 0.0) AS duration_s,
       COALESCE(SUM(speech_s), 0.0) AS speech_s, CAST(COALESCE(SUM(segments), 0) AS BIGINT) AS segments,
       COALESCE(SUM(total_ms), 0.0) AS total_ms,
       CAST(SUM(CASE WHEN truncated <> 0 OR decode_errors > 0 OR warnings IS NOT NULL THEN 1 ELSE 0 END) AS BIGINT) AS warned
FROM recording GROUP BY state";

/// `$1` limit. `{states}` are the states that are wanted.
pub const FAILURES: &str = "
SELECT r.id, r.source, r.state, COALESCE(r.error_code, '') AS error_code, COALESCE(r.error, '') AS error,
       r.attempts, r.crashes, COALESCE(r.finished_at, 0) AS finished_at
FROM recording r WHERE r.state IN ({states})
ORDER BY r.finished_at DESC, r.id DESC LIMIT $1";

/// What recordings failed with.
pub const ERROR_CODES: &str = "
SELECT error_code, COUNT(*) FROM recording
WHERE state IN ('failed', 'quarantined') AND error_code IS NOT NULL GROUP BY error_code ORDER BY error_code";

/// `$1` recipe, `$2` id to start behind, `$3` limit.
pub const PENDING: &str = "
SELECT r.id, r.source FROM recording r
WHERE r.state = 'pending' AND r.id > $2
  AND (r.recipe = $1 OR NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = r.source AND o.recipe = $1))
ORDER BY r.id LIMIT $3";

/// `$1` what `{which}` needs, `$2` and `$3` the recording and position to start behind, `$4` limit.
pub const SEGMENTS: &str = "
SELECT s.recording_id, r.source, r.recipe, r.metadata, s.idx, s.start_sample, s.end_sample, s.start_s, s.end_s, NULLIF(s.path, '') AS path,
       NULLIF(s.sha256, '') AS sha256,
       s.mean_probability, s.min_probability, s.cut, s.level_dbfs, s.parts, s.channel, s.bytes, s.sample_rate, s.channels
FROM segment s JOIN recording r ON r.id = s.recording_id
WHERE r.state = 'done' AND {which} AND (s.recording_id, s.idx) > ($2, $3)
ORDER BY s.recording_id, s.idx LIMIT $4";

/// `$1` and `$2` the recording and position to start behind, `$3` limit.
pub const REFERENCED: &str = "
SELECT recording_id, idx, path FROM segment JOIN recording r ON r.id = recording_id
WHERE (recording_id, idx) > ($1, $2) AND path <> '' ORDER BY recording_id, idx LIMIT $3";

/// What tells this database from others.
pub const IDENTITY: &str = "SELECT id FROM identity";

/// What sqlx wrote down when it brought the tables up to date.
pub const SCHEMA: &str = "SELECT MAX(version) FROM _sqlx_migrations";

/// The same, change by change.
pub const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";

/// `$1` what `{which}` needs.
pub const MATCHING: &str = "SELECT COUNT(*) FROM recording r WHERE {which}";

/// A statement about what `of` has to be cut anew, and the value that it needs as `$1`.
pub fn resegment(text: &str, of: &Selection) -> (String, String) {
    let (which, value) = which(of);
    (text.replace("{resegmentable}", FROM_RESEGMENTABLE).replace("{which}", which), value)
}

/// What `{which}` stands for, and the value that it needs as `$1`.
pub fn which(of: &Selection) -> (&'static str, String) {
    match of {
        Selection::All => ("CAST($1 AS TEXT) IS NOT NULL", String::new()),
        Selection::Id(id) => ("r.id = CAST($1 AS BIGINT)", id.to_string()),
        Selection::Source(source) => ("r.source = $1", source.clone()),
        Selection::Pending => ("CAST($1 AS TEXT) IS NOT NULL AND r.state = 'pending'", String::new()),
    }
}
