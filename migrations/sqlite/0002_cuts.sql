-- How each segment was cut, and what is kept so that it can be cut anew.
ALTER TABLE segment ADD COLUMN cut TEXT; -- why it ends: silence, longest_pause, last_pause, quietest, forced, end
ALTER TABLE segment ADD COLUMN level_dbfs REAL; -- RMS of its samples, dB below full scale
ALTER TABLE segment ADD COLUMN parts TEXT; -- with --merge-to: [[start_sample, end_sample], ...] of what was joined

-- The speech probability of each window, as the detector gave it.
CREATE TABLE probabilities (
    recording_id INTEGER PRIMARY KEY REFERENCES recording (id) ON DELETE CASCADE,
    model_sha256 TEXT NOT NULL,
    coding       INTEGER NOT NULL, -- 1: little-endian f32, first bytes first, then second ones ..., in zlib's format
    windows      INTEGER NOT NULL, -- of 512 samples
    data         BLOB NOT NULL
);
