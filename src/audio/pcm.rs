//! A recording by blocks: what is listened to, and what segments are cut from.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    AudioError, Damage, Decoder, DecoderChoice, SourceInfo,
    front::{Frames, Front, Sound, Wanted},
    lanes,
};

/// Decoder, downmix and resampler in a row. Memory stays small whatever the recording's length.
pub struct PcmStream {
    decoder: Decoder,
    front: Front,
    over: bool,
    decode_time: Duration,
    resample_time: Duration,
}

impl PcmStream {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// Those of [`Decoder::open`].
    pub fn open(path: &Path, choice: DecoderChoice, wanted: Wanted) -> Result<Self, AudioError> {
        Ok(Self {
            decoder: Decoder::open(path, choice)?,
            front: Front::new(wanted),
            over: false,
            decode_time: Duration::ZERO,
            resample_time: Duration::ZERO,
        })
    }

    /// Before the first samples: all channels are the same, as [`channels_alike`](super::channels_alike) found, and one ear
    /// is enough for them.
    pub fn all_are_alike(&mut self) {
        self.front.all_are_alike();
    }

    /// Hands the recording to `listen` in blocks of at least `len` samples at 16 kHz (fewer where there are many channels),
    /// and the rest; with `lanes` it is decoded and resampled beside that, on threads of their own. All blocks have as many channels as the first.
    ///
    /// # Errors
    /// Those of [`Decoder::next_block`], as `unreadable` puts them, and the first one of `listen`.
    pub fn each_block<E>(
        &mut self,
        len: usize,
        lanes: bool,
        unreadable: impl Fn(AudioError) -> E,
        mut listen: impl FnMut(&Sound) -> Result<(), E>,
    ) -> Result<(), E> {
        if lanes && self.decoder.is_native() {
            self.decoder.spread().map_err(&unreadable)?;
            let (decoding, resampling) = lanes::drive(&mut self.decoder, &mut self.front, len, unreadable, listen)?;
            self.decode_time += decoding;
            self.resample_time += resampling;
            return Ok(());
        }
        let mut sound = Sound::default();
        while self.fill(&mut sound, len).map_err(&unreadable)? || !sound.is_empty() {
            listen(&sound)?;
            sound.clear();
        }
        Ok(())
    }

    /// Appends samples to `sound` until it holds at least `len` at 16 kHz (fewer where there are many channels), or the
    /// recording is over, which `false` tells. Where they come slowly it holds less.
    ///
    /// # Errors
    /// Those of [`Decoder::next_block`].
    pub fn fill(&mut self, sound: &mut Sound, len: usize) -> Result<bool, AudioError> {
        while !self.over && !sound.is_full(len) && self.step(sound)? {}
        Ok(!self.over)
    }

    /// Takes one block; `false` where none has come for a while.
    fn step(&mut self, sound: &mut Sound) -> Result<bool, AudioError> {
        let start = Instant::now();
        let block = self.decoder.next_block()?;
        let decoded = Instant::now();
        self.decode_time += decoded - start;
        let mut came = true;
        match block {
            Some(block) if block.samples().is_empty() => came = false,
            Some(block) => {
                let frames = Frames { samples: block.samples(), channels: block.channels(), rate: block.rate };
                self.front.push(frames, sound)?;
            }
            None => {
                self.over = true;
                self.front.finish(sound);
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

    /// Whether the channels cancel each other, so that the louder one was taken for the mix; known at the end.
    pub fn channels_cancel(&self) -> bool {
        self.front.cancelled()
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
