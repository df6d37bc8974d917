//! The codecs in Ogg: which packets are headers, and how many frames the others hold.

use symphonia::core::{
    codecs::{
        CodecParameters,
        audio::{
            AudioCodecParameters,
            well_known::{CODEC_ID_OPUS, CODEC_ID_VORBIS},
        },
    },
    formats::Track,
};

use super::{
    super::{
        flac::{FrameHeader, StreamInfo},
        opus::{Head, RATE, places},
    },
    vorbis_blocks::VorbisBlocks,
};

/// The signature of Vorbis headers, and their types.
const VORBIS: &[u8] = b"vorbis";
const IDENTIFICATION: u8 = 1;
const COMMENT: u8 = 3;
const SETUP: u8 = 5;
const IDENTIFICATION_LEN: usize = 30;

/// The maximum of frames, at 48 kHz, of an Opus packet: 120 ms.
const LONGEST_OPUS: u64 = 5_760;

/// A codec in Ogg.
pub(super) enum Mapping {
    Opus { head: Box<[u8]>, pre_skip: u16, channels: usize, has_tags: bool },
    Vorbis { identification: Box<[u8]>, setup: Option<Box<[u8]>>, blocks: Option<VorbisBlocks> },
    Flac(Box<StreamInfo>),
}

/// The length of an audio packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length {
    /// Frames that it adds to the stream.
    pub frames: u64,
    /// Whether the previous packet is missing, so that the decoder's output for this one is not valid.
    pub is_unprimed: bool,
}

impl Mapping {
    /// The codec of a stream whose first packet this is.
    pub fn of(packet: &[u8]) -> Option<Self> {
        if packet.starts_with(b"OpusHead") {
            let head = Head::read(packet).filter(|_| packet.get(8).is_some_and(|version| version >> 4 == 0))?;
            let channels = usize::from(*packet.get(9)?);
            return Some(Self::Opus { head: packet.into(), pre_skip: head.pre_skip, channels, has_tags: false });
        }
        if is_vorbis_header(packet, IDENTIFICATION) {
            let rate = vorbis_rate(packet);
            let is_valid = packet.len() == IDENTIFICATION_LEN && packet[7..11] == [0; 4] && packet[11] > 0 && rate > 0;
            return is_valid.then(|| Self::Vorbis { identification: packet.into(), setup: None, blocks: None });
        }
        // The number of header packets, after the version, is not needed.
        let info = packet.strip_prefix(b"\x7FFLAC\x01")?.get(3..)?.strip_prefix(b"fLaC")?;
        let (head, info) = info.split_first_chunk::<4>()?;
        let is_info = head[0] & 0x7F == 0 && head[1..] == [0, 0, StreamInfo::LEN as u8];
        info.first_chunk().filter(|_| is_info).map(|info| Self::Flac(Box::new(StreamInfo::read(info))))
    }

    /// Whether the headers that the decoder needs have been read.
    pub fn is_ready(&self) -> bool {
        !matches!(self, Self::Vorbis { setup: None, .. })
    }

    /// The position of the first frame; negative where the encoder's delay is skipped.
    pub fn start(&self) -> i64 {
        match self {
            Self::Opus { pre_skip, .. } => -i64::from(*pre_skip),
            _ => 0,
        }
    }

    /// The sample rate, which is also the unit of granule positions.
    pub fn rate(&self) -> u32 {
        match self {
            Self::Opus { .. } => RATE,
            Self::Vorbis { identification, .. } => vorbis_rate(identification),
            Self::Flac(info) => info.rate,
        }
    }

    /// The track, with the number `id`.
    pub fn track(&self, id: u32) -> Track {
        let mut params = AudioCodecParameters::new();
        let mut track = Track::new(id);
        match self {
            Self::Opus { head, pre_skip, channels, .. } => {
                params.for_codec(CODEC_ID_OPUS).with_sample_rate(RATE).with_extra_data(head.clone());
                params.with_channels(places(*channels));
                track.with_delay((*pre_skip).into());
            }
            Self::Vorbis { identification, setup, .. } => {
                let extra = [identification, setup.as_deref().unwrap_or_default()].concat();
                params.for_codec(CODEC_ID_VORBIS).with_sample_rate(self.rate()).with_extra_data(extra.into());
                let channels = usize::from(identification[11]);
                if channels <= 8 {
                    params.with_channels(places(channels));
                }
            }
            Self::Flac(info) => return info.track(id),
        }
        track.with_codec_params(CodecParameters::Audio(params));
        track
    }

    /// Whether a packet that begins with `start` is a header that is not used: comments and pictures.
    pub fn is_comment(&self, start: &[u8]) -> bool {
        match self {
            Self::Opus { .. } => start.starts_with(b"OpusTags"),
            Self::Vorbis { .. } => is_vorbis_header(start, COMMENT),
            Self::Flac(_) => start.first().is_some_and(|&byte| byte != 0xFF),
        }
    }

    /// Reads a packet: its length if it is audio, else `None`.
    pub fn read(&mut self, packet: &[u8]) -> Option<Length> {
        let is_comment = self.is_comment(packet);
        match self {
            Self::Opus { has_tags, .. } if is_comment && !*has_tags => {
                *has_tags = true;
                None
            }
            Self::Opus { has_tags, .. } => {
                *has_tags = true; // or the tags are lost
                Some(Length { frames: opus_frames(packet), is_unprimed: false })
            }
            Self::Vorbis { identification, setup, blocks } => {
                if is_vorbis_header(packet, SETUP) && setup.is_none() {
                    *blocks = VorbisBlocks::read(identification, packet);
                    *setup = Some(packet.into());
                }
                let is_audio = packet.first().is_some_and(|byte| byte & 1 == 0) && setup.is_some();
                let length = |blocks: &mut VorbisBlocks| {
                    let is_unprimed = !blocks.is_primed();
                    Length { frames: blocks.frames(packet), is_unprimed }
                };
                let unknown = Length { frames: 0, is_unprimed: false };
                is_audio.then(|| blocks.as_mut().map_or(unknown, length))
            }
            Self::Flac(_) => (packet.first() == Some(&0xFF)).then(|| {
                let frames = FrameHeader::read(packet).map_or(0, |header| header.block.into());
                Length { frames, is_unprimed: false }
            }),
        }
    }

    /// Notes that packets were lost before the next one.
    pub fn lose(&mut self) {
        if let Self::Vorbis { blocks: Some(blocks), .. } = self {
            blocks.reset();
        }
    }
}

fn is_vorbis_header(packet: &[u8], kind: u8) -> bool {
    packet.split_first().is_some_and(|(&first, rest)| first == kind && rest.starts_with(VORBIS))
}

fn vorbis_rate(identification: &[u8]) -> u32 {
    let rate = identification.get(12..16).and_then(|rate| rate.try_into().ok());
    rate.map_or(0, u32::from_le_bytes)
}

/// Frames at 48 kHz in a packet of Opus (RFC 6716, section 3.1).
fn opus_frames(packet: &[u8]) -> u64 {
    let Some(&first) = packet.first() else { return 0 };
    let frame = match first >> 3 {
        config @ 0..12 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        config @ 12..16 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let count = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |byte| u64::from(byte & 63)),
    };
    let frames = frame * count;
    if frames > LONGEST_OPUS { 0 } else { frames }
}
