//! The statements of live sessions.

/// `$1` id, `$2` hash of the token, `$3` folder, `$4` audio_id, `$5` options, `$6` metadata.
pub const BEGIN: &str = "
INSERT INTO live_session (id, token_hash, folder, audio_id, options, metadata, created_at)
VALUES ($1, $2, $3, $4, $5, $6, {now})";

/// `$1` folder.
pub const OPEN: &str = "
SELECT id, token_hash, folder, audio_id, options, metadata FROM live_session
WHERE folder = $1 AND state = 'open' ORDER BY created_at, id";

/// `$1` id, `$2` state, `$3` source, `$4` samples. Changes nothing where the session has ended.
pub const END: &str = "
UPDATE live_session SET state = $2, source = $3, samples = $4, ended_at = {now} WHERE id = $1 AND state = 'open'";
