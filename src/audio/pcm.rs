//! A recording as mono samples at 16 kHz, by blocks.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{AudioError, Damage, Decoder, DecoderChoice, Resampler, SourceInfo, lanes};

/// Decoder, downmix and resampler in a row. Memory stays small whatever the recording's length.
pub struct PcmStream {
    decoder: Decoder,
    resampler: Option<Resampler>,
    mono: Vec<f32>,
    over: bool,
    decode_time: Duration,
    resample_time: Duration,
}

impl PcmStream {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// Those of [`Decoder::open`].
    pub fn open(path: &Path, choice: DecoderChoice) -> Result<Self, AudioError> {
        Ok(Self {
            decoder: Decoder::open(path, choice)?,
            resampler: None,
            mono: Vec::new(),
            over: false,
            decode_time: Duration::ZERO,
            resample_time: Duration::ZERO,
        })
    }

    /// Hands the recording to `listen` in blocks of at least `len` samples, and the rest; with `lanes` it is decoded and
    /// resampled beside that, on threads of their own.
    ///
    /// # Errors
    /// Those of [`Decoder::next_block`], as `unreadable` puts them, and the first one of `listen`.
    pub fn each_block<E>(
        &mut self,
        len: usize,
        lanes: bool,
        unreadable: impl Fn(AudioError) -> E,
        mut listen: impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        if lanes && self.decoder.is_native() {
            self.decoder.spread().map_err(&unreadable)?;
            let (decoding, resampling) = lanes::drive(&mut self.decoder, &mut self.resampler, len, unreadable, listen)?;
            self.decode_time += decoding;
            self.resample_time += resampling;
            return Ok(());
        }
        let mut pcm = Vec::new();
        while self.fill(&mut pcm, len).map_err(&unreadable)? || !pcm.is_empty() {
            listen(&pcm)?;
            pcm.clear();
        }
        Ok(())
    }

    /// Appends samples to `pcm` until it holds at least `len`, or the recording is over, which `false` tells. Where
    /// they come slowly it holds less.
    ///
    /// # Errors
    /// Those of [`Decoder::next_block`].
    pub fn fill(&mut self, pcm: &mut Vec<f32>, len: usize) -> Result<bool, AudioError> {
        while !self.over && pcm.len() < len && self.step(pcm)? {}
        Ok(!self.over)
    }

    /// Takes one block; `false` where none has come for a while.
    fn step(&mut self, pcm: &mut Vec<f32>) -> Result<bool, AudioError> {
        let start = Instant::now();
        let block = self.decoder.next_block()?;
        let decoded = Instant::now();
        self.decode_time += decoded - start;
        let mut came = true;
        match block {
            Some(block) if block.samples().is_empty() => came = false,
            Some(block) => {
                self.mono.clear();
                block.downmix(&mut self.mono);
                adapt(&mut self.resampler, block.rate, pcm)?.push(&self.mono, pcm);
            }
            None => {
                self.over = true;
                if let Some(resampler) = &mut self.resampler {
                    resampler.finish(pcm);
                }
            }
        }
        self.resample_time += decoded.elapsed();
        Ok(came)
    }

    /// What is known of the source; exact once samples have come.
    pub fn info(&self) -> &SourceInfo {
        self.decoder.info()
    }

    /// What was passed over; complete at the end.
    pub fn damage(&self) -> Damage {
        self.decoder.damage()
    }

    /// Length in seconds as the header has it.
    pub fn promised_seconds(&self) -> Option<f64> {
        self.decoder.promised_seconds()
    }

    /// Time spent on decoding, and on downmix and resampling.
    pub fn times(&self) -> (Duration, Duration) {
        (self.decode_time, self.resample_time)
    }
}

/// The resampler for `rate`: a new one at the beginning and where a stream changes its rate, after the old one's rest.
pub(super) fn adapt<'r>(
    resampler: &'r mut Option<Resampler>,
    rate: u32,
    pcm: &mut Vec<f32>,
) -> Result<&'r mut Resampler, AudioError> {
    if resampler.as_ref().is_none_or(|r| r.rate() != rate) {
        if let Some(old) = resampler {
            old.finish(pcm);
        }
        *resampler = None;
    }
    match resampler {
        Some(same) => Ok(same),
        None => Ok(resampler.insert(Resampler::new(rate).map_err(AudioError::ImplausibleHeader)?)),
    }
}
