//! Opus as one of symphonia's codecs: reads the header, and decodes packets with libopus.

use symphonia::core::{
    audio::{AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef, Position},
    codecs::{
        CodecInfo,
        audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult, well_known::CODEC_ID_OPUS},
        registry::{RegisterableAudioDecoder, SupportedAudioCodec},
    },
    errors::{Error, Result},
    packet::PacketRef,
};

pub(super) use crate::libopus::RATE;
use crate::libopus::{LONGEST, Layout, LibOpus};

/// For one to eight channels: the index in Vorbis channel order of each channel in WAV order, which is used here.
const ORDERS: [&[u8]; 8] = [
    &[0],
    &[0, 1],
    &[0, 2, 1],
    &[0, 1, 2, 3],
    &[0, 2, 1, 3, 4],
    &[0, 2, 1, 5, 3, 4],
    &[0, 2, 1, 6, 5, 3, 4],
    &[0, 2, 1, 7, 5, 6, 3, 4],
];

const INFO: CodecInfo = CodecInfo { short_name: "opus", long_name: "Opus", profiles: &[] };

/// The header (RFC 7845, section 5.1; in MP4 the box `dOps`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Frames at 48 kHz of encoder delay, which are not part of the recording.
    pub pre_skip: u16,
    /// Loudness, in 1/256 dB.
    gain: i16,
    layout: Layout,
}

impl Head {
    /// Reads a header; `None` if it is invalid, or if its channel mapping family is not for playback.
    pub fn read(data: &[u8]) -> Option<Self> {
        let head = data.strip_prefix(b"OpusHead")?;
        let fixed: &[u8; 11] = head.first_chunk()?;
        // Version 0 is that of MP4, whose numbers are big-endian.
        let number = |at: usize| {
            let bytes = [fixed[at], fixed[at + 1]];
            if fixed[0] == 0 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        let channels = usize::from(fixed[1]);
        let layout = match fixed[10] {
            0 if (1..=2).contains(&channels) => {
                Layout { streams: 1, coupled: fixed[1] - 1, mapping: (0..fixed[1]).collect() }
            }
            1 => {
                let (counts, mapping) = head[11..].split_first_chunk::<2>()?;
                let coded = mapping.get(..channels)?;
                let order = ORDERS.get(channels.checked_sub(1)?)?;
                let mapping = order.iter().map(|&i| coded[usize::from(i)]).collect();
                Layout { streams: counts[0], coupled: counts[1], mapping }
            }
            _ => return None,
        };
        Some(Self { pre_skip: number(2), gain: number(8) as i16, layout })
    }

    fn scale(&self) -> f32 {
        10f32.powf(f32::from(self.gain) / (20.0 * 256.0))
    }
}

/// libopus behind symphonia's interface.
pub(super) struct OpusDecoder {
    params: AudioCodecParameters,
    head: Head,
    inner: LibOpus,
    pcm: Vec<f32>,
    buffer: AudioBuffer<f32>,
}

impl OpusDecoder {
    fn new(params: &AudioCodecParameters) -> Result<Self> {
        let head = params.extra_data.as_deref().and_then(Head::read).or_else(|| headless(params));
        let head = head.ok_or(Error::Unsupported("opus: no header, or channels without positions"))?;
        let inner =
            LibOpus::new(&head.layout).map_err(|_| Error::DecodeError("opus: the header contradicts itself"))?;
        let spec = AudioSpec::new(RATE, places(head.layout.mapping.len()));
        let mut params = params.clone();
        params.sample_rate = Some(RATE);
        Ok(Self { params, head, inner, pcm: Vec::new(), buffer: AudioBuffer::new(spec, LONGEST) })
    }

