//! Creates decoders: symphonia's, and the one for Opus.

use std::sync::LazyLock;

use symphonia::core::{
    codecs::{
        audio::{
            AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
            well_known::{CODEC_ID_AAC, CODEC_ID_MP3, CODEC_ID_PCM_ALAW, CODEC_ID_PCM_MULAW, CODEC_ID_VORBIS},
        },
        registry::CodecRegistry,
    },
    errors::Error as SymphoniaError,
};

use super::{
    MAX_CHANNELS, RATES, check_spec, he_aac, opus::OpusDecoder, panic_safe_decoder::PanicSafeDecoder,
    pcm::OkiAdpcmDecoder, resetting_decoder::ResettingDecoder, vorbis_codebooks,
};
use crate::AudioError;

/// Maximum number of samples, of all channels, in one packet. The longest packets are those of ADPCM and FLAC with 65,535
/// frames. A header may claim four billion, for which the decoder would allocate memory.
const MAX_PACKET_SAMPLES: u64 = 1 << 21;

static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut registry = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut registry);
    registry.register_audio_decoder::<OpusDecoder>();
    registry.register_audio_decoder::<OkiAdpcmDecoder>();
    registry
});

/// Creates the decoder for `params`. Implausible values are refused before memory is allocated for them.
pub(super) fn make_decoder(
    params: &AudioCodecParameters,
    container: &str,
) -> Result<Box<dyn AudioDecoder>, AudioError> {
    check(params)?;
    let core = params.extra_data.as_deref().filter(|_| params.codec == CODEC_ID_AAC).and_then(he_aac::core_of);
    let mut params = match core {
        Some(core) => AudioCodecParameters { extra_data: Some(core), ..params.clone() },
        None => params.clone(),
    };
    if [CODEC_ID_PCM_ALAW, CODEC_ID_PCM_MULAW].contains(&params.codec) {
        // symphonia refuses the 8 bits of a coded sample, which CAF declares, since decoded samples have 16.
        (params.bits_per_sample, params.bits_per_coded_sample) = (None, None);
    }
    let (codec, name) = (params.codec, codec_name(&params));
    let make = move || CODECS.make_audio_decoder(&params, &AudioDecoderOptions::default());
    match PanicSafeDecoder::of(Box::new(make)) {
        Ok(decoder) if codec == CODEC_ID_MP3 => Ok(Box::new(ResettingDecoder::of(Box::new(decoder)))),
        Ok(decoder) => Ok(Box::new(decoder)),
        Err(SymphoniaError::Unsupported(_)) => {
            Err(AudioError::UnsupportedCodec { container: container.to_owned(), codec: name })
        }
        Err(other) => Err(AudioError::from_container(other)),
    }
}

/// Checks `params`. Values that the header does not declare are checked with the first block.
fn check(params: &AudioCodecParameters) -> Result<(), AudioError> {
    let channels = params.channels.as_ref().map_or(1, |c| c.count());
    check_spec(params.sample_rate.unwrap_or(*RATES.start()), channels)?;
    let frames = params.max_frames_per_packet.unwrap_or(0).max(params.frames_per_block.unwrap_or(0));
    if frames.saturating_mul(channels.min(MAX_CHANNELS) as u64) > MAX_PACKET_SAMPLES {
        return Err(AudioError::ImplausibleHeader(format!("{frames} frames in a packet")));
    }
    if params.codec == CODEC_ID_VORBIS && params.extra_data.as_deref().is_some_and(vorbis_codebooks::are_too_large) {
        return Err(AudioError::ImplausibleHeader("codebooks of an absurd size".into()));
    }
    Ok(())
}

/// The short name of `codec`; `None` if there is no decoder for it.
pub(super) fn codec_short_name(codec: AudioCodecId) -> Option<&'static str> {
    CODECS.get_audio_decoder(codec).map(|decoder| decoder.codec.info.short_name)
}

fn codec_name(params: &AudioCodecParameters) -> String {
    use symphonia::core::codecs::audio::well_known::*;
    match params.codec {
        CODEC_ID_OPUS => "Opus of an unusual layout".into(),
        CODEC_ID_AC3 => "AC-3".into(),
        CODEC_ID_EAC3 => "E-AC-3".into(),
        CODEC_ID_DCA => "DTS".into(),
        CODEC_ID_WAVPACK => "WavPack".into(),
        CODEC_ID_SPEEX => "Speex".into(),
        CODEC_ID_AAC => "an AAC profile other than LC".into(),
        other => format!("codec {other:?}"),
    }
}
