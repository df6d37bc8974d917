-- What people say of segments. A segment is named by its source and boundaries, not by its row: it keeps its annotation when the
-- source is segmented again and the boundaries stay. Kept in step with migrations/sqlite.
CREATE TABLE annotation (
    source       TEXT NOT NULL,
    channel      BIGINT NOT NULL, -- from 1; 0 where channels were mixed
    start_sample BIGINT NOT NULL, -- at 16 kHz, as are all of segment
    end_sample   BIGINT NOT NULL,
    tag          TEXT, -- good, bad, or another word
    note         TEXT,
    changed_at   BIGINT NOT NULL -- milliseconds since 1970
);
-- By the hash of the source, as recording_source_recipe: a path may be longer than an entry of a btree.
CREATE UNIQUE INDEX annotation_segment ON annotation (md5(source), channel, start_sample, end_sample);
CREATE INDEX annotation_source ON annotation USING hash (source);
