//! Reads one recording in blocks: decoder, downmix and resampler in sequence, in one thread or in several.

use std::time::{Duration, Instant};

use super::{
    AudioError, Damage, Decoder, DecoderChoice, MediaInput, OpenOptions, SourceInfo,
    channel_routing::{AudioBlock, ChannelRouter, DecodeOptions, Frames},
    stages,
};

/// A decoder and the channel router behind it. Memory use does not depend on the recording's length.
pub struct AudioStream {
    decoder: Decoder,
    router: ChannelRouter,
    finished: bool,
    decode_time: Duration,
    resample_time: Duration,
}

impl AudioStream {
    /// Opens `input`.
    ///
    /// # Errors
    /// Those of [`Decoder::open`].
    pub fn open(input: &dyn MediaInput, choice: DecoderChoice, options: DecodeOptions) -> Result<Self, AudioError> {
        Self::open_with(input, &OpenOptions { decoder: choice, ..OpenOptions::default() }, options)
    }

    /// Opens `input` as `open` says.
    ///
    /// # Errors
    /// Those of [`Decoder::open_with`].
    pub fn open_with(input: &dyn MediaInput, open: &OpenOptions, options: DecodeOptions) -> Result<Self, AudioError> {
        Ok(Self {
            decoder: Decoder::open_with(input, open)?,
            router: ChannelRouter::new(options),
            finished: false,
            decode_time: Duration::ZERO,
            resample_time: Duration::ZERO,
        })
    }

    /// Treats all channels as identical, so that only one of them is analysed. Call it before the first block, if
    /// [`is_dual_mono`](super::is_dual_mono) returned `true`.
    pub fn assume_dual_mono(&mut self) {
        self.router.assume_dual_mono();
    }

    /// Passes the recording to `consume` in blocks of at least `len` samples at 16 kHz (fewer where there are many
    /// channels), and the rest. With `parallel`, decoding and resampling run on threads of their own. All blocks have as
    /// many channels as the first.
    ///
    /// # Errors
    /// Those of [`Decoder::next_block`], converted by `unreadable`, and the first one of `consume`.
    pub fn for_each_block<E>(
        &mut self,
        len: usize,
        parallel: bool,
        unreadable: impl Fn(AudioError) -> E,
        mut consume: impl FnMut(&AudioBlock) -> Result<(), E>,
    ) -> Result<(), E> {
        if parallel && self.decoder.is_native() {
            self.decoder.decode_in_parallel().map_err(&unreadable)?;
            let (decoding, resampling) = stages::run(&mut self.decoder, &mut self.router, len, unreadable, consume)?;
            self.decode_time += decoding;
            self.resample_time += resampling;
            return Ok(());
        }
        let mut block = AudioBlock::default();
        while self.fill(&mut block, len).map_err(&unreadable)? || !block.is_empty() {
            consume(&block)?;
            block.clear();
        }
        Ok(())
    }

    /// Appends samples to `block` until it holds at least `len` at 16 kHz (fewer where there are many channels). Returns
    /// `false` at the recording's end. Where samples arrive slowly, it may return with fewer.
    ///
    /// # Errors
    /// Those of [`Decoder::next_block`].
    pub fn fill(&mut self, block: &mut AudioBlock, len: usize) -> Result<bool, AudioError> {
        while !self.finished && !block.is_full(len) && self.step(block)? {}
        Ok(!self.finished)
    }

    /// Decodes one block; `false` if none has arrived for a while.
    fn step(&mut self, block: &mut AudioBlock) -> Result<bool, AudioError> {
        let start = Instant::now();
        let decoded = self.decoder.next_block()?;
        let end = Instant::now();
        self.decode_time += end - start;
        let mut received = true;
        match decoded {
            Some(decoded) if decoded.samples().is_empty() => received = false,
            Some(decoded) => {
                let frames = Frames { samples: decoded.samples(), channels: decoded.channels(), rate: decoded.rate };
                self.router.push(frames, block)?;
            }
            None => {
                self.finished = true;
                self.router.finish(block)?;
            }
        }
        self.resample_time += end.elapsed();
        Ok(received)
    }

    /// The facts of the source; exact after the first samples.
    pub fn info(&self) -> &SourceInfo {
        self.decoder.info()
    }

    /// What could not be decoded; complete at the end.
    pub fn damage(&self) -> Damage {
        self.decoder.damage()
    }

    /// Whether the channels cancel each other, so that the louder one was used for the mix; known at the end.
    pub fn channels_cancel(&self) -> bool {
        self.router.cancelled()
    }

    /// The length that the header declares, in seconds.
    pub fn declared_seconds(&self) -> Option<f64> {
        self.decoder.declared_seconds()
    }

    /// Time spent on decoding, and on downmix and resampling.
    pub fn times(&self) -> (Duration, Duration) {
        (self.decode_time, self.resample_time)
    }
}
