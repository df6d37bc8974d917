//! Who decodes recordings, and which of them are wanted.

use std::time::Duration;

use clap::{Args, ValueEnum};
use prepare_audio::{
    audio::{self, DecoderChoice},
    prepare::Reading,
};

use super::exit;

#[derive(Debug, Args)]
#[command(next_help_heading = "Reading")]
pub struct ReadingArgs {
    /// Who decodes: auto (what symphonia cannot do goes through an ffmpeg on the PATH), symphonia, ffmpeg
    #[arg(
        long,
        value_name = "DECODER",
        env = "PREPARE_AUDIO_DECODER",
        default_value = "auto",
        hide_possible_values = true
    )]
    pub decoder: DecoderName,
    /// Damaged recordings fail (damaged), instead of giving what they hold
    #[arg(long, env = "PREPARE_AUDIO_STRICT")]
    pub strict: bool,
    /// Recordings that play for longer fail (too_long) [default: no limit]
    #[arg(long, value_name = "TIME", env = "PREPARE_AUDIO_MAX_DURATION", value_parser = humantime::parse_duration)]
    pub max_duration: Option<Duration>,
    /// Larger files fail (too_large): a number, with K, M, G or T after it for powers of 1024 [default: no limit]
    #[arg(long, value_name = "BYTES", env = "PREPARE_AUDIO_MAX_BYTES", value_parser = bytes)]
    pub max_bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DecoderName {
    Auto,
    Symphonia,
    Ffmpeg,
}

impl ReadingArgs {
    /// What was typed.
    pub fn reading(&self) -> Result<Reading, exit::Usage> {
        let Self { strict, max_duration, max_bytes, .. } = *self;
        Ok(Reading { decoder: self.decoder()?, strict, max_duration, max_bytes })
    }

    /// The decoder that was asked for, if it is there.
    fn decoder(&self) -> Result<DecoderChoice, exit::Usage> {
        match self.decoder {
            DecoderName::Auto => Ok(DecoderChoice::Auto),
            DecoderName::Symphonia => Ok(DecoderChoice::Symphonia),
            DecoderName::Ffmpeg if audio::find_ffmpeg().is_none() => {
                Err(exit::Usage("--decoder ffmpeg: there is no ffmpeg on the PATH".into()))
            }
            DecoderName::Ffmpeg => Ok(DecoderChoice::Ffmpeg),
        }
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        Some((at, 'T' | 't')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number: u64 = number.parse().map_err(|_| "write a number, or a number and K, M, G or T, as 500M".to_owned())?;
    number
        .checked_mul(1 << shift)
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| "at least 1 byte, and no more than fits".into())
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_are_written_as_people_write_them() {
        assert_eq!((bytes("1000"), bytes("2G")), (Ok(1000), Ok(2 << 30)));
        assert!(["", "M", "0", "-1", "1.5M", "99999999999T"].iter().all(|text| bytes(text).is_err()));
    }
}
