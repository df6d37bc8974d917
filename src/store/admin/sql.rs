//! The statements of operators.

use serde_json::json;

use super::Again;
use crate::store::statement::Statement;

/// Who holds what.
pub const RUNNING: &str = "
SELECT id, source, recipe, COALESCE(worker, '?') AS worker, {now} - COALESCE(started_at, {now}) AS held_ms,
       COALESCE(lease_until, 0) - {now} AS lease_left_ms, attempts, crashes
FROM recording WHERE state = 'running' ORDER BY worker, started_at, id";

/// `$1` ids or error codes as JSON, or NULL where `{which}` needs none.
const RETRY: &str = "
UPDATE recording
SET state = 'pending', attempts = 0, crashes = 0, available_at = 0, finished_at = NULL, error_code = NULL, error = NULL
WHERE {which}";

/// The statement that puts rows back to pending.
pub fn retry(again: &Again<'_>) -> Statement<'static> {
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
    Statement::new(RETRY.replace("{which}", &which)).bind(value.map(|value| value.to_string()))
}

/// `$1` what `{which}` needs: no more work for these. What is done stays done.
pub const CANCEL: &str = "
UPDATE recording AS r
SET state = 'cancelled', lease_until = NULL, finished_at = {now}
WHERE {which} AND r.state IN ('pending', 'running', 'failed', 'quarantined')";

/// Counts by state, and sums over what is done. Each part reads an index alone, not the rows: a table has one of a million
/// recordings easily.
pub const COUNTS: &str = "
SELECT 'pending' AS state, COUNT(*) AS recordings, 0.0 AS duration_s, 0.0 AS speech_s, CAST(0 AS BIGINT) AS segments,
       0.0 AS total_ms, CAST(0 AS BIGINT) AS warned
FROM recording WHERE state = 'pending'
UNION ALL SELECT 'running', COUNT(*), 0.0, 0.0, 0, 0.0, 0 FROM recording WHERE state = 'running'
UNION ALL SELECT 'cancelled', COUNT(*), 0.0, 0.0, 0, 0.0, 0 FROM recording WHERE state = 'cancelled'
UNION ALL SELECT state, COUNT(*), 0.0, 0.0, 0, 0.0, 0 FROM recording
WHERE state IN ('failed', 'quarantined') GROUP BY state
UNION ALL SELECT 'done', COUNT(*), COALESCE(SUM(duration_s), 0.0), COALESCE(SUM(speech_s), 0.0),
       CAST(COALESCE(SUM(segments), 0) AS BIGINT), COALESCE(SUM(total_ms), 0.0),
       CAST(COALESCE(SUM(CASE WHEN truncated <> 0 OR decode_errors > 0 OR warnings IS NOT NULL THEN 1 ELSE 0 END), 0) AS BIGINT)
FROM recording WHERE state = 'done'";

/// `$1` limit. `{states}` are the states to select.
pub const FAILURES: &str = "
SELECT r.id, r.source, r.state, COALESCE(r.error_code, '') AS error_code, COALESCE(r.error, '') AS error,
       r.attempts, r.crashes, COALESCE(r.finished_at, 0) AS finished_at
FROM recording r WHERE r.state IN ({states})
ORDER BY r.finished_at DESC, r.id DESC LIMIT $1";

/// What recordings failed with.
pub const ERROR_CODES: &str = "
SELECT error_code, COUNT(*) AS recordings FROM recording
WHERE state IN ('failed', 'quarantined') AND error_code IS NOT NULL GROUP BY error_code ORDER BY error_code";

/// `$1` recipe, `$2` id to start behind, `$3` limit.
pub const PENDING: &str = "
SELECT r.id, r.source FROM recording r
WHERE r.state = 'pending' AND r.id > $2
  AND (r.recipe = $1 OR NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = r.source AND o.recipe = $1))
ORDER BY r.id LIMIT $3";

/// `$1` what `{which}` needs.
pub const MATCHING: &str = "SELECT COUNT(*) AS recordings FROM recording r WHERE {which}";

/// The identity of this database.
pub const IDENTITY: &str = "SELECT id FROM identity";

/// The newest migration that was applied.
pub const SCHEMA: &str = "SELECT MAX(version) AS version FROM prepare_audio_migrations";