    fn decode_packet(&mut self, packet: &PacketRef<'_>) -> Result<()> {
        self.buffer.clear();
        let frames = self.inner.decode(packet.data, &mut self.pcm).map_err(|error| {
            tracing::debug!(error, "libopus");
            Error::DecodeError("opus: a packet that does not decode")
        })?;
        if self.head.gain != 0 {
            let scale = self.head.scale();
            self.pcm.iter_mut().for_each(|sample| *sample *= scale);
        }
        self.buffer.render_uninit(Some(frames));
        self.buffer.copy_from_slice_interleaved(&self.pcm);
        self.buffer.trim(packet.trim_start.get() as usize, packet.trim_end.get() as usize);
        Ok(())
    }
}

/// Matroska may omit the header for one or two channels.
fn headless(params: &AudioCodecParameters) -> Option<Head> {
    let channels = params.channels.as_ref()?.count();
    let fits = params.extra_data.is_none() && (1..=2).contains(&channels);
    let layout = Layout { streams: 1, coupled: channels as u8 - 1, mapping: (0..channels as u8).collect() };
    fits.then_some(Head { pre_skip: 0, gain: 0, layout })
}

/// The positions of the channels of Vorbis and Opus.
pub(super) fn places(channels: usize) -> Channels {
    const FRONT: Position = Position::FRONT_LEFT.union(Position::FRONT_RIGHT);
    const BACK: Position = Position::REAR_LEFT.union(Position::REAR_RIGHT);
    const SIDE: Position = Position::SIDE_LEFT.union(Position::SIDE_RIGHT);
    let middle = Position::FRONT_CENTER;
    Channels::Positioned(match channels {
        1 => Position::FRONT_LEFT,
        2 => FRONT,
        3 => FRONT | middle,
        4 => FRONT | BACK,
        5 => FRONT | middle | BACK,
        6 => FRONT | middle | Position::LFE1 | BACK,
        7 => FRONT | middle | Position::LFE1 | Position::REAR_CENTER | SIDE,
        _ => FRONT | middle | Position::LFE1 | BACK | SIDE,
    })
}

impl AudioDecoder for OpusDecoder {
    fn reset(&mut self) {
        // A new decoder. A layout that was accepted once is accepted again.
        if let Ok(inner) = LibOpus::new(&self.head.layout) {
            self.inner = inner;
        }
    }

    fn codec_info(&self) -> &CodecInfo {
        &INFO
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        self.decode_packet(packet)?;
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for OpusDecoder {
    fn try_registry_new(params: &AudioCodecParameters, _: &AudioDecoderOptions) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(Self::new(params)?))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[SupportedAudioCodec { id: CODEC_ID_OPUS, info: INFO }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_are_read() {
        let ogg = b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\xff\x00";
        let mp4 = b"OpusHead\x00\x02\x01\x38\x00\x00\xbb\x80\xff\x00\x00";
        let head = Head::read(ogg).unwrap();
        assert_eq!((head.pre_skip, head.gain), (312, -256));
        assert_eq!(head.layout, Layout { streams: 1, coupled: 1, mapping: vec![0, 1] });
        assert_eq!(Head::read(mp4), Some(head));
    }

    #[test]
    fn six_channels_are_in_wav_order() {
        let head = b"OpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01\x04\x02\x00\x04\x01\x02\x03\x05";
        let head = Head::read(head).unwrap();
        assert_eq!(head.layout, Layout { streams: 4, coupled: 2, mapping: vec![0, 1, 4, 5, 2, 3] });
    }

    #[test]
    fn cut_or_unknown_headers_are_refused() {
        let whole = b"OpusHead\x01\x06\x38\x01\x80\xbb\x00\x00\x00\x00\x01\x04\x02\x00\x04\x01\x02\x03\x05";
        assert!((0..whole.len()).all(|n| Head::read(&whole[..n]).is_none()));
        assert_eq!(Head::read(b"OpusHead\x01\x09\x38\x01\x80\xbb\x00\x00\x00\x00\x00"), None);
        assert_eq!(Head::read(b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\xff"), None);
    }

    #[test]
    fn random_packets_do_not_panic() {
        let mut opus = LibOpus::new(&Layout { streams: 1, coupled: 1, mapping: vec![0, 1] }).unwrap();
        let mut pcm = Vec::new();
        assert!(opus.decode(&[], &mut pcm).is_err());
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..3_000 {
            let packet: Vec<u8> = (0..random.usize(1..1500)).map(|_| random.u8(..)).collect();
            if let Ok(frames) = opus.decode(&packet, &mut pcm) {
                assert_eq!(pcm.len(), 2 * frames);
            }
        }
        let contradiction = Layout { streams: 1, coupled: 2, mapping: vec![0] };
        assert!(LibOpus::new(&contradiction).is_err());
    }
}
