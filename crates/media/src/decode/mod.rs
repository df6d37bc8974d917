//! From a file to blocks of samples: through symphonia, or through an ffmpeg on the machine.

mod block;
mod byte_window;
mod codecs;
mod container_marks;
mod ffmpeg;
mod file_window;
mod flac;
mod format_sniffing;
mod he_aac;
mod languages;
mod matroska_padding;
mod matroska_reader;
mod matroska_resync;
mod matroska_tracks;
mod mp4_boxes;
mod mp4_edit_list;
mod mp4_fragment_times;
mod mp4_tracks;
mod mpeg_audio;
mod ogg;
mod open;
mod opus;
mod packet_limits;
mod packet_outcome;
mod panic_guard;
mod panic_safe_decoder;
mod parallel;
mod resetting_decoder;
mod sample_clock;
mod sanitize;
mod sanitized_source;
mod skipped_bytes;
mod start_offset;
mod symphonia_decoder;
mod timeline;
mod track_packets;
mod tracks;
mod vorbis_codebooks;

use std::{path::Path, thread::available_parallelism};

pub use self::{
    block::Block,
    ffmpeg::find_ffmpeg,
    panic_guard::catches_panics,
    tracks::{NoSuchTrack, TrackChoice, TrackInfo},
};
use prepare_audio_types::Gaps;

use self::{ffmpeg::Ffmpeg, sanitize::ByteOverrides, symphonia_decoder::SymphoniaDecoder};
use super::{AudioError, MediaInput};

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
#[derive(Clone, Debug, PartialEq)]
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
    /// Seconds by which the audio begins later than the film that it belongs to, where the container says so.
    pub start_offset_s: Option<f64>,
    /// Number of the audio track that is decoded, from 1.
    pub track: Option<u32>,
    /// The audio tracks of the file, as far as its container is known.
    pub tracks: Vec<TrackInfo>,
}

/// What was wrong on the way and was passed over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Damage {
    /// Packets of the track, as far as the decoder has come.
    pub packets: u64,
    /// Packets that did not decode.
    pub decode_errors: u64,
    /// The file ended before it should have.
    pub truncated: bool,
    /// Where silence stands for audio that is missing.
    pub gaps: Gaps,
    /// Bytes that were skipped because they are neither audio nor a known header or tag.
    pub skipped_bytes: u64,
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
pub struct Decoder(Backend);

enum Backend {
    SymphoniaDecoder(Box<SymphoniaDecoder>),
    Ffmpeg(Box<Ffmpeg>),
}

impl Decoder {
    /// Opens `input` and finds its audio track.
    ///
    /// # Errors
    /// Whatever keeps the file from being decoded at all; see [`AudioError::code`].
    pub fn open(input: &dyn MediaInput, choice: DecoderChoice) -> Result<Self, AudioError> {
        Self::open_track(input, choice, &TrackChoice::Default)
    }

    /// Opens `input` and finds the audio track that is wanted.
    ///
    /// # Errors
    /// Those of [`Decoder::open`], and [`AudioError::NoSuchTrack`].
    pub fn open_track(input: &dyn MediaInput, choice: DecoderChoice, track: &TrackChoice) -> Result<Self, AudioError> {
        let bytes = input.check()?;
        let through = |ffmpeg: &Path, instead| Ffmpeg::open(ffmpeg, input, bytes, track, instead);
        let native = match choice {
            DecoderChoice::Ffmpeg => {
                // ffmpeg would decode the encrypted bytes to noise.
                if let Err(error @ AudioError::Encrypted(_)) = ByteOverrides::of(input) {
                    return Err(error);
                }
                let missing = || AudioError::Ffmpeg("it is not on the PATH".into());
                let ffmpeg = find_ffmpeg().ok_or_else(missing)?;
                return through(&ffmpeg, None).map(|ffmpeg| Self(Backend::Ffmpeg(Box::new(ffmpeg))));
            }
            _ => SymphoniaDecoder::open(input, bytes, track),
        };
        match native {
            Ok(native) if choice == DecoderChoice::Auto && native.is_better_by_ffmpeg() => match find_ffmpeg() {
                Some(ffmpeg) => through(&ffmpeg, None).map(|ffmpeg| Self(Backend::Ffmpeg(Box::new(ffmpeg)))),
                None => Ok(Self(Backend::SymphoniaDecoder(Box::new(native)))),
            },
            Ok(native) => Ok(Self(Backend::SymphoniaDecoder(Box::new(native)))),
            Err(error) if choice == DecoderChoice::Auto && error.is_for_another_decoder() => match find_ffmpeg() {
                Some(ffmpeg) => through(&ffmpeg, Some(error)).map(|ffmpeg| Self(Backend::Ffmpeg(Box::new(ffmpeg)))),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// What is known of the source; exact at the end, and rate and channels once samples have come.
    pub fn info(&self) -> &SourceInfo {
        match &self.0 {
            Backend::SymphoniaDecoder(native) => native.info(),
            Backend::Ffmpeg(ffmpeg) => ffmpeg.info(),
        }
    }

    /// What was passed over so far; complete once [`Decoder::next_block`] has returned `None`.
    pub fn damage(&self) -> Damage {
        match &self.0 {
            Backend::SymphoniaDecoder(native) => native.damage(),
            Backend::Ffmpeg(ffmpeg) => ffmpeg.damage(),
        }
    }

    /// Length in seconds as the header has it.
    pub fn declared_seconds(&self) -> Option<f64> {
        match &self.0 {
            Backend::SymphoniaDecoder(native) => native.declared_seconds(),
            Backend::Ffmpeg(_) => None,
        }
    }

    /// Whether this process decodes, not a child.
    pub fn is_native(&self) -> bool {
        matches!(self.0, Backend::SymphoniaDecoder(_))
    }

    /// Lets threads decode parts of a long recording beside each other, where its codec allows that: the blocks stay what
    /// they are, to the bit. To be said before the first block.
    ///
    /// # Errors
    /// Those of [`Decoder::open`].
    pub fn decode_in_parallel(&mut self) -> Result<(), AudioError> {
        match &mut self.0 {
            Backend::SymphoniaDecoder(native) => {
                native.decode_in_parallel(available_parallelism().map_or(1, usize::from).min(MOST_THREADS))
            }
            Backend::Ffmpeg(_) => Ok(()),
        }
    }

    /// The samples that come next; `None` at the end. A block may be empty: a child process has nothing yet.
    ///
    /// # Errors
    /// A read error of the disk, or [`AudioError::Corrupt`] where nothing at all could be decoded. Faults of single
    /// packets are counted in [`Decoder::damage`] instead.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, AudioError> {
        match &mut self.0 {
            Backend::SymphoniaDecoder(native) => native.next_block(),
            Backend::Ffmpeg(ffmpeg) => ffmpeg.next_block(),
        }
    }
}

/// Length in seconds as the header of `input` declares it, without decoding anything.
pub fn probe_seconds(input: &dyn MediaInput) -> Option<f64> {
    Decoder::open(input, DecoderChoice::Symphonia).ok()?.declared_seconds()
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
