-- What a user's own table says of a recording: a JSON object, carried to `segments --json`.
ALTER TABLE recording ADD COLUMN metadata TEXT;

-- A deadline depends on how far the work has come, which only its worker knows; so it is not a fact of the row.
ALTER TABLE recording DROP COLUMN deadline_at;

-- Recordings whose worker vanished, which run alone.
CREATE INDEX recording_suspect ON recording (priority, available_at, id) WHERE state = 'pending' AND crashes > 0;

-- This database's name for itself: an output folder remembers whose segments lie in it.
CREATE TABLE identity (id TEXT NOT NULL);
INSERT INTO identity VALUES (lower(hex(randomblob(16))));
