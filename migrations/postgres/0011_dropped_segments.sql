-- Segments that --min-snr and its like dropped: a JSON object of numbers by criterion. NULL without any.
ALTER TABLE recording ADD COLUMN dropped_segments TEXT;
