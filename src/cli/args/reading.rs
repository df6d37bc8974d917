//! How recordings are read: the decoder, and limits on the input.

use std::time::Duration;

use clap::{Args, ValueEnum};
use prepare_audio::{
    media::{self, DecoderChoice, RawFormat, TrackChoice},
    pipeline::InputLimits,
};

use crate::cli::exit;

/// The decoder, and limits on the input.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct ReadingArgs {
    /// Decoder: symphonia (built in), ffmpeg (must be on the PATH), or auto (ffmpeg only for what is not built in)
    #[arg(
        long,
        value_name = "DECODER",
        env = "PREPARE_AUDIO_DECODER",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub decoder: DecoderName,
    /// Audio track of files with several: a number from 1, a language (eng), or default (the track flagged as such, or the first)
    #[arg(long, value_name = "N|LANG", env = "PREPARE_AUDIO_AUDIO_TRACK", hide_short_help = true, default_value = "default", value_parser = track)]
    pub audio_track: TrackChoice,
    /// Read files that have no header as samples: s16le:16000:1, ulaw:8000:1, vox:8000:1; FORMAT is one of u8, s8, s16le,
    /// s16be, s24le, s24be, s32le, s32be, f32le, f32be, f64le, f64be, alaw, ulaw, vox. Folders are searched for .alaw, .pcm,
    /// .raw, .ulaw and .vox files, too
    #[arg(long, value_name = "FORMAT:RATE:CHANNELS", env = "PREPARE_AUDIO_RAW", hide_short_help = true)]
    pub raw: Option<RawFormat>,
    /// Fail damaged recordings (error code damaged) instead of preparing what can be decoded
    #[arg(long, env = "PREPARE_AUDIO_STRICT")]
    pub strict: bool,
    /// Fail longer recordings (error code too_long) [default: no limit]
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_MAX_DURATION", value_parser = humantime::parse_duration)]
    pub max_duration: Option<Duration>,
    /// Fail larger files (error code too_large): a number, with K, M, G or T for powers of 1024 [default: no limit]
    #[arg(long, value_name = "BYTES", env = "PREPARE_AUDIO_MAX_BYTES", value_parser = bytes)]
    pub max_bytes: Option<u64>,
}

/// Names of decoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DecoderName {
    Auto,
    Symphonia,
    Ffmpeg,
}

impl ReadingArgs {
    /// The settings of the library.
    pub fn limits(&self) -> Result<InputLimits, exit::Usage> {
        let Self { raw, strict, max_duration, max_bytes, .. } = *self;
        let (decoder, track) = (self.decoder()?, self.audio_track.clone());
        Ok(InputLimits { decoder, track, raw, strict, max_duration, max_bytes })
    }

    /// The decoder. An explicitly requested ffmpeg must be installed.
    fn decoder(&self) -> Result<DecoderChoice, exit::Usage> {
        match self.decoder {
            DecoderName::Auto => Ok(DecoderChoice::Auto),
            DecoderName::Symphonia => Ok(DecoderChoice::Symphonia),
            DecoderName::Ffmpeg if media::find_ffmpeg().is_none() => {
                Err(exit::Usage("--decoder ffmpeg: there is no ffmpeg on the PATH".into()))
            }
            DecoderName::Ffmpeg => Ok(DecoderChoice::Ffmpeg),
        }
    }
}

/// Parses the choice of a track.
fn track(text: &str) -> Result<TrackChoice, String> {
    match text.parse() {
        Ok(TrackChoice::Number(0)) => Err("tracks are numbered from 1".into()),
        Ok(TrackChoice::Language(language)) if !is_language(&language) => {
            Err("write a number from 1, a language (eng, en-US), or default".into())
        }
        Ok(choice) => Ok(choice),
        Err(never) => match never {},
    }
}

fn is_language(text: &str) -> bool {
    let primary = text.split('-').next().unwrap_or_default();
    (2..=3).contains(&primary.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Parses a size. Suffixes are powers of 1024, as `--help` says; crates such as bytesize read `G` as 10^9.
fn bytes(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        Some((at, 'T' | 't')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number: u64 =
        number.parse().map_err(|_| "write a number, with K, M, G or T if needed, for example 500M".to_owned())?;
    number
        .checked_mul(1 << shift)
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| "the limit must be from 1 byte to 16777215T".into())
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_have_binary_suffixes() {
        assert_eq!((bytes("1000"), bytes("2G")), (Ok(1000), Ok(2 << 30)));
        assert!(["", "M", "0", "-1", "1.5M", "99999999999T"].iter().all(|text| bytes(text).is_err()));
    }
}
