//! The statements of browsing. Words in braces that are no word of a dialect are filled in by `mod.rs`.

/// `$1` and `$2` bounds of the ids, exclusive, `$3` limit; `{conditions}` have further parameters. `{id}` is `r.id`, or an
/// expression that keeps the database from going through the ids.
pub const LISTED: &str = "
SELECT r.id, r.source, r.recipe, r.state, r.duration_s, r.speech_s, r.segments, r.snr_db, r.error_code, r.warnings, r.metadata
FROM recording r WHERE {id} > $1 AND {id} < $2{conditions} ORDER BY {id} {order} LIMIT $3";

/// `$1` the recording to start behind, `$2` number of recordings.
pub const OLDER_UNTIL: &str = "
SELECT MIN(id) AS id FROM (SELECT r.id FROM recording r WHERE r.id < $1 ORDER BY r.id DESC LIMIT $2) AS next";

/// `$1` the recording to start behind, `$2` number of recordings.
pub const NEWER_UNTIL: &str = "
SELECT MAX(id) AS id FROM (SELECT r.id FROM recording r WHERE r.id > $1 ORDER BY r.id LIMIT $2) AS next";

/// `$1` recording.
pub const RECORDING: &str = "
SELECT r.id, r.source, r.recipe, r.state, r.attempts, r.crashes, r.max_attempts, r.token, r.worker, r.error_code, r.error,
       r.created_at, r.started_at, r.finished_at, r.model, r.parameters, r.container, r.codec, r.sample_rate, r.channels,
       r.bytes, r.samples, r.duration_s, r.speech_s, r.segments, r.decode_errors, r.warnings, r.gaps, r.lost_s,
       r.start_offset_s, r.track, r.tracks, r.metadata, r.loudness_lufs, r.snr_db, r.total_ms
FROM recording r WHERE r.id = $1";

/// `$1` recording, `$2` position.
pub const ONE_SEGMENT: &str = "
SELECT {segment} FROM segment s WHERE s.recording_id = $1 AND s.idx = $2";

/// `$1` source, `$2` channel, `$3` and `$4` boundaries.
pub const REMOVE_ANNOTATION: &str = "
DELETE FROM annotation WHERE source = $1 AND channel = $2 AND start_sample = $3 AND end_sample = $4";

/// `$1` source, `$2` channel, `$3` and `$4` boundaries, `$5` tag, `$6` note.
pub const UPDATE_ANNOTATION: &str = "
UPDATE annotation SET tag = $5, note = $6, changed_at = {now}
WHERE source = $1 AND channel = $2 AND start_sample = $3 AND end_sample = $4";

/// As [`UPDATE_ANNOTATION`]. Where another process has inserted one in between, that one stays.
pub const INSERT_ANNOTATION: &str = "
INSERT INTO annotation (source, channel, start_sample, end_sample, tag, note, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, {now}) ON CONFLICT DO NOTHING";
