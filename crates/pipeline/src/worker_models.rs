//! The models of one worker, and which of them a recording's channels get.

use prepare_audio_denoise::{DenoiseError, Denoiser};
use prepare_audio_vad::Detector;

use crate::{Denoising, probability_source::ProbabilitySource};

/// Channels whose models a worker keeps from one recording to the next: as many as most recordings have.
const KEPT_CHANNELS: usize = 2;

/// The detectors and denoisers of a worker, which keeps them from one recording to the next. They are made as they are
/// needed.
#[derive(Debug, Default)]
pub struct WorkerModels {
    pub(crate) detectors: Vec<Detector>,
    pub(crate) denoisers: Vec<Denoiser>,
}

impl WorkerModels {
    /// Drops the models that few recordings need.
    pub(crate) fn shrink(&mut self) {
        self.detectors.truncate(KEPT_CHANNELS);
        self.denoisers.truncate(KEPT_CHANNELS);
    }
}

/// What computes one channel.
pub(crate) struct ChannelModels<'a> {
    pub source: ProbabilitySource<'a>,
    /// Its denoiser, if recordings are denoised.
    pub denoiser: Option<&'a mut Denoiser>,
}

impl<'a> ChannelModels<'a> {
    /// Adds a denoiser at the start of a recording to each source, if recordings are denoised.
    pub fn open(
        sources: Vec<ProbabilitySource<'a>>,
        denoising: Option<&Denoising>,
        denoisers: &'a mut Vec<Denoiser>,
    ) -> Result<Vec<Self>, DenoiseError> {
        let Some(Denoising { model, .. }) = denoising else {
            return Ok(sources.into_iter().map(|source| Self { source, denoiser: None }).collect());
        };
        while denoisers.len() < sources.len() {
            denoisers.push(model.denoiser()?);
        }
        denoisers.iter_mut().for_each(Denoiser::reset);
        let denoisers = denoisers.iter_mut().map(Some);
        Ok(sources.into_iter().zip(denoisers).map(|(source, denoiser)| Self { source, denoiser }).collect())
    }
}
