//! One speech segment of a recording.

use serde::Serialize;

/// A speech segment: its boundaries in the recording, its file, and what the detector computed for it.
///
/// Optional fields are `None` in rows that an earlier version wrote before the column existed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Segment {
    /// Position in the recording, from 0, in order of time.
    pub idx: u64,
    /// The channel that it was detected in, from 1; `None` if channels were mixed.
    pub channel: Option<u16>,
    /// First sample, at 16 kHz.
    pub start_sample: u64,
    /// One past the last sample, at 16 kHz.
    pub end_sample: u64,
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// Absolute path of the segment's file; `None` with `--no-audio`.
    pub path: Option<String>,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: Option<String>,
    /// Length of the file in bytes.
    pub bytes: Option<u64>,
    /// Sample rate of the file, Hz. `None` means 16,000.
    pub sample_rate: Option<u32>,
    /// Channels of the file. `None` means 1.
    pub channels: Option<u16>,
    /// Mean speech probability of the segment's windows, before padding.
    pub mean_probability: f64,
    /// Minimum speech probability of the segment's windows, before padding.
    pub min_probability: f64,
    /// Why the segment ends where it does: a name of `prepare_audio_vad::CutReason`.
    pub cut: Option<String>,
    /// RMS level of its samples, dB below full scale.
    pub level_dbfs: Option<f64>,
    /// Greatest magnitude of its samples, dB below full scale.
    pub peak_dbfs: Option<f64>,
    /// Integrated loudness by EBU R128, LUFS; also `None` if it is shorter than 0.4 s or below -70 LUFS.
    pub loudness_lufs: Option<f64>,
    /// Share of its samples that are in runs at full scale, 0 to 1.
    pub clipped: Option<f64>,
    /// Mean of its samples divided by full scale, -1 to 1.
    pub dc_offset: Option<f64>,
    /// Power of its speech against the noise around it, dB; also `None` if it has no window with speech.
    pub snr_db: Option<f64>,
    /// Frequency at which its spectrum ends, Hz; also `None` for silence.
    pub bandwidth_hz: Option<f64>,
    /// Share of its windows with speech, 0 to 1.
    pub speech_ratio: Option<f64>,
    /// Absolute path of the file without noise; `None` without `--denoise` or with `--no-audio`. It is mono at 16 kHz, and as
    /// long as the segment.
    pub denoised_path: Option<String>,
    /// SHA-256 of that file, in hexadecimal.
    pub denoised_sha256: Option<String>,
    /// Length of that file in bytes.
    pub denoised_bytes: Option<u64>,
    /// `snr_db` without the noise, dB; `None` without `--denoise`, or if it has no window with speech.
    pub denoised_snr_db: Option<f64>,
    /// DNSMOS P.835: rating of its speech, 1 to 5; `None` without `--dnsmos`.
    pub dnsmos_signal: Option<f64>,
    /// DNSMOS P.835: rating of its background, 1 to 5, where 5 is no noise.
    pub dnsmos_background: Option<f64>,
    /// DNSMOS P.835: overall rating, 1 to 5.
    pub dnsmos_overall: Option<f64>,
    /// Seconds of it that are in gaps of the recording, where its file has silence; `None` if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_s: Option<f64>,
    /// A person's word on it, such as `good` or `bad`. It is not of its row, but of all segments with its source and boundaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// A person's note on it, as `tag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// If segments were joined: the boundaries of each, in samples, as JSON `[[start, end], ...]`.
    #[serde(serialize_with = "crate::serialize_json_text")]
    pub parts: Option<String>,
}

impl Segment {
    /// The scores of DNSMOS, if there are some, under their names.
    pub fn dnsmos(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let scores = [
            ("dnsmos_signal", self.dnsmos_signal),
            ("dnsmos_background", self.dnsmos_background),
            ("dnsmos_overall", self.dnsmos_overall),
        ];
        scores.into_iter().filter_map(|(name, score)| Some((name, score?)))
    }

    /// The tag and the note, as far as there are some, under their names.
    pub fn annotation(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("tag", &self.tag), ("note", &self.note)].into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?)))
    }
}
