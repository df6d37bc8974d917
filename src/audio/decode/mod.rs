//! From a file to blocks of samples: through symphonia, or through an ffmpeg on the machine.

mod aac;
mod batch;
mod block;
mod books;
mod boxes;
mod careful;
mod codecs;
mod feed;
mod ffmpeg;
mod guard;
mod honest;
mod marks;
mod mkv;
mod mp4;
mod names;
mod native;
mod open;
mod opus;
mod packet;
mod run_in;
mod source;
mod spread;
mod timeline;

use std::{path::Path, thread::available_parallelism};

pub use self::{block::Block, ffmpeg::find_ffmpeg, guard::is_guarded};
use self::{
    ffmpeg::Ffmpeg,
    native::Native,
    open::{check_file, read_at},
};
use super::AudioError;

/// Sample rates outside these are lies: a WAV header may claim 4,294,967,295 Hz, for which a resampler would try to
/// allocate until the process aborts.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Steps of a rate that share no factor with 16 kHz, at most. They are the length of the resampler's blocks: 48 kHz has 3 of
/// them, 44.1 kHz 441, and 44,101 Hz as many. Recorders of more than 100 kHz have rates that are round.
const MOST_STEPS: u32 = 100_000;

/// More channels than any recorder writes.
const MAX_CHANNELS: usize = 64;

/// Threads that decode one recording, at most: what four decode one alone cannot listen to.
const MOST_THREADS: usize = 4;

/// What the file says of itself, corrected by what the decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// The container's short name, as `wav`.
    pub container: String,
    /// The codec's short name, as `pcm_s16le`; `ffmpeg:amr_nb` where ffmpeg decoded it.
    pub codec: String,
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Channels.
    pub channels: usize,
    /// Bits of a sample, where the codec keeps them as they were recorded.
    pub bits: Option<u32>,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// What was wrong on the way and was passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Packets that did not decode.
    pub decode_errors: u64,
    /// The file ended before it should have.
    pub truncated: bool,
}

/// Who decodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecoderChoice {
    /// symphonia what it can, an ffmpeg on the `PATH` the rest.
    #[default]
    Auto,
    /// symphonia alone.
    Symphonia,
    /// ffmpeg alone.
    Ffmpeg,
}

/// An open recording, read from its beginning to its end.
pub struct Decoder(Either);

enum Either {
    Native(Box<Native>),
    Ffmpeg(Box<Ffmpeg>),
}

impl Decoder {
    /// Opens the file at `path` and finds its audio track.
    ///
    /// # Errors
    /// Whatever keeps the file from being decoded at all; see [`AudioError::code`].
    pub fn open(path: &Path, choice: DecoderChoice) -> Result<Self, AudioError> {
        let bytes = check_file(path)?.len();
        let through = |ffmpeg: &Path, instead| Ffmpeg::open(ffmpeg, path, bytes, instead);
        let native = match choice {
            DecoderChoice::Ffmpeg => {
                let missing = || AudioError::Ffmpeg("it is not on the PATH".into());
                let ffmpeg = find_ffmpeg().ok_or_else(missing)?;
                return through(&ffmpeg, None).map(|ffmpeg| Self(Either::Ffmpeg(Box::new(ffmpeg))));
            }
            _ => Native::open(path, bytes),
        };
        match native {
            Ok(native) if choice == DecoderChoice::Auto && native.is_better_by_ffmpeg() => match find_ffmpeg() {
                Some(ffmpeg) => through(&ffmpeg, None).map(|ffmpeg| Self(Either::Ffmpeg(Box::new(ffmpeg)))),
                None => Ok(Self(Either::Native(Box::new(native)))),
            },
            Ok(native) => Ok(Self(Either::Native(Box::new(native)))),
            Err(error) if choice == DecoderChoice::Auto && error.is_for_another_decoder() => match find_ffmpeg() {
                Some(ffmpeg) => through(&ffmpeg, Some(error)).map(|ffmpeg| Self(Either::Ffmpeg(Box::new(ffmpeg)))),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// What is known of the source; exact at the end, and rate and channels once samples have come.
    pub fn info(&self) -> &SourceInfo {
        match &self.0 {
            Either::Native(native) => native.info(),
            Either::Ffmpeg(ffmpeg) => ffmpeg.info(),
        }
    }

    /// What was passed over so far; complete once [`Decoder::next_block`] has returned `None`.
    pub fn damage(&self) -> Damage {
        match &self.0 {
            Either::Native(native) => native.damage(),
            Either::Ffmpeg(ffmpeg) => ffmpeg.damage(),
        }
    }

    /// Length in seconds as the header has it.
    pub fn promised_seconds(&self) -> Option<f64> {
        match &self.0 {
            Either::Native(native) => native.promised_seconds(),
            Either::Ffmpeg(_) => None,
        }
    }

    /// Whether this process decodes, not a child.
    pub fn is_native(&self) -> bool {
        matches!(self.0, Either::Native(_))
    }

    /// Lets threads decode parts of a long recording beside each other, where its codec allows that: the blocks stay what
    /// they are, to the bit. To be said before the first block.
    ///
    /// # Errors
    /// Those of [`Decoder::open`].
    pub fn spread(&mut self) -> Result<(), AudioError> {
        match &mut self.0 {
            Either::Native(native) => native.spread(available_parallelism().map_or(1, usize::from).min(MOST_THREADS)),
            Either::Ffmpeg(_) => Ok(()),
        }
    }

    /// The samples that come next; `None` at the end. A block may be empty: a child process has nothing yet.
    ///
    /// # Errors
    /// A read error of the disk, or [`AudioError::Corrupt`] where nothing at all could be decoded. Faults of single
    /// packets are counted in [`Decoder::damage`] instead.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, AudioError> {
        match &mut self.0 {
            Either::Native(native) => native.next_block(),
            Either::Ffmpeg(ffmpeg) => ffmpeg.next_block(),
        }
    }
}

/// Length in seconds as the header of the file at `path` has it, without decoding anything.
pub fn probe_seconds(path: &Path) -> Option<f64> {
    Decoder::open(path, DecoderChoice::Symphonia).ok()?.promised_seconds()
}

fn check_spec(rate: u32, channels: usize) -> Result<(), AudioError> {
    if !RATES.contains(&rate) || rate / gcd(rate, 16_000) > MOST_STEPS {
        return Err(AudioError::ImplausibleHeader(format!("a sample rate of {rate} Hz")));
    }
    if !(1..=MAX_CHANNELS).contains(&channels) {
        return Err(AudioError::ImplausibleHeader(format!("{channels} channels")));
    }
    Ok(())
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
