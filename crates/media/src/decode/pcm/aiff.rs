//! The demuxer of AIFF and AIFF-C. symphonia's refuses chunks that are longer than the file's own length, and more than 26
//! channels.

use std::io;

use symphonia::core::{
    codecs::audio::{AudioCodecId, well_known::*},
    formats::{FormatInfo, FormatReader, well_known::FORMAT_ID_AIFF},
};

use super::reader::{BlockReader, Format, Samples};
use crate::{
    AudioError, MediaInput,
    decode::{check_spec, format_sniffing::describe, sanitize::bytes},
};

static INFO: FormatInfo =
    FormatInfo { format: FORMAT_ID_AIFF, short_name: "aiff", long_name: "Audio Interchange File Format" };

/// Maximum number of chunks.
const MAX_CHUNKS: u32 = 10_000;

/// Lengths of this and more mean "until the end": writers of pipes do not know the length.
const UNKNOWN_LENGTH: u64 = 0x7F00_0000;

/// Length in bytes of the common chunk's fields, compression type included.
const COMMON: usize = 22;

/// The demuxer of `input`, whose header begins at `start`. `None` if it is not an AIFF file.
///
/// # Errors
/// [`AudioError::UnsupportedFormat`] if it has no common chunk or no samples, [`AudioError::UnsupportedCodec`],
/// [`AudioError::ImplausibleHeader`], and errors of reading.
pub(in crate::decode) fn open(input: &dyn MediaInput, start: u64) -> Result<Option<Box<dyn FormatReader>>, AudioError> {
    let unreadable = |error| AudioError::from_io(error, &input.name());
    let is_compressed = match bytes::<12>(input, start).map_err(unreadable)? {
        Some([b'F', b'O', b'R', b'M', .., b'A', b'I', b'F', b'F']) => false,
        Some([b'F', b'O', b'R', b'M', .., b'A', b'I', b'F', b'C']) => true,
        _ => return Ok(None),
    };
    let (common, samples) = chunks(input, start + 12).map_err(unreadable)?;
    let Some((common, mut samples)) = common.zip(samples) else {
        return Err(AudioError::UnsupportedFormat(describe(input)));
    };
    let format = format(&common, is_compressed)?;
    // The chunk may be longer than the file and still hold all frames.
    if samples.end.saturating_sub(samples.start) >= frames(&common).saturating_mul(format.block_bytes) {
        samples.declared_end = samples.end;
    }
    let reader = BlockReader::new(input.open().map_err(unreadable)?, &INFO, format, samples).map_err(unreadable)?;
    Ok(Some(Box::new(reader)))
}

/// The common chunk's content and the range of the samples. The length of the file in its header is not used.
fn chunks(input: &dyn MediaInput, mut at: u64) -> io::Result<(Option<[u8; COMMON]>, Option<Samples>)> {
    let len = input.len()?;
    let (mut common, mut samples) = (None, None);
    for _ in 0..MAX_CHUNKS {
        if common.is_some() && samples.is_some() {
            break;
        }
        let Some([name @ .., a, b, c, d]) = bytes::<8>(input, at)? else { break };
        let (content, size) = (at + 8, u64::from(u32::from_be_bytes([a, b, c, d])));
        at = content.saturating_add(size).saturating_add(size % 2);
        match &name {
            b"COMM" => {
                let mut bytes = [0; COMMON];
                let wanted = COMMON.min(usize::try_from(size).unwrap_or(COMMON));
                input.read_at(content, &mut bytes[..wanted])?;
                common = Some(bytes);
            }
            b"SSND" => {
                let offset = bytes::<4>(input, content)?.map_or(0, u32::from_be_bytes);
                let is_unknown = size >= UNKNOWN_LENGTH && content.saturating_add(size) > len || size <= 8;
                let declared_end = if is_unknown { len } else { content.saturating_add(size) };
                let start = content.saturating_add(8).saturating_add(offset.into());
                samples = Some(Samples { start, declared_end, end: declared_end.min(len) });
            }
            _ => {}
        }
    }
    Ok((common, samples))
}

fn format(common: &[u8; COMMON], is_compressed: bool) -> Result<Format, AudioError> {
    let short = |at: usize| u16::from_be_bytes([common[at], common[at + 1]]);
    let (channels, bits, rate) = (short(0), short(6), rate(common));
    check_spec(rate, channels.into())?;
    let compression = if is_compressed { common.last_chunk().copied().unwrap_or_default() } else { *b"NONE" };
    let pcm = |codec: AudioCodecId, bytes: u64| {
        let bits = (codec != CODEC_ID_PCM_ALAW && codec != CODEC_ID_PCM_MULAW).then_some(8 * bytes as u32);
        Some(Format { codec, rate, channels, bits, block_bytes: bytes * u64::from(channels), block_frames: 1 })
    };
    let float = |codec: AudioCodecId, bytes: u64| pcm(codec, bytes).map(|format| Format { bits: None, ..format });
    let found = match (&compression, bits) {
        (b"NONE" | b"twos", 1..=8) | (b"sowt", 1..=8) => pcm(CODEC_ID_PCM_S8, 1),
        (b"NONE" | b"twos", 9..=16) => pcm(CODEC_ID_PCM_S16BE, 2),
        (b"NONE" | b"twos", 17..=24) | (b"in24", _) => pcm(CODEC_ID_PCM_S24BE, 3),
        (b"NONE" | b"twos", 25..=32) | (b"in32", _) => pcm(CODEC_ID_PCM_S32BE, 4),
        (b"sowt", 9..=16) => pcm(CODEC_ID_PCM_S16LE, 2),
        (b"sowt", 17..=24) | (b"42ni", _) => pcm(CODEC_ID_PCM_S24LE, 3),
        (b"sowt", 25..=32) | (b"23ni", _) => pcm(CODEC_ID_PCM_S32LE, 4),
        (b"raw ", _) => pcm(CODEC_ID_PCM_U8, 1),
        (b"fl32" | b"FL32", _) => float(CODEC_ID_PCM_F32BE, 4),
        (b"fl64" | b"FL64", _) => float(CODEC_ID_PCM_F64BE, 8),
        (b"alaw" | b"ALAW", _) => pcm(CODEC_ID_PCM_ALAW, 1),
        (b"ulaw" | b"ULAW", _) => pcm(CODEC_ID_PCM_MULAW, 1),
        _ => None,
    };
    let codec = || match &compression {
        b"NONE" => format!("PCM of {bits} bits"),
        other => format!("compression \"{}\"", other.escape_ascii()),
    };
    found.ok_or_else(|| AudioError::UnsupportedCodec { container: "aiff".into(), codec: codec() })
}

/// The number of frames that the common chunk declares.
fn frames(common: &[u8; COMMON]) -> u64 {
    u32::from_be_bytes([common[2], common[3], common[4], common[5]]).into()
}

/// The sample rate: a number of 80 bits (IEEE 754 extended precision), of which the mantissa's upper half is used.
fn rate(common: &[u8; COMMON]) -> u32 {
    let exponent = i32::from(u16::from_be_bytes([common[8], common[9]]) & 0x7FFF) - 16_383;
    let mantissa = u32::from_be_bytes([common[10], common[11], common[12], common[13]]);
    (f64::from(mantissa) * f64::from(exponent - 31).exp2()).round() as u32 // too large values are the largest number
}
