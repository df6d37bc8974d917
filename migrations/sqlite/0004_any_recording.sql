-- Channels, formats, and rows without files.

-- What a user should know of a done recording: a JSON array of texts, as ["truncated", "decode_errors: 3"].
ALTER TABLE recording ADD COLUMN warnings TEXT;

-- With --no-audio segments have no file: path and sha256 are '' then. They stay NOT NULL, because SQLite can only take that
-- back by making the table anew, and a user's views, indexes and triggers on it would be lost.
ALTER TABLE segment ADD COLUMN channel INTEGER; -- from 1; none where channels were mixed
ALTER TABLE segment ADD COLUMN bytes INTEGER; -- of the file, as are the next two
ALTER TABLE segment ADD COLUMN sample_rate INTEGER; -- Hz
ALTER TABLE segment ADD COLUMN channels INTEGER;

-- Probabilities depend on which channels were listened to: the model's SHA-256, and after a slash `split` or a channel's
-- number where the channels were not mixed.
ALTER TABLE probabilities RENAME COLUMN model_sha256 TO hearing;
