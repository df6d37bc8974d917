//! The decoder of Dialogic (OKI) ADPCM, as in `.vox` files: 4 bits a sample, high nibble first, 12 bits of resolution.
//!
//! Source: Dialogic Corporation, "Dialogic ADPCM Algorithm", 00-1366-001, 1988.

use symphonia::core::{
    audio::{AsGenericAudioBufferRef, AudioBuffer, AudioMut, AudioSpec, Channels, GenericAudioBufferRef},
    codecs::{
        CodecInfo,
        audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions, FinalizeResult},
        registry::{RegisterableAudioDecoder, SupportedAudioCodec},
    },
    common::FourCc,
    errors::{Error, Result},
    packet::PacketRef,
};

/// The codec's identifier. symphonia has none.
pub(in crate::decode) const CODEC_ID_ADPCM_OKI: AudioCodecId = AudioCodecId::new(FourCc::new(*b"oki4"));

const INFO: CodecInfo = CodecInfo { short_name: "adpcm_ima_oki", long_name: "Dialogic (OKI) ADPCM", profiles: &[] };

/// Number of step sizes: 16 * 1.1^n, rounded down.
const STEPS: i32 = 49;

/// Changes of the step's index, by the lower three bits of a sample.
const INDEX_CHANGES: [i32; 8] = [-1, -1, -1, -1, 2, 4, 6, 8];

/// Range of the decoded samples: 12 bits.
const RANGE: std::ops::RangeInclusive<i32> = -2048..=2047;

/// The state of the predictor.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    sample: i32,
    index: i32,
}

impl State {
    /// Decodes one sample of 4 bits to 12 bits.
    fn decode(&mut self, nibble: u8) -> i32 {
        let step = (16.0 * 1.1_f64.powi(self.index)) as i32;
        let magnitude = i32::from(nibble & 7);
        let difference = (2 * magnitude + 1) * step / 8;
        let sample = if nibble & 8 == 0 { self.sample + difference } else { self.sample - difference };
        self.sample = sample.clamp(*RANGE.start(), *RANGE.end());
        self.index = (self.index + INDEX_CHANGES[usize::from(nibble & 7)]).clamp(0, STEPS - 1);
        self.sample
    }
}

/// A decoder of one channel.
pub(in crate::decode) struct OkiAdpcmDecoder {
    params: AudioCodecParameters,
    state: State,
    buffer: AudioBuffer<f32>,
}

impl OkiAdpcmDecoder {
    fn new(params: &AudioCodecParameters) -> Result<Self> {
        let (Some(rate), Some(frames)) = (params.sample_rate, params.max_frames_per_packet) else {
            return Err(Error::Unsupported("oki adpcm: no sample rate"));
        };
        let buffer = AudioBuffer::new(AudioSpec::new(rate, Channels::Discrete(1)), frames as usize);
        Ok(Self { params: params.clone(), state: State::default(), buffer })
    }
}

impl AudioDecoder for OkiAdpcmDecoder {
    fn reset(&mut self) {
        self.state = State::default();
    }

    fn codec_info(&self) -> &CodecInfo {
        &INFO
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        &self.params
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        let nibbles = packet.data.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
        let samples: Vec<f32> = nibbles.map(|nibble| self.state.decode(nibble) as f32 / 2048.0).collect();
        self.buffer.clear();
        self.buffer.grow_capacity(samples.len());
        self.buffer.render_uninit(Some(samples.len()));
        self.buffer.copy_from_slice_interleaved(&samples);
        Ok(self.buffer.as_generic_audio_buffer_ref())
    }

    fn finalize(&mut self) -> FinalizeResult {
        FinalizeResult::default()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.buffer.as_generic_audio_buffer_ref()
    }
}

impl RegisterableAudioDecoder for OkiAdpcmDecoder {
    fn try_registry_new(params: &AudioCodecParameters, _: &AudioDecoderOptions) -> Result<Box<dyn AudioDecoder>> {
        Ok(Box::new(Self::new(params)?))
    }

    fn supported_codecs() -> &'static [SupportedAudioCodec] {
        &[SupportedAudioCodec { id: CODEC_ID_ADPCM_OKI, info: INFO }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The step sizes that the standard lists.
    #[test]
    fn steps_grow_by_a_tenth() {
        let steps: Vec<i32> = (0..STEPS).map(|index| (16.0 * 1.1_f64.powi(index)) as i32).collect();
        assert_eq!(steps[..10], [16, 17, 19, 21, 23, 25, 28, 31, 34, 37]);
        assert_eq!(steps[44..], [1060, 1166, 1282, 1411, 1552]);
    }
}
