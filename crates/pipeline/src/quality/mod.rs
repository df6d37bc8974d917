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

use prepare_audio_types::{PreparedRecording, Segment};

pub use self::level::Level;
pub(crate) use self::surroundings::{Surroundings, WindowPowers};
use self::{amplitude::Amplitude, bandwidth::Spectrum, loudness::LoudnessMeter};

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
        })
    }

    /// Whether this version measured the segment, and no earlier one.
    pub fn is_complete(&self) -> bool {
        self.peak_dbfs.is_some()
    }
}

/// Measures segments. It is kept from one segment to the next.
#[derive(Default)]
pub(crate) struct QualityMeter {
    loudness: LoudnessMeter,
    spectrum: Spectrum,
}

impl QualityMeter {
    /// Measures a segment of `samples` samples. What depends on its surroundings is not known yet.
    pub fn measure<'s>(
        &mut self,
        samples: u64,
        blocks: impl Iterator<Item = io::Result<Cow<'s, [i16]>>>,
    ) -> io::Result<Quality> {
        let (mut level, mut amplitude) = (Level::default(), Amplitude::default());
        self.loudness.begin();
        self.spectrum.begin(samples);
        for block in blocks {
            let block = block?;
            level.add(&block);
            amplitude.add(&block);
            self.loudness.add(&block);
            self.spectrum.add(&block);
        }
        Ok(Quality {
            level_dbfs: level.dbfs(),
            peak_dbfs: Some(amplitude.peak_dbfs()),
            loudness_lufs: self.loudness.lufs(),
            clipped: Some(amplitude.clipped()),
            dc_offset: Some(amplitude.dc_offset()),
            bandwidth_hz: self.spectrum.bandwidth_hz(),
            snr_db: None,
            speech_ratio: None,
        })
    }
}

/// Sums the figures of a recording's segments up in its own: means over the time of the segments, of the loudness as
/// power, of the SNR in decibels.
pub(crate) fn sum_up(recording: &mut PreparedRecording) {
    let mean = |value: fn(&Segment) -> Option<f64>| {
        let weighted = recording.segments.iter().filter_map(|segment| Some((value(segment)?, segment)));
        let (sum, length) = weighted.fold((0.0, 0.0), |(sum, length), (value, segment)| {
            let own = segment.end_s - segment.start_s;
            (sum + value * own, length + own)
        });
        (length > 0.0).then(|| sum / length)
    };
    let loudness = mean(|segment| Some(10.0_f64.powf(segment.loudness_lufs? / 10.0))).map(|mean| 10.0 * mean.log10());
    let snr = mean(|segment| segment.snr_db);
    recording.loudness_lufs = loudness;
    recording.snr_db = snr;
    recording.speech_ratio = (recording.duration_s > 0.0).then(|| recording.speech_s / recording.duration_s);
}

#[cfg(test)]
mod tests;
