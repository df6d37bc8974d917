//! Decodes a file to blocks of samples: with symphonia, or with an `ffmpeg` that is installed.

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
mod mp4_movie;
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
mod pcm;
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
    pcm::{RawEncoding, RawFormat},
    tracks::{NoSuchTrack, TrackChoice, TrackInfo},
};
use prepare_audio_types::Gaps;

use self::{ffmpeg::Ffmpeg, sanitize::ByteOverrides, symphonia_decoder::SymphoniaDecoder};
use super::{AudioError, MediaInput};

/// Accepted sample rates in Hz. A header may claim 4,294,967,295 Hz, for which a resampler would try to allocate until the
/// process aborts.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// Maximum of a rate divided by its greatest common divisor with 16 kHz. The length of the resampler's blocks is a multiple
/// of this quotient, which is 3 at 48 kHz, 441 at 44.1 kHz, and 44,101 at 44,101 Hz. Real rates above 100 kHz are round.
const MAX_RATE_QUOTIENT: u32 = 100_000;

/// Maximum number of channels. Microphone arrays have up to 64.
const MAX_CHANNELS: usize = 64;

/// Maximum number of threads that decode one recording. The speech detector is not faster than four of them.
const MAX_THREADS: usize = 4;

/// The facts of a source: those of its header, corrected by those that the decoder found.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceInfo {
    /// The container's short name, such as `wav`.
    pub container: String,
    /// The codec's short name, such as `pcm_s16le`, or `ffmpeg:amr_nb` if ffmpeg decodes.
    pub codec: String,
    /// Sample rate in Hz.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: usize,
    /// Bits of a sample, if the codec is lossless.
    pub bits: Option<u32>,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Seconds between the start of the earliest track and the start of this one, if the container has time stamps.
    pub start_offset_s: Option<f64>,
    /// Number of the audio track that is decoded, from 1.
    pub track: Option<u32>,
    /// The audio tracks of the file. Empty if the container is not known.
    pub tracks: Vec<TrackInfo>,
}

/// The faults that did not stop the decoder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Damage {
    /// Packets of the track that were read so far.
    pub packets: u64,
    /// Packets that could not be decoded.
    pub decode_errors: u64,
    /// The file ended earlier than its header or its container declares.
    pub truncated: bool,
    /// Where silence replaces audio that is missing.
    pub gaps: Gaps,
    /// Bytes that were skipped because they are neither audio nor a known header or tag, or because they follow the end of
    /// the audio that a WAV header declares.
    pub skipped_bytes: u64,
}

/// Which decoder is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DecoderChoice {
    /// symphonia for all formats that it decodes well, an ffmpeg on the `PATH` for the others.
    #[default]
    Auto,
    /// Only symphonia.
    Symphonia,
    /// Only ffmpeg.
    Ffmpeg,
}

/// How a recording is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// The decoder.
    pub decoder: DecoderChoice,
    /// The audio track.
    pub track: TrackChoice,
    /// The format of recordings that do not begin like a known container.
    pub raw: Option<RawFormat>,
}

/// An open recording, which is decoded from its beginning to its end.
pub struct Decoder(Backend);

enum Backend {
    SymphoniaDecoder(Box<SymphoniaDecoder>),
    Ffmpeg(Box<Ffmpeg>),
}

impl Decoder {
    /// Opens `input` and finds its default audio track.
    ///
    /// # Errors
    /// The reason why nothing of the file can be decoded; see [`AudioError::code`].
    pub fn open(input: &dyn MediaInput, choice: DecoderChoice) -> Result<Self, AudioError> {
        Self::open_with(input, &OpenOptions { decoder: choice, ..OpenOptions::default() })
    }

    /// Opens `input` and finds the requested audio track.
    ///
    /// # Errors
    /// Those of [`Decoder::open`], and [`AudioError::NoSuchTrack`].
    pub fn open_with(input: &dyn MediaInput, options: &OpenOptions) -> Result<Self, AudioError> {
        let &OpenOptions { decoder: choice, ref track, raw } = options;
        let bytes = input.check()?;
        if let Some(raw) = raw.filter(|_| !open::has_container(input)) {
            let native = SymphoniaDecoder::open_raw(input, bytes, raw)?;
            return Ok(Self(Backend::SymphoniaDecoder(Box::new(native))));
        }
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

    /// The facts of the source. They are final at the end of the recording; rate and channels are final after the first
    /// samples.
    pub fn info(&self) -> &SourceInfo {
        match &self.0 {
            Backend::SymphoniaDecoder(native) => native.info(),
            Backend::Ffmpeg(ffmpeg) => ffmpeg.info(),
        }
    }

    /// The faults so far; complete once [`Decoder::next_block`] has returned `None`.
    pub fn damage(&self) -> Damage {
        match &self.0 {
            Backend::SymphoniaDecoder(native) => native.damage(),
            Backend::Ffmpeg(ffmpeg) => ffmpeg.damage(),
        }
    }

    /// Length in seconds that the header declares.
    pub fn declared_seconds(&self) -> Option<f64> {
        match &self.0 {
            Backend::SymphoniaDecoder(native) => native.declared_seconds(),
            Backend::Ffmpeg(_) => None,
        }
    }

    /// Whether this process decodes, and not a child process.
    pub fn is_native(&self) -> bool {
        matches!(self.0, Backend::SymphoniaDecoder(_))
    }

    /// Decodes parts of a long recording on several threads, if its codec allows that. The samples are the same to the bit.
    /// Call it before the first block.
    ///
    /// # Errors
    /// Those of [`Decoder::open`].
    pub fn decode_in_parallel(&mut self) -> Result<(), AudioError> {
        match &mut self.0 {
            Backend::SymphoniaDecoder(native) => {
                native.decode_in_parallel(available_parallelism().map_or(1, usize::from).min(MAX_THREADS))
            }
            Backend::Ffmpeg(_) => Ok(()),
        }
    }

    /// The next samples; `None` at the end. A block is empty if a child process decodes and has not sent samples yet.
    ///
    /// # Errors
    /// A read error of the disk, or [`AudioError::Corrupt`] if nothing could be decoded. Faults of single packets are
    /// counted in [`Decoder::damage`] instead.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, AudioError> {
        match &mut self.0 {
            Backend::SymphoniaDecoder(native) => native.next_block(),
            Backend::Ffmpeg(ffmpeg) => ffmpeg.next_block(),
        }
    }
}

/// Length in seconds that the header of `input` declares. Decodes nothing.
pub fn probe_seconds(input: &dyn MediaInput) -> Option<f64> {
    Decoder::open(input, DecoderChoice::Symphonia).ok()?.declared_seconds()
}

fn check_spec(rate: u32, channels: usize) -> Result<(), AudioError> {
    if !RATES.contains(&rate) || rate / gcd(rate, 16_000) > MAX_RATE_QUOTIENT {
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
