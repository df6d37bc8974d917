//! The models of one worker, and which of them a recording's channels get.

use prepare_audio_denoise::{DenoiseError, Denoiser};
use prepare_audio_dnsmos::{DnsmosError, DnsmosMeter};
use prepare_audio_vad::Detector;

use crate::{Denoising, DnsmosModel, probability_source::ProbabilitySource};

/// Channels whose models a worker keeps from one recording to the next: as many as most recordings have.
const KEPT_CHANNELS: usize = 2;

/// The models of a worker, which keeps them from one recording to the next. They are made as they are needed.
#[derive(Debug, Default)]
pub struct WorkerModels {
    pub(crate) detectors: Vec<Detector>,
    pub(crate) others: OtherModels,
}

/// The models of a worker besides its detectors.
#[derive(Debug, Default)]
pub(crate) struct OtherModels {
    pub denoisers: Vec<Denoiser>,
    pub dnsmos: Option<DnsmosMeter>,
}

/// The meter in `kept`, which is made for `model` at first; `None` without a model.
pub(crate) fn dnsmos_meter<'m>(
    kept: &'m mut Option<DnsmosMeter>,
    model: Option<&DnsmosModel>,
) -> Result<Option<&'m mut DnsmosMeter>, DnsmosError> {
    if let (None, Some(model)) = (&kept, model) {
        *kept = Some(model.meter()?);
    }
    Ok(kept.as_mut().filter(|_| model.is_some()))
}

impl WorkerModels {
    /// Drops the models that few recordings need.
    pub(crate) fn shrink(&mut self) {
        self.detectors.truncate(KEPT_CHANNELS);
        self.others.denoisers.truncate(KEPT_CHANNELS);
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
