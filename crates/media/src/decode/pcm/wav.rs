//! The demuxer of WAV. symphonia's refuses format chunks of unusual length, A-law and mu-law in `WAVE_FORMAT_EXTENSIBLE`,
//! more than 26 channels, RF64 and RIFX, all of which are in use.

use symphonia::core::{
    codecs::audio::{AudioCodecId, well_known::*},
    formats::{FormatInfo, FormatReader, well_known::FORMAT_ID_WAVE},
};

use super::{
    oki_adpcm::CODEC_ID_ADPCM_OKI,
    reader::{BlockReader, Format, Samples},
    wav_chunks::WavChunks,
};
use crate::{
    AudioError, MediaInput,
    decode::{check_spec, format_sniffing::describe, sanitize::bytes},
};

static INFO: FormatInfo =
    FormatInfo { format: FORMAT_ID_WAVE, short_name: "wave", long_name: "Waveform Audio File Format" };

/// Fewer frames than this after the data are not reported: they may be a tag.
const MIN_UNREAD_FRAMES: u64 = 4096;

/// Format tags (mmreg.h).
const PCM: u16 = 1;
const ADPCM_MS: u16 = 2;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const ADPCM_OKI: u16 = 0x10;
const ADPCM_IMA: u16 = 0x11;
const ADPCM_DIALOGIC: u16 = 0x17;
const EXTENSIBLE: u16 = 0xFFFE;

/// Ends of the GUID of a subformat that begins with a format tag: Microsoft's, and that of ambisonic recordings.
const SUBFORMATS: [&[u8; 14]; 2] =
    [b"\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71", b"\0\0\x21\x07\xD3\x11\x86\x44\xC8\xC1\xCA\0\0\0"];

/// Names for messages of codecs that only ffmpeg decodes.
const NAMES: [(u16, &str); 11] = [
    (0x14, "G.723 ADPCM"),
    (0x31, "GSM 6.10"),
    (0x42, "G.723.1"),
    (0x45, "G.726"),
    (0x50, "MPEG audio"),
    (0x55, "MP3"),
    (0x65, "G.722"),
    (0xFF, "AAC"),
    (0x161, "WMA"),
    (0x28F, "G.722"),
    (0x2000, "AC-3"),
];

/// The demuxer of `input`, whose header begins at `start`. `None` if it is not a WAV file.
///
/// # Errors
/// [`AudioError::UnsupportedFormat`] if it has no format or no data, [`AudioError::UnsupportedCodec`],
/// [`AudioError::ImplausibleHeader`], and errors of reading.
pub(in crate::decode) fn open(input: &dyn MediaInput, start: u64) -> Result<Option<Box<dyn FormatReader>>, AudioError> {
    let unreadable = |error| AudioError::from_io(error, &input.name());
    let is_wav = match bytes::<12>(input, start).map_err(unreadable)? {
        Some([a, b, c, d, .., b'W', b'A', b'V', b'E']) => [b"RIFF", b"RIFX", b"RF64", b"BW64"].contains(&&[a, b, c, d]),
        _ => false,
    };
    if !is_wav {
        return Ok(None);
    }
    let chunks = WavChunks::read(input, start)?.ok_or_else(|| AudioError::UnsupportedFormat(describe(input)))?;
    let format = format(&chunks)?;
    let samples = Samples {
        start: chunks.data,
        declared_end: chunks.data.saturating_add(chunks.declared),
        end: chunks.data.saturating_add(chunks.present),
    };
    let unread = chunks.unread(input).map_err(unreadable)?;
    let unread_frames = unread / format.block_bytes * format.block_frames;
    let mut reader = BlockReader::new(input.open().map_err(unreadable)?, &INFO, format, samples).map_err(unreadable)?;
    if unread_frames >= MIN_UNREAD_FRAMES {
        reader.report_skipped(unread);
    }
    Ok(Some(Box::new(reader)))
}

/// The format chunk's fields.
struct Fields {
    tag: u16,
    channels: u16,
    rate: u32,
    block_align: u16,
    bits: u16,
}

