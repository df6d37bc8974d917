//! The statements of figures. Words in braces that are no word of a dialect are filled in from `measures.rs`.

use super::measures::Table;

/// The FROM and WHERE clauses of `{rows}`.
pub fn rows_of(table: Table) -> &'static str {
    match table {
        Table::Segment => "segment s JOIN recording r ON r.id = s.recording_id WHERE r.state = 'done'",
        Table::Recording => "recording r WHERE r.state = 'done'",
    }
}

/// `$1` start of the first class, `$2` end of the last one, `$3` number of classes, `$4` classes for each unit.
pub const HISTOGRAM: &str = "
SELECT class, COUNT(*) AS number, SUM(value) AS total, MIN(value) AS least, MAX(value) AS greatest
FROM (SELECT value, CASE WHEN value < $1 THEN 0 WHEN value >= $2 THEN CAST($3 AS BIGINT) - 1
                         ELSE CAST({floor}((value - $1) * $4) AS BIGINT) END AS class
      FROM (SELECT CAST({value} AS DOUBLE PRECISION) AS value FROM {rows}) AS measured WHERE value IS NOT NULL) AS classed
GROUP BY class ORDER BY class";

/// `$1` limit.
pub const CATEGORY: &str = "
SELECT COALESCE({value}, '') AS name, COUNT(*) AS number FROM {rows} GROUP BY {value} ORDER BY COUNT(*) DESC, {value} LIMIT $1";

/// `$1` limit. `{order}` is ASC or DESC.
pub const EXTREMES_OF_SEGMENTS: &str = "
SELECT r.id, r.source, s.idx, s.start_s, s.end_s, CAST({value} AS DOUBLE PRECISION) AS value
FROM {rows} AND {value} IS NOT NULL ORDER BY 6 {order}, r.id, s.idx LIMIT $1";

/// `$1` limit. `{order}` is ASC or DESC.
pub const EXTREMES_OF_RECORDINGS: &str = "
SELECT r.id, r.source, CAST(NULL AS BIGINT) AS idx, CAST(NULL AS DOUBLE PRECISION) AS start_s,
       CAST(NULL AS DOUBLE PRECISION) AS end_s, CAST({value} AS DOUBLE PRECISION) AS value
FROM {rows} AND {value} IS NOT NULL ORDER BY 6 {order}, r.id LIMIT $1";

/// Sums over done recordings.
pub const STAGES: &str = "
SELECT COUNT(*) AS recordings, COALESCE(SUM(duration_s), 0.0) AS duration_s, COALESCE(SUM(decode_ms), 0.0) AS decode_ms,
       COALESCE(SUM(resample_ms), 0.0) AS resample_ms, COALESCE(SUM(vad_ms), 0.0) AS vad_ms,
       COALESCE(SUM(write_ms), 0.0) AS write_ms, COALESCE(SUM(total_ms), 0.0) AS total_ms
FROM recording WHERE state = 'done' AND total_ms IS NOT NULL";

/// `$1` the recording to start behind, `$2` limit.
pub const GROUPED: &str = "
SELECT r.id, r.state, {value} AS value, r.duration_s, r.speech_s, r.segments
FROM recording r WHERE r.id > $1 ORDER BY r.id LIMIT $2";

/// `$1` how many of each error code.
pub const NEWEST_OF_EACH_ERROR: &str = "
SELECT r.id, r.source, r.state, COALESCE(r.error_code, '') AS error_code, COALESCE(r.error, '') AS error,
       r.attempts, r.crashes, COALESCE(r.finished_at, 0) AS finished_at
FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY error_code ORDER BY finished_at DESC, id DESC) AS newest
      FROM recording WHERE state IN ('failed', 'quarantined')) AS numbered JOIN recording r ON r.id = numbered.id
WHERE numbered.newest <= $1 ORDER BY r.error_code, r.finished_at DESC, r.id DESC LIMIT 1000";

/// How many failures have each error code, the most frequent first.
pub const ERRORS: &str = "
SELECT COALESCE(error_code, '') AS name, COUNT(*) AS number FROM recording
WHERE state IN ('failed', 'quarantined') GROUP BY error_code ORDER BY COUNT(*) DESC, error_code LIMIT $1";

/// `$1` positions among the done recordings as JSON. The order is that of the index `recording_done`, so that SQLite
/// reads nothing else.
pub const AT_POSITIONS: &str = "
SELECT id FROM (
    SELECT id, ROW_NUMBER() OVER (ORDER BY state, duration_s, speech_s, segments, total_ms, truncated, decode_errors,
                                           warnings, id) AS position
    FROM recording WHERE state = 'done') AS numbered
WHERE position IN (SELECT CAST(list.value AS BIGINT) FROM {list}) ORDER BY id";

/// `$1` recording, `$2` the most windows that are read.
pub const PROBABILITIES_OF: &str = "
SELECT {probabilities} FROM probabilities p WHERE p.recording_id = $1 AND p.windows <= $2";
