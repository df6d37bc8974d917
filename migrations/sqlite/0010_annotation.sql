-- What people say of segments. A segment is named by its source and boundaries, not by its row: it keeps its annotation when the
-- source is segmented again and the boundaries stay.
CREATE TABLE annotation (
    source       TEXT NOT NULL,
    channel      INTEGER NOT NULL, -- from 1; 0 where channels were mixed
    start_sample INTEGER NOT NULL, -- at 16 kHz, as are all of segment
    end_sample   INTEGER NOT NULL,
    tag          TEXT, -- good, bad, or another word
    note         TEXT,
    changed_at   INTEGER NOT NULL, -- milliseconds since 1970
    UNIQUE (source, channel, start_sample, end_sample)
);
