-- Channels, formats, and rows without files.

-- What a user should know of a done recording: a JSON array of texts, as ["truncated", "decode_errors: 3"].
ALTER TABLE recording ADD COLUMN warnings TEXT;

-- With --no-audio segments have no file, and SQLite cannot take back a NOT NULL: the table is made anew.
CREATE TABLE segment_new (
    recording_id     INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
    idx              INTEGER NOT NULL,
    start_sample     INTEGER NOT NULL, -- at 16 kHz
    end_sample       INTEGER NOT NULL, -- one past the last
    start_s          REAL NOT NULL,
    end_s            REAL NOT NULL,
    path             TEXT, -- none with --no-audio
    sha256           TEXT,
    mean_probability REAL NOT NULL,
    min_probability  REAL NOT NULL,
    token            INTEGER NOT NULL, -- the claim that wrote it
    cut              TEXT, -- why it ends: silence, longest_pause, last_pause, quietest, forced, end
    level_dbfs       REAL, -- RMS of its samples, dB below full scale
    parts            TEXT, -- with --merge-to: [[start_sample, end_sample], ...] of what was joined
    channel          INTEGER, -- from 1; none where channels were mixed
    bytes            INTEGER, -- of the file, as are the next two
    sample_rate      INTEGER, -- Hz
    channels         INTEGER,
    PRIMARY KEY (recording_id, idx),
    CHECK (start_sample >= 0 AND end_sample > start_sample),
    CHECK ((path IS NULL) = (sha256 IS NULL))
);
INSERT INTO segment_new (recording_id, idx, start_sample, end_sample, start_s, end_s, path, sha256, mean_probability,
                         min_probability, token, cut, level_dbfs, parts)
SELECT recording_id, idx, start_sample, end_sample, start_s, end_s, path, sha256, mean_probability, min_probability, token,
       cut, level_dbfs, parts
FROM segment;
DROP TABLE segment;
ALTER TABLE segment_new RENAME TO segment;

-- Probabilities depend on which channels were listened to: the model's SHA-256, and after a slash `split` or a channel's
-- number where the channels were not mixed.
ALTER TABLE probabilities RENAME COLUMN model_sha256 TO hearing;
