//! Samples without a header, whose format the caller names.

use std::{fmt, str::FromStr};

use symphonia::core::{
    codecs::audio::{AudioCodecId, well_known::*},
    formats::{FORMAT_ID_NULL, FormatId, FormatInfo, FormatReader},
};

use super::{
    oki_adpcm::CODEC_ID_ADPCM_OKI,
    reader::{BlockReader, Format, Samples},
};
use crate::{
    AudioError, MediaInput,
    decode::{MAX_CHANNELS, RATES},
};

static INFO: FormatInfo = FormatInfo { format: RAW, short_name: "raw", long_name: "Samples without a header" };
const RAW: FormatId = FORMAT_ID_NULL;

/// The encoding of samples in a file without a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEncoding(&'static Encoding);

#[derive(Debug, PartialEq, Eq)]
struct Encoding {
    name: &'static str,
    codec: AudioCodecId,
    /// Length in bytes of one sample of one channel. For ADPCM a byte has two samples.
    bytes: u64,
    /// Bits of a sample, if the encoding is lossless.
    bits: Option<u32>,
}

const fn encoding(name: &'static str, codec: AudioCodecId, bytes: u64, bits: u32) -> Encoding {
    Encoding { name, codec, bytes, bits: if bits == 0 { None } else { Some(bits) } }
}

/// All encodings, with ffmpeg's names for those of PCM.
static ENCODINGS: [Encoding; 15] = [
    encoding("u8", CODEC_ID_PCM_U8, 1, 8),
    encoding("s8", CODEC_ID_PCM_S8, 1, 8),
    encoding("s16le", CODEC_ID_PCM_S16LE, 2, 16),
    encoding("s16be", CODEC_ID_PCM_S16BE, 2, 16),
    encoding("s24le", CODEC_ID_PCM_S24LE, 3, 24),
    encoding("s24be", CODEC_ID_PCM_S24BE, 3, 24),
    encoding("s32le", CODEC_ID_PCM_S32LE, 4, 32),
    encoding("s32be", CODEC_ID_PCM_S32BE, 4, 32),
    encoding("f32le", CODEC_ID_PCM_F32LE, 4, 0),
    encoding("f32be", CODEC_ID_PCM_F32BE, 4, 0),
    encoding("f64le", CODEC_ID_PCM_F64LE, 8, 0),
    encoding("f64be", CODEC_ID_PCM_F64BE, 8, 0),
    encoding("alaw", CODEC_ID_PCM_ALAW, 1, 0),
    encoding("ulaw", CODEC_ID_PCM_MULAW, 1, 0),
    encoding("vox", CODEC_ID_ADPCM_OKI, 1, 0),
];

impl RawEncoding {
    /// The names of all encodings.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ENCODINGS.iter().map(|encoding| encoding.name)
    }

    fn named(name: &str) -> Option<Self> {
        let name = if name == "mulaw" { "ulaw" } else { name };
        ENCODINGS.iter().find(|encoding| encoding.name == name).map(Self)
    }

    fn is_adpcm(self) -> bool {
        self.0.codec == CODEC_ID_ADPCM_OKI
    }
}

/// The format of a file without a header. It is written `ENCODING:RATE:CHANNELS`, such as `s16le:16000:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawFormat {
    /// The encoding of the samples.
    pub encoding: RawEncoding,
    /// Sample rate in Hz.
    pub rate: u32,
    /// Number of channels, which are interleaved.
    pub channels: u16,
}

impl fmt::Display for RawFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.encoding.0.name, self.rate, self.channels)
    }
}

impl FromStr for RawFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split(':').collect();
        let [encoding, rate, channels] = fields[..] else {
            return Err("write FORMAT:RATE:CHANNELS, such as s16le:16000:1 or ulaw:8000:1".into());
        };
        let encoding = RawEncoding::named(encoding).ok_or_else(|| {
            format!("\"{encoding}\" is no format; write one of {}", RawEncoding::names().collect::<Vec<_>>().join(", "))
        })?;
        let rate = rate
            .parse()
            .ok()
            .filter(|rate| RATES.contains(rate))
            .ok_or_else(|| format!("write the rate in Hz, from {} to {}", RATES.start(), RATES.end()))?;
        let most = if encoding.is_adpcm() { 1 } else { MAX_CHANNELS };
        let channels = channels.parse().ok().filter(|&channels| (1..=most).contains(&usize::from(channels)));
        let channels = channels.ok_or_else(|| match most {
            1 => "vox has 1 channel".to_owned(),
            most => format!("write the number of channels, from 1 to {most}"),
        })?;
        Ok(Self { encoding, rate, channels })
    }
}

/// The demuxer of `input`, all of which is samples of `format`.
///
/// # Errors
/// Errors of reading.
pub(in crate::decode) fn open(input: &dyn MediaInput, format: RawFormat) -> Result<Box<dyn FormatReader>, AudioError> {
    let unreadable = |error| AudioError::from_io(error, &input.name());
    let RawFormat { encoding: RawEncoding(&Encoding { codec, bytes, bits, .. }), rate, channels } = format;
    let block_frames = if format.encoding.is_adpcm() { 2 } else { 1 };
    let format = Format { codec, rate, channels, bits, block_bytes: bytes * u64::from(channels), block_frames };
    let end = input.len().map_err(unreadable)?;
    let samples = Samples { start: 0, declared_end: end, end };
    let reader = BlockReader::new(input.open().map_err(unreadable)?, &INFO, format, samples).map_err(unreadable)?;
    Ok(Box::new(reader))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_parsed_and_displayed() {
        for text in ["s16le:16000:1", "ulaw:8000:2", "f64be:192000:64", "vox:6000:1"] {
            assert_eq!(text.parse::<RawFormat>().map(|format| format.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("mulaw:8000:1".parse::<RawFormat>(), "ulaw:8000:1".parse());
        for (text, hint) in [
            ("", "FORMAT:RATE:CHANNELS"),
            ("s16le:16000", "FORMAT:RATE:CHANNELS"),
            ("s16le:16000:1:2", "FORMAT:RATE:CHANNELS"),
            ("mp3:16000:1", "u8, s8, s16le"),
            ("s16le:16k:1", "rate in Hz, from 1000 to 768000"),
            ("s16le:999:1", "rate in Hz"),
            ("s16le:16000:0", "from 1 to 64"),
            ("s16le:16000:65", "from 1 to 64"),
            ("vox:8000:2", "1 channel"),
        ] {
            let error = text.parse::<RawFormat>().unwrap_err();
            assert!(error.contains(hint), "{text}: {error}");
        }
    }
}
