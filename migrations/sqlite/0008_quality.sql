-- What people choose segments by. docs/quality.md has the definitions.
ALTER TABLE segment ADD COLUMN peak_dbfs REAL;
ALTER TABLE segment ADD COLUMN loudness_lufs REAL;
ALTER TABLE segment ADD COLUMN clipped REAL;
ALTER TABLE segment ADD COLUMN dc_offset REAL;
ALTER TABLE segment ADD COLUMN snr_db REAL;
ALTER TABLE segment ADD COLUMN bandwidth_hz REAL;
ALTER TABLE segment ADD COLUMN speech_ratio REAL;

-- Means over a recording's segments, and its share of speech.
ALTER TABLE recording ADD COLUMN speech_ratio REAL;
ALTER TABLE recording ADD COLUMN loudness_lufs REAL;
ALTER TABLE recording ADD COLUMN snr_db REAL;
