//! What is measured of each segment, so that users can choose by it. docs/quality.md has the definitions.
//!
//! Every figure depends on the recording's samples and probabilities and on the segment's boundaries alone, never on
//! the parameters that led to these boundaries. So a segment that several recipes have gets the same figures from each.

mod amplitude;
mod bandwidth;
mod level;
mod loudness;
mod surroundings;

use std::{borrow::Cow, io};

use prepare_audio_dnsmos::{DnsmosMeter, Scores};
use prepare_audio_types::{PreparedRecording, Segment};

pub use self::level::Level;
pub(crate) use self::surroundings::{Surroundings, WindowPowers};
use self::{amplitude::Amplitude, bandwidth::Spectrum, loudness::LoudnessMeter};
use crate::{WriteError, channel_segmenter::SegmentError, excerpt_buffer::SegmentExcerpts};

/// The figures of one segment. Those of a segment that an earlier version cut are `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quality {
    /// RMS level, dB below full scale.
    pub level_dbfs: f64,
    /// Greatest magnitude of a sample, dB below full scale.
    pub peak_dbfs: Option<f64>,
    /// Integrated loudness of EBU R128, LUFS. `None` also where it is not defined.
    pub loudness_lufs: Option<f64>,
    /// Share of samples in runs at full scale.
    pub clipped: Option<f64>,
    /// Mean of the samples divided by full scale.
    pub dc_offset: Option<f64>,
    /// Frequency at which the spectrum ends, Hz. `None` also for silence.
    pub bandwidth_hz: Option<f64>,
    /// Speech against the noise around it, dB. `None` also where there is no speech or no noise to measure.
    pub snr_db: Option<f64>,
    /// Share of windows with speech.
    pub speech_ratio: Option<f64>,
    /// DNSMOS P.835, if it is wanted.
    pub dnsmos: Option<Scores>,
}

impl Quality {
    /// The figures in a segment's row; `None` where it has not even a level.
    pub fn of_row(segment: &Segment) -> Option<Self> {
        Some(Self {
            level_dbfs: segment.level_dbfs?,
            peak_dbfs: segment.peak_dbfs,
            loudness_lufs: segment.loudness_lufs,
            clipped: segment.clipped,
            dc_offset: segment.dc_offset,
            bandwidth_hz: segment.bandwidth_hz,
            snr_db: segment.snr_db,
            speech_ratio: segment.speech_ratio,
            dnsmos: match (segment.dnsmos_signal, segment.dnsmos_background, segment.dnsmos_overall) {
                (Some(signal), Some(background), Some(overall)) => Some(Scores { signal, background, overall }),
                _ => None,
            },
        })
    }

    /// Writes the figures into a segment's row.
    pub fn write_to(&self, segment: &mut Segment) {
        segment.level_dbfs = Some(self.level_dbfs);
        segment.peak_dbfs = self.peak_dbfs;
        segment.loudness_lufs = self.loudness_lufs;
        segment.clipped = self.clipped;
        segment.dc_offset = self.dc_offset;
        segment.bandwidth_hz = self.bandwidth_hz;
        segment.snr_db = self.snr_db;
        segment.speech_ratio = self.speech_ratio;
        segment.dnsmos_signal = self.dnsmos.map(|scores| scores.signal);
        segment.dnsmos_background = self.dnsmos.map(|scores| scores.background);
        segment.dnsmos_overall = self.dnsmos.map(|scores| scores.overall);
    }

    /// Whether nothing is missing: no earlier version measured the segment, and it has DNSMOS if that is wanted.
    pub fn is_complete(&self, wants_dnsmos: bool) -> bool {
        self.peak_dbfs.is_some() && (self.dnsmos.is_some() || !wants_dnsmos)
    }
}

/// Measures segments. It is kept from one segment to the next.
#[derive(Default)]
pub(crate) struct QualityMeter<'m> {
    loudness: LoudnessMeter,
    spectrum: Spectrum,
    dnsmos: Option<&'m mut DnsmosMeter>,
}

