-- What people choose segments by. docs/quality.md has the definitions.
ALTER TABLE segment ADD COLUMN peak_dbfs DOUBLE PRECISION;
ALTER TABLE segment ADD COLUMN loudness_lufs DOUBLE PRECISION;
ALTER TABLE segment ADD COLUMN clipped DOUBLE PRECISION;
ALTER TABLE segment ADD COLUMN dc_offset DOUBLE PRECISION;
ALTER TABLE segment ADD COLUMN snr_db DOUBLE PRECISION;
ALTER TABLE segment ADD COLUMN bandwidth_hz DOUBLE PRECISION;
ALTER TABLE segment ADD COLUMN speech_ratio DOUBLE PRECISION;

-- Means over a recording's segments, and its share of speech.
ALTER TABLE recording ADD COLUMN speech_ratio DOUBLE PRECISION;
ALTER TABLE recording ADD COLUMN loudness_lufs DOUBLE PRECISION;
ALTER TABLE recording ADD COLUMN snr_db DOUBLE PRECISION;
