-- What computed a recording's probabilities, under the name of what it is.
ALTER TABLE probabilities RENAME COLUMN hearing TO model_key;

-- Recordings whose worker vanished run isolated.
DROP INDEX recording_suspect;
CREATE INDEX recording_isolated ON recording (priority, available_at, id) WHERE state = 'pending' AND crashes > 0;
