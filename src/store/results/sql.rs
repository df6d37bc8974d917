//! The statements of the results. `{segment}`, `{facts}` and `{probabilities}` are the columns of their lists in
//! `columns.rs`.

use crate::store::columns::{self, FACTS, PROBABILITIES, SEGMENT};

/// What `{annotated}` stands for: the annotation `a` of a segment `s` of a recording `r`, if there is one.
const ANNOTATED: &str = "LEFT JOIN annotation a ON a.source = r.source AND a.channel = COALESCE(s.channel, 0)
    AND a.start_sample = s.start_sample AND a.end_sample = s.end_sample";

/// Fills in the columns.
pub fn with_columns(text: &str) -> String {
    text.replace("{segment}", &columns::selected(SEGMENT, "s"))
        .replace("{annotated}", ANNOTATED)
        .replace("{facts}", &columns::selected(FACTS, "r"))
        .replace("{probabilities}", &columns::selected(PROBABILITIES, "p"))
}

/// `$1` what `{which}` needs, `$2` and `$3` the recording and position to start behind, `$4` limit.
pub const SEGMENTS: &str = "
SELECT s.recording_id, r.source, r.recipe, r.metadata, a.tag, a.note, {segment}
FROM segment s JOIN recording r ON r.id = s.recording_id {annotated}
WHERE r.state = 'done' AND {which} AND (s.recording_id, s.idx) > ($2, $3)
ORDER BY s.recording_id, s.idx LIMIT $4";

/// `$1` what `{which}` needs, `$2` the recording to start behind, `$3` limit.
pub const DONE: &str = "
SELECT r.id, r.source, r.recipe, r.model, r.finished_at, r.duration_s, r.container, r.sample_rate, r.channels,
       r.start_offset_s, r.metadata
FROM recording r WHERE r.state = 'done' AND {which} AND r.id > $2 ORDER BY r.id LIMIT $3";

/// `$1` and `$2` the first and the last recording, `$3` and `$4` the recording and position to start behind, `$5` limit.
pub const SEGMENTS_BETWEEN: &str = "
SELECT s.recording_id, a.tag, a.note, {segment} FROM segment s JOIN recording r ON r.id = s.recording_id {annotated}
WHERE s.recording_id BETWEEN $1 AND $2 AND (s.recording_id, s.idx) > ($3, $4)
ORDER BY s.recording_id, s.idx LIMIT $5";

/// `$1` what `{which}` needs.
pub const RECIPES: &str = "
SELECT r.recipe, COUNT(*) AS recordings, MAX(r.model) AS model, MAX(r.parameters) AS parameters
FROM recording r WHERE r.state = 'done' AND {which} GROUP BY r.recipe ORDER BY COUNT(*) DESC, r.recipe";

/// `$1` what `{which}` needs: a source that is done under several recipes.
pub const SEVERAL_RECIPES: &str = "
SELECT r.source FROM recording r WHERE r.state = 'done' AND {which}
GROUP BY r.source HAVING COUNT(*) > 1 ORDER BY r.source LIMIT 1";

/// `$1` and `$2` the recording and position to start behind, `$3` limit.
pub const REFERENCED: &str = "
SELECT recording_id, idx, path, denoised_path FROM segment JOIN recording r ON r.id = recording_id
WHERE (recording_id, idx) > ($1, $2) AND (path <> '' OR denoised_path IS NOT NULL) ORDER BY recording_id, idx LIMIT $3";

/// `$1` source, `$2` model_key.
pub const STORED: &str = "
SELECT r.id, {facts}, {probabilities}
FROM recording r JOIN probabilities p ON p.recording_id = r.id
WHERE r.source = $1 AND r.state = 'done' AND p.model_key = $2
ORDER BY r.finished_at DESC, r.id DESC LIMIT 1";

/// `$1` recording: the segments of all recordings of its source that have the very same probabilities.
pub const STORED_SEGMENTS: &str = "
SELECT r.parameters, {segment}
FROM recording k JOIN probabilities kp ON kp.recording_id = k.id
     JOIN recording r ON r.source = k.source AND r.samples = k.samples AND r.state = 'done'
     JOIN probabilities p ON p.recording_id = r.id AND p.data = kp.data
     JOIN segment s ON s.recording_id = r.id
WHERE k.id = $1
ORDER BY s.recording_id DESC, s.idx";

/// `$1` what `{which}` needs, `$2` recipe, `$3` model_key.
pub const RESEGMENTABLE: &str = "SELECT COUNT(DISTINCT r.source) AS sources {resegmentable}";

/// `$1` what `{which}` needs, `$2` recipe, `$3` model_key: done sources that [`RESEGMENT`] has no probabilities for.
pub const WITHOUT_PROBABILITIES: &str = "
SELECT COUNT(DISTINCT r.source) AS sources FROM recording r
WHERE {which} AND r.state = 'done'
  AND NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = r.source AND o.recipe = $2)
  AND NOT EXISTS (SELECT 1 FROM recording k JOIN probabilities p ON p.recording_id = k.id
                  WHERE k.source = r.source AND k.state = 'done' AND p.model_key = $3)";

/// `$1` what `{which}` needs, `$2` recipe, `$3` model_key.
pub const RESEGMENT: &str = "
INSERT INTO recording (source, recipe, priority, max_attempts, metadata)
SELECT r.source, $2, MIN(r.priority), MAX(r.max_attempts), MAX(r.metadata) {resegmentable}
GROUP BY r.source ORDER BY MIN(r.id)
ON CONFLICT DO NOTHING";

/// What `{resegmentable}` stands for.
pub const FROM_RESEGMENTABLE: &str = "
FROM recording r JOIN probabilities p ON p.recording_id = r.id
WHERE {which} AND r.state = 'done' AND p.model_key = $3
  AND NOT EXISTS (SELECT 1 FROM recording o WHERE o.source = r.source AND o.recipe = $2)";
