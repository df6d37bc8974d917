-- What a user's own table says of a recording: a JSON object, carried to `segments --json`.
ALTER TABLE recording ADD COLUMN metadata TEXT;

-- A deadline depends on how far the work has come, which only its worker knows; so it is not a fact of the row.
ALTER TABLE recording DROP COLUMN deadline_at;

-- Recordings whose worker vanished, which run alone.
CREATE INDEX recording_suspect ON recording (priority, available_at, id) WHERE state = 'pending' AND crashes > 0;

-- A path may have 4,096 bytes, an entry of a btree 2,704: so sources are compared by their hash.
ALTER TABLE recording DROP CONSTRAINT recording_source_recipe_key;
CREATE UNIQUE INDEX recording_source_recipe ON recording (md5(source), recipe);
CREATE INDEX recording_source ON recording USING hash (source);

-- Wakes those who watch. Rows that become pending again are found by their looking around.
CREATE FUNCTION prepare_audio_recording_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('prepare_audio', '');
    RETURN NULL;
END
$$;
CREATE TRIGGER recording_added AFTER INSERT ON recording
    FOR EACH STATEMENT EXECUTE FUNCTION prepare_audio_recording_added();

-- This database's name for itself: an output folder remembers whose segments lie in it.
CREATE TABLE identity (id TEXT NOT NULL);
INSERT INTO identity VALUES (replace(CAST(gen_random_uuid() AS TEXT), '-', ''));
