//! The statements of the queue.

use crate::store::{Isolation, Scope};

/// `$1` sources as JSON, `$2` recipe or NULL: what [`ADD`] would add.
pub const UNKNOWN: &str = "
SELECT list.value AS source FROM {list}
WHERE NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = list.value
                  AND ($2 IS NULL OR o.recipe = $2 OR o.state IN ('pending', 'running')))
GROUP BY list.value ORDER BY MIN(list.position)";

/// `$1` recordings as JSON, each `[source, priority, metadata]`; `$2` recipe or NULL. A source that is new work under
/// another recipe keeps its metadata.
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
/// `{isolation}` selects recordings that crashed a process, or all others. `{without}`, which is filled in when the
/// statement is run, leaves out those of an [`Exclusion`](super::Exclusion). `{started}` is when the attempt begins: now, or
/// NULL for a claim that is kept in reserve until [`BEGIN`].
///
/// A claimed row takes the claimer's recipe, and (source, recipe) is unique. So a row is skipped when its source has
/// that recipe already; and of several pending rows of one source, which all would get it, only the first is taken.
/// MATERIALIZED, because PostgreSQL may otherwise run the LIMIT more than once and claim too many. `+ 0` and the missing
/// `state = 'pending'` at the end (the lock on `r` makes it needless) keep PostgreSQL from going through all pending rows:
/// a table that was just filled has no statistics, and a claim among a million rows took 33 ms instead of 0.1.
const CLAIM: &str = "
WITH chosen AS MATERIALIZED (
    SELECT r.id FROM recording r
    WHERE r.state = 'pending' AND {isolation} AND r.available_at <= {now} {bound}
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
SET state = 'running', recipe = $2, worker = $3, lease_until = {now} + $4, started_at = {started}, claim_id = {nonce},
    token = token + 1, attempts = attempts + 1, max_attempts = COALESCE($5, max_attempts), error_code = NULL,
    error = NULL, finished_at = NULL
FROM chosen
WHERE recording.id = chosen.id
RETURNING recording.id, token, claim_id, source, attempts, max_attempts, crashes, priority, recording.available_at";

/// The claim for a scope and an isolation, begun at once or kept in reserve.
pub fn claim(scope: Scope, isolation: Isolation, in_reserve: bool) -> String {
    let isolation = match isolation {
        Isolation::Shared => "r.crashes = 0{without}",
        Isolation::Isolated => "r.crashes > 0{without}",
    };
    let started = if in_reserve { "NULL" } else { "{now}" };
    scoped(CLAIM, scope, "$2").replace("{isolation}", isolation).replace("{started}", started)
}

/// `$1` ids as JSON, `$2` worker: attempts under claims kept in reserve begin. A begun recording counts as the possible
/// cause of its worker's death, so this is written before it is true.
pub const BEGIN: &str = "
UPDATE recording SET started_at = {now} FROM {unsynced}
WHERE unsynced.applies IS NOT NULL AND state = 'running' AND worker = $2
  AND id IN (SELECT CAST(list.value AS BIGINT) FROM {list})
RETURNING id, token, claim_id";

/// A statement for a claimer's scope, whose recipe is `recipe` of its parameters.
pub fn scoped(text: &str, scope: Scope, recipe: &str) -> String {
    match scope {
        Scope::Any => text.replace("{bound}", ""),
        Scope::Bound => text.replace("{bound}", &format!("AND r.recipe = {recipe}")),
    }
}

/// How long the first recording that has to run alone has been waiting since its last attempt ended, or since it may be
/// claimed; NULL if there is none.
pub const ISOLATED_WAIT: &str = "
SELECT {now} - MIN(CASE WHEN r.finished_at > r.available_at THEN r.finished_at ELSE r.available_at END) AS wait_ms
FROM recording r
WHERE r.state = 'pending' AND r.crashes > 0 AND r.available_at <= {now}";

/// `$1` worker: the claims that it has according to the table.
pub const CLAIMS_OF: &str = "
SELECT id, token, COALESCE(claim_id, '') AS claim_id FROM recording WHERE state = 'running' AND worker = $1";

/// `$4` lease.
pub const HEARTBEAT: &str = "UPDATE recording SET lease_until = {now} + $4 WHERE {fence}";

/// `$4` error code, `$5` message, `$6` delay until the next attempt or NULL for none.
pub const FAIL: &str = "
UPDATE recording
SET state = CASE WHEN $6 IS NOT NULL AND attempts < max_attempts THEN 'pending' ELSE 'failed' END,
    available_at = COALESCE({now} + $6, available_at), finished_at = {now}, lease_until = NULL,
    error_code = $4, error = $5
WHERE {fence}
RETURNING state";

/// `$4` error code: the state of the row that this very claim failed already, as when the first answer was lost.
pub const IS_FAILED: &str = "
SELECT state FROM recording
WHERE id = $1 AND token = $2 AND claim_id = $3 AND state IN ('pending', 'failed') AND error_code = $4";

/// The attempt is taken back; the token stays, because it never falls.
pub const RELEASE: &str = "
UPDATE recording SET state = 'pending', lease_until = NULL, finished_at = {now}, attempts = attempts - 1 WHERE {fence}";

/// The running rows, for databases where leases alone do not decide whether a claim has ended.
pub const LEASES: &str = "
SELECT id, token, COALESCE(worker, '') AS worker, lease_until, CASE WHEN lease_until < {now} THEN 1 ELSE 0 END AS expired,
       CASE WHEN started_at IS NULL THEN 0 ELSE 1 END AS begun
FROM recording WHERE state = 'running'";

/// Takes back recordings whose attempts were under way when their claims ended: `$1` their ids as JSON, or NULL for all
/// whose lease ran out.
///
/// They may be claimed at once, as they could before. `available_at` does not become now: on SQLite that is this process's
/// clock, and if that is set back later, they would wait until it has caught up.
pub const REAP: &str = "
WITH lapsed AS MATERIALIZED (
    SELECT r.id FROM recording r
    WHERE r.state = 'running'
      AND ($1 IS NULL AND r.lease_until < {now} AND r.started_at IS NOT NULL
           OR r.id IN (SELECT CAST(list.value AS BIGINT) FROM {list})) {lock}
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

/// Takes back recordings that were only claimed when their claims ended: `$1` as for [`REAP`]. The attempt is not counted,
/// as with [`RELEASE`].
pub const REAP_UNBEGUN: &str = "
WITH lapsed AS MATERIALIZED (
    SELECT r.id FROM recording r
    WHERE r.state = 'running'
      AND ($1 IS NULL AND r.lease_until < {now} AND r.started_at IS NULL
           OR r.id IN (SELECT CAST(list.value AS BIGINT) FROM {list})) {lock}
)
UPDATE recording
SET state = 'pending', token = token + 1, attempts = attempts - 1, lease_until = NULL, finished_at = {now}
FROM lapsed
WHERE recording.id = lapsed.id
RETURNING state, source, recipe, COALESCE(claim_id, '') AS claim_id, '' AS error";

/// Which rows are duplicates: pending, never tried, and their source has a row of the recipe `{recipe}` already.
const IS_DUPLICATE: &str = "
r.state = 'pending' AND r.attempts = 0 AND r.recipe = ''
  AND EXISTS (SELECT 1 FROM recording o WHERE o.source = r.source AND o.recipe = {recipe}
              AND o.state IN ('done', 'failed', 'quarantined', 'running'))";

/// `$1` recipe, `$2` to `$4` priority, time and id to start behind, `$5` limit: duplicates in the order of claims.
pub fn duplicates() -> String {
    format!(
        "SELECT r.id, r.priority, r.available_at FROM recording r
         WHERE (r.priority, r.available_at, r.id) > ($2, $3, $4) AND {}
         ORDER BY r.priority, r.available_at, r.id LIMIT $5",
        IS_DUPLICATE.replace("{recipe}", "$1")
    )
}

/// `$1` ids as JSON, `$2` recipe: deletes those of them that still are duplicates.
pub fn drop_duplicates() -> String {
    format!(
        "DELETE FROM recording AS r WHERE r.id IN (SELECT CAST(list.value AS BIGINT) FROM {{list}}) AND {}",
        IS_DUPLICATE.replace("{recipe}", "$2")
    )
}

/// `$1` recipe.
pub const OUTLOOK: &str = "
WITH waiting AS (
    SELECT r.available_at FROM recording r
    WHERE r.state = 'pending' {bound}{without}
      AND (r.recipe = $1 OR NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = r.source AND o.recipe = $1))
), due AS (
    SELECT MIN(available_at) AS at FROM waiting
    UNION ALL SELECT MIN(r.lease_until) FROM recording r WHERE r.state = 'running' {bound}
)
SELECT (SELECT COUNT(*) FROM waiting) AS pending,
       (SELECT COUNT(*) FROM recording r WHERE r.state = 'running' {bound}) AS running,
       (SELECT MIN(at) FROM due) - {now} AS next_in_ms";
