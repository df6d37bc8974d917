-- The second file of a segment, without its noise. NULL without --denoise.
ALTER TABLE segment ADD COLUMN denoised_path TEXT;
ALTER TABLE segment ADD COLUMN denoised_sha256 TEXT;
ALTER TABLE segment ADD COLUMN denoised_bytes INTEGER;
ALTER TABLE segment ADD COLUMN denoised_snr_db REAL;