impl<'m> QualityMeter<'m> {
    /// A meter that also computes DNSMOS, if that is wanted.
    pub fn new(dnsmos: Option<&'m mut DnsmosMeter>) -> Self {
        Self { dnsmos, ..Self::default() }
    }

    /// Whether it computes DNSMOS.
    pub fn has_dnsmos(&self) -> bool {
        self.dnsmos.is_some()
    }

    /// Measures a segment of `samples` samples with its excerpts, if it has any. What depends on its surroundings is not known
    /// yet.
    pub fn measure<'s>(
        &mut self,
        samples: u64,
        blocks: impl Iterator<Item = io::Result<Cow<'s, [i16]>>>,
        excerpts: Option<&SegmentExcerpts>,
    ) -> Result<Quality, SegmentError> {
        let (mut level, mut amplitude) = (Level::default(), Amplitude::default());
        self.loudness.begin();
        self.spectrum.begin(samples);
        if let Some(dnsmos) = &mut self.dnsmos {
            dnsmos.begin();
        }
        for block in blocks {
            let block = block.map_err(WriteError::from)?;
            level.add(&block);
            amplitude.add(&block);
            self.loudness.add(&block);
            self.spectrum.add(&block);
            if let Some(dnsmos) = &mut self.dnsmos {
                dnsmos.push(&block)?;
            }
        }
        let dnsmos = match &mut self.dnsmos {
            Some(dnsmos) => dnsmos.finish()?,
            None => None,
        };
        Ok(Quality {
            level_dbfs: level.dbfs(),
            peak_dbfs: Some(amplitude.peak_dbfs()),
            loudness_lufs: self.loudness.lufs(),
            clipped: Some(amplitude.clipped()),
            dc_offset: Some(amplitude.dc_offset()),
            bandwidth_hz: self.spectrum.bandwidth_hz(excerpts).map_err(WriteError::from)?,
            snr_db: None,
            speech_ratio: None,
            dnsmos,
        })
    }
}

/// Figures of a recording: means over the time of its segments.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RecordingQuality {
    /// Mean loudness, LUFS: of the powers.
    pub loudness_lufs: Option<f64>,
    /// Mean SNR, dB.
    pub snr_db: Option<f64>,
    /// Mean SNR without noise, dB.
    pub denoised_snr_db: Option<f64>,
    /// Mean overall rating of DNSMOS.
    pub dnsmos_overall: Option<f64>,
}

impl RecordingQuality {
    /// The figures of a recording with these segments.
    pub fn of(segments: &[Segment]) -> Self {
        let power = |segment: &Segment| Some(10.0_f64.powf(segment.loudness_lufs? / 10.0));
        Self {
            loudness_lufs: mean(segments, power).map(|mean| 10.0 * mean.log10()),
            snr_db: mean(segments, |segment| segment.snr_db),
            denoised_snr_db: mean(segments, |segment| segment.denoised_snr_db),
            dnsmos_overall: mean(segments, |segment| segment.dnsmos_overall),
        }
    }
}

/// The mean of a value over the time of the segments that have it.
fn mean(segments: &[Segment], value: impl Fn(&Segment) -> Option<f64>) -> Option<f64> {
    let weighted = segments.iter().filter_map(|segment| Some((value(segment)?, segment)));
    let (sum, length) = weighted.fold((0.0, 0.0), |(sum, length), (value, segment)| {
        let own = segment.end_s - segment.start_s;
        (sum + value * own, length + own)
    });
    (length > 0.0).then(|| sum / length)
}

/// Sums the figures of a recording's segments up in its own.
pub(crate) fn sum_up(recording: &mut PreparedRecording) {
    let RecordingQuality { loudness_lufs, snr_db, denoised_snr_db, dnsmos_overall } =
        RecordingQuality::of(&recording.segments);
    (recording.loudness_lufs, recording.snr_db) = (loudness_lufs, snr_db);
    (recording.denoised_snr_db, recording.dnsmos_overall) = (denoised_snr_db, dnsmos_overall);
    recording.speech_ratio = (recording.duration_s > 0.0).then(|| recording.speech_s / recording.duration_s);
}

#[cfg(test)]
mod tests;
