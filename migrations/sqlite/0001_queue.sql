-- One row a recording and recipe. A user's own SQL needs no more than INSERT INTO recording(source) VALUES (...).
-- Times are milliseconds since 1970 by this database's clock.
CREATE TABLE recording (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    source        TEXT NOT NULL CHECK (length(source) > 0),
    recipe        TEXT NOT NULL DEFAULT '', -- identity of model and parameters; '' until it is first claimed
    state         TEXT NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'running', 'done', 'failed', 'quarantined', 'cancelled')),
    priority      INTEGER NOT NULL DEFAULT 0, -- least first
    available_at  INTEGER NOT NULL DEFAULT 0, -- not claimed before
    lease_until   INTEGER,
    deadline_at   INTEGER,
    token         INTEGER NOT NULL DEFAULT 0, -- counts claims, never falls: the fence of every later write
    claim_id      TEXT,
    worker        TEXT,
    attempts      INTEGER NOT NULL DEFAULT 0,
    crashes       INTEGER NOT NULL DEFAULT 0,
    max_attempts  INTEGER NOT NULL DEFAULT 3,
    error_code    TEXT,
    error         TEXT,
    -- not unixepoch('subsec'): in the sqlite3 of a user's system, older than 3.42, that is NULL
    created_at    INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
    started_at    INTEGER,
    finished_at   INTEGER,
    -- what a done recording knows
    model         TEXT,
    parameters    TEXT, -- the recipe in words, JSON
    container     TEXT,
    codec         TEXT,
    sample_rate   INTEGER, -- Hz
    channels      INTEGER,
    bytes         INTEGER,
    samples       INTEGER, -- at 16 kHz
    duration_s    REAL,
    speech_s      REAL,
    segments      INTEGER,
    decode_errors INTEGER NOT NULL DEFAULT 0,
    truncated     INTEGER NOT NULL DEFAULT 0,
    decode_ms     REAL,
    resample_ms   REAL,
    vad_ms        REAL,
    write_ms      REAL,
    total_ms      REAL,
    UNIQUE (source, recipe),
    CHECK ((state = 'running') = (lease_until IS NOT NULL))
);
CREATE INDEX recording_pending ON recording (priority, available_at, id) WHERE state = 'pending';
CREATE INDEX recording_running ON recording (lease_until) WHERE state = 'running';
CREATE INDEX recording_failed ON recording (finished_at) WHERE state IN ('failed', 'quarantined');

CREATE TABLE segment (
    recording_id     INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
    idx              INTEGER NOT NULL,
    start_sample     INTEGER NOT NULL, -- at 16 kHz
    end_sample       INTEGER NOT NULL, -- one past the last
    start_s          REAL NOT NULL,
    end_s            REAL NOT NULL,
    path             TEXT NOT NULL,
    sha256           TEXT NOT NULL,
    mean_probability REAL NOT NULL,
    min_probability  REAL NOT NULL,
    token            INTEGER NOT NULL, -- the claim that wrote it
    PRIMARY KEY (recording_id, idx),
    CHECK (start_sample >= 0 AND end_sample > start_sample)
);
