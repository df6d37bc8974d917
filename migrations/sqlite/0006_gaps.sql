-- Where silence stands for audio that is missing: a JSON array [[start_s, end_s], ...], and the seconds of all gaps.
ALTER TABLE recording ADD COLUMN gaps TEXT;
ALTER TABLE recording ADD COLUMN lost_s REAL;

-- Seconds by which the audio begins later than the film that it belongs to.
ALTER TABLE recording ADD COLUMN start_offset_s REAL;

-- The audio track that was prepared, from 1, and where the file has several, all of them: a JSON array.
ALTER TABLE recording ADD COLUMN track BIGINT;
ALTER TABLE recording ADD COLUMN tracks TEXT;

-- Seconds of a segment that lie in gaps.
ALTER TABLE segment ADD COLUMN gap_s REAL;
