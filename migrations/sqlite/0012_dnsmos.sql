-- DNSMOS P.835 of a segment, 1 to 5. NULL without --dnsmos. docs/quality.md has the definition.
ALTER TABLE segment ADD COLUMN dnsmos_signal REAL;
ALTER TABLE segment ADD COLUMN dnsmos_background REAL;
ALTER TABLE segment ADD COLUMN dnsmos_overall REAL;
-- Means of the segments, weighted by their lengths.
ALTER TABLE recording ADD COLUMN dnsmos_overall REAL;
ALTER TABLE recording ADD COLUMN denoised_snr_db REAL;
