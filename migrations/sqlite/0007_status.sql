-- `status` sums over done recordings, of which there may be millions, without reading their rows.
CREATE INDEX recording_done ON recording (state, duration_s, speech_s, segments, total_ms, truncated, decode_errors, warnings)
WHERE state = 'done';
CREATE INDEX recording_cancelled ON recording (state) WHERE state = 'cancelled';
