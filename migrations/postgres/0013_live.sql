-- Recordings that arrive while they are spoken. A session is open until its recording is complete, so that a server that was
-- killed finds it again; then its recording is a row of `recording`, by the source.
CREATE TABLE live_session (
    id         TEXT PRIMARY KEY, -- 32 hexadecimal digits; they name its file, too
    token_hash TEXT NOT NULL UNIQUE, -- SHA-256 of the resume token
    folder     TEXT NOT NULL, -- where its file is
    audio_id   TEXT NOT NULL, -- the client's name for the recording
    options    TEXT NOT NULL, -- JSON: the format of the audio, and what else the client chose
    metadata   TEXT, -- a JSON object, for `recording`
    state      TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'ended', 'empty', 'lost')),
    source     TEXT, -- of its recording, once it has ended
    samples    BIGINT, -- of each channel, at the rate at which they came, once it has ended
    created_at BIGINT NOT NULL, -- milliseconds since 1970
    ended_at   BIGINT
);
CREATE INDEX live_session_open ON live_session (folder) WHERE state = 'open';
