//! Where the probabilities of the next windows come from: a detector, or an earlier preparation.

use prepare_audio_vad::{Detector, Engine, VadError};

use crate::stored_probabilities::StoredAnalysis;

/// The probabilities of one channel: computed from its samples, or stored.
pub(crate) enum ProbabilitySource<'a> {
    Computed(&'a mut Detector),
    Stored { analysis: &'a StoredAnalysis<'a>, probabilities: &'a [f32], samples: u64, given: usize },
}

/// Where the probability sources of a recording come from.
pub(crate) enum ProbabilitySources<'a> {
    /// A worker's detectors. More are made where a recording has more channels.
    Computed(&'a Engine, &'a mut Vec<Detector>),
    Stored(&'a StoredAnalysis<'a>),
}

impl<'a> ProbabilitySources<'a> {
    /// What an earlier preparation stored, if the probabilities come from there.
    pub fn stored(&self) -> Option<&'a StoredAnalysis<'a>> {
        match self {
            Self::Computed(..) => None,
            Self::Stored(analysis) => Some(analysis),
        }
    }

    /// One source for each of `channels` channels. `None` where another number of channels is stored, because that was
    /// other audio.
    ///
    /// # Errors
    /// Where a detector cannot be made.
    pub fn open(self, channels: usize) -> Result<Option<Vec<ProbabilitySource<'a>>>, VadError> {
        match self {
            Self::Computed(engine, detectors) => {
                while detectors.len() < channels {
                    detectors.push(engine.detector()?);
                }
                Ok(Some(detectors.iter_mut().take(channels).map(ProbabilitySource::computed).collect()))
            }
            Self::Stored(analysis) if analysis.channels.len() != channels => Ok(None),
            Self::Stored(analysis) => Ok(Some(
                analysis.channels.iter().map(|channel| ProbabilitySource::from_stored(analysis, channel)).collect(),
            )),
        }
    }
}

impl<'a> ProbabilitySource<'a> {
    fn computed(detector: &'a mut Detector) -> Self {
        detector.reset();
        Self::Computed(detector)
    }

    fn from_stored(analysis: &'a StoredAnalysis<'a>, probabilities: &'a [f32]) -> Self {
        Self::Stored { analysis, probabilities, samples: 0, given: 0 }
    }

    /// What an earlier preparation stored, if the probabilities come from there.
    pub fn stored(&self) -> Option<&'a StoredAnalysis<'a>> {
        match self {
            Self::Computed(_) => None,
            Self::Stored { analysis, .. } => Some(analysis),
        }
    }

    /// Takes the next samples; appends the probabilities of the windows that are complete now.
    pub fn push(&mut self, pcm: &[f32], out: &mut Vec<f32>) -> Result<(), VadError> {
        match self {
            Self::Computed(detector) => detector.push(pcm, out)?,
            Self::Stored { analysis, probabilities, samples, given } => {
                *samples += pcm.len() as u64;
                let complete = (analysis.spec.complete_windows(*samples) as usize).clamp(*given, probabilities.len());
                out.extend_from_slice(&probabilities[*given..complete]);
                *given = complete;
            }
        }
        Ok(())
    }

    /// Ends the recording; appends the probability of the last window. `false` means that the stored probabilities belong
    /// to other samples.
    pub fn finish(&mut self, out: &mut Vec<f32>) -> Result<bool, VadError> {
        Ok(match self {
            Self::Computed(detector) => {
                detector.finish(out)?;
                true
            }
            Self::Stored { analysis, probabilities, samples, given } => {
                out.extend_from_slice(&probabilities[*given..]);
                let windows = analysis.spec.windows(*samples) as usize;
                *samples == analysis.recording.samples && windows == probabilities.len()
            }
        })
    }
}