fn format(chunks: &WavChunks) -> Result<Format, AudioError> {
    let Fields { tag, channels, rate, block_align, bits } =
        fields(chunks).ok_or_else(|| AudioError::Corrupt("its format chunk is too short".into()))?;
    check_spec(rate, channels.into())?;
    let pcm = |codec: AudioCodecId, bytes: u64, bits: Option<u32>| {
        let block_bytes = bytes * u64::from(channels);
        Some(Format { codec, rate, channels, bits, block_bytes, block_frames: 1 })
    };
    // A block of ADPCM begins with a header for each channel, of which some bytes are samples. The others have 4 bits.
    let adpcm = |codec: AudioCodecId, header: u64, frames: u64| {
        let (block_bytes, channels) = (u64::from(block_align), u64::from(channels));
        let coded = block_bytes.checked_sub(header * channels).filter(|_| bits == 4 && channels <= 2)?;
        let block_frames = coded * 2 / channels + frames;
        Some(Format { codec, rate, channels: channels as u16, bits: None, block_bytes, block_frames })
    };
    let is_aligned =
        |bytes: u16| block_align == bytes.saturating_mul(channels) || block_align != channels.saturating_mul(4);
    let found = match (tag, bits) {
        (PCM, 1..=8) => pcm(CODEC_ID_PCM_U8, 1, Some(8)),
        (PCM, 9..=16) if is_aligned(2) => pcm(either(chunks, CODEC_ID_PCM_S16LE, CODEC_ID_PCM_S16BE), 2, Some(16)),
        (PCM, 17..=24) if is_aligned(3) => pcm(either(chunks, CODEC_ID_PCM_S24LE, CODEC_ID_PCM_S24BE), 3, Some(24)),
        (PCM, 25..=32) => pcm(either(chunks, CODEC_ID_PCM_S32LE, CODEC_ID_PCM_S32BE), 4, Some(32)),
        (FLOAT, 32) => pcm(either(chunks, CODEC_ID_PCM_F32LE, CODEC_ID_PCM_F32BE), 4, None),
        (FLOAT, 64) => pcm(either(chunks, CODEC_ID_PCM_F64LE, CODEC_ID_PCM_F64BE), 8, None),
        (A_LAW, _) => pcm(CODEC_ID_PCM_ALAW, 1, None),
        (MU_LAW, _) => pcm(CODEC_ID_PCM_MULAW, 1, None),
        (ADPCM_MS, _) => adpcm(CODEC_ID_ADPCM_MS, 7, 2),
        (ADPCM_IMA, _) => adpcm(CODEC_ID_ADPCM_IMA_WAV, 4, 1),
        (ADPCM_OKI | ADPCM_DIALOGIC, 4) if channels == 1 => {
            pcm(CODEC_ID_ADPCM_OKI, 1, None).map(|format| Format { block_frames: 2, ..format })
        }
        _ => None,
    };
    found.ok_or_else(|| AudioError::UnsupportedCodec { container: "wave".into(), codec: name(tag, bits) })
}

fn either(chunks: &WavChunks, little: AudioCodecId, big: AudioCodecId) -> AudioCodecId {
    if chunks.is_big_endian { big } else { little }
}

/// The fields of a format chunk of 14 bytes or more. Those of `WAVE_FORMAT_EXTENSIBLE` are replaced by those of the subformat.
fn fields(chunks: &WavChunks) -> Option<Fields> {
    let short = |at: usize| {
        let bytes = *chunks.format.get(at..)?.first_chunk()?;
        Some(if chunks.is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = *chunks.format.get(at..)?.first_chunk()?;
        Some(if chunks.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    // Without the number of bits, ffmpeg assumes 8.
    let bits = short(14).unwrap_or(8);
    let fields = Fields { tag: short(0)?, channels: short(2)?, rate: long(4)?, block_align: short(12)?, bits };
    let guid = chunks.format.get(24..40).filter(|_| fields.tag == EXTENSIBLE);
    match guid.filter(|guid| SUBFORMATS.iter().any(|end| guid.ends_with(*end))) {
        Some(_) => Some(Fields { tag: short(24)?, ..fields }),
        None => Some(fields),
    }
}

fn name(tag: u16, bits: u16) -> String {
    match NAMES.iter().find(|(known, _)| *known == tag) {
        Some((_, name)) => (*name).to_owned(),
        None if tag == PCM || tag == FLOAT => format!("PCM of {bits} bits"),
        None => format!("format 0x{tag:04X}"),
    }
}
