//! Which codecs there are: symphonia's own, and Opus.

use std::sync::LazyLock;

use symphonia::core::{
    codecs::{
        audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known::CODEC_ID_AAC},
        registry::CodecRegistry,
    },
    errors::Error as SymphoniaError,
};

use super::{aac, opus::OpusDecoder};
use crate::audio::AudioError;

static CODECS: LazyLock<CodecRegistry> = LazyLock::new(|| {
    let mut registry = CodecRegistry::new();
    symphonia::default::register_enabled_codecs(&mut registry);
    registry.register_audio_decoder::<OpusDecoder>();
    registry
});

/// A decoder for what `params` describe.
pub(super) fn make_decoder(
    params: &AudioCodecParameters,
    container: &str,
) -> Result<Box<dyn AudioDecoder>, AudioError> {
    let core = params.extra_data.as_deref().filter(|_| params.codec == CODEC_ID_AAC).and_then(aac::core_of);
    let params = &match core {
        Some(core) => AudioCodecParameters { extra_data: Some(core), ..params.clone() },
        None => params.clone(),
    };
    CODECS.make_audio_decoder(params, &AudioDecoderOptions::default()).map_err(|error| match error {
        SymphoniaError::Unsupported(_) => {
            AudioError::UnsupportedCodec { container: container.to_owned(), codec: codec_name(params) }
        }
        other => AudioError::from_container(other),
    })
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
