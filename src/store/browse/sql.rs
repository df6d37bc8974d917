//! The statements of browsing. Words in braces that are no word of a dialect are filled in by `mod.rs`.

/// `$1` and `$2` bounds of the ids, exclusive, `$3` limit; `{conditions}` have further parameters.
pub const LISTED: &str = "
SELECT r.id, r.source, r.recipe, r.state, r.duration_s, r.speech_s, r.segments, r.snr_db, r.error_code, r.warnings, r.metadata
FROM recording r WHERE r.id > $1 AND r.id < $2{conditions} ORDER BY r.id {order} LIMIT $3";

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
