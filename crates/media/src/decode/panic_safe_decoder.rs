//! A decoder whose panics become decode errors of the packet.

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::{
        CodecInfo,
        audio::{AudioCodecParameters, AudioDecoder, FinalizeResult, well_known::CODEC_ID_AAC},
    },
    errors::Result,
    packet::PacketRef,
};

use super::panic_guard::guard;

/// Creates the decoder.
type Make = Box<dyn Fn() -> Result<Box<dyn AudioDecoder>> + Send + Sync>;

/// A decoder that is replaced after a panic, because its state is unknown then.
pub(super) struct PanicSafeDecoder {
    inner: Box<dyn AudioDecoder>,
    /// Whether it panicked, and must be replaced.
    is_poisoned: bool,
    /// Whether it is replaced after a packet that does not decode, too.
    is_replaced_after_failure: bool,
    make: Make,
}

impl PanicSafeDecoder {
    /// A decoder created by `make`.
    pub fn of(make: Make) -> Result<Self> {
        let inner = guard(&make)?;
        // The channel layout is that of the first packet. If that is damaged, no other packet decodes.
        let is_replaced_after_failure = inner.codec_params().codec == CODEC_ID_AAC;
        Ok(Self { inner, is_poisoned: false, is_replaced_after_failure, make })
    }
}

impl AudioDecoder for PanicSafeDecoder {
    fn reset(&mut self) {
        self.inner.reset();
    }

    fn codec_info(&self) -> &CodecInfo {
        self.inner.codec_info()
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        self.inner.codec_params()
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        if self.is_poisoned {
            self.inner = guard(&self.make)?;
        }
        self.is_poisoned = true;
        let decoded = guard(|| Ok(self.inner.decode_ref(packet).map(|_| ())))?;
        self.is_poisoned = decoded.is_err() && self.is_replaced_after_failure;
        decoded.map(|()| self.inner.last_decoded())
    }

    fn finalize(&mut self) -> FinalizeResult {
        self.inner.finalize()
    }

    fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
        self.inner.last_decoded()
    }
}

#[cfg(test)]
mod tests {
    use symphonia::core::{
        audio::{AsGenericAudioBufferRef, AudioBuffer, AudioSpec, Channels, Position},
        packet::Packet,
        units::{Duration, Timestamp},
    };

    use symphonia::core::errors::Error;

    use super::*;

    const INFO: CodecInfo = CodecInfo { short_name: "trap", long_name: "Trap", profiles: &[] };

    /// Panics on a packet whose first byte is 1.
    struct Trap {
        params: AudioCodecParameters,
        buffer: AudioBuffer<f32>,
    }

    impl AudioDecoder for Trap {
        fn reset(&mut self) {}

        fn codec_info(&self) -> &CodecInfo {
            &INFO
        }

        fn codec_params(&self) -> &AudioCodecParameters {
            &self.params
        }

        fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
            assert_ne!(packet.data[0], 1, "one");
            Ok(self.buffer.as_generic_audio_buffer_ref())
        }

        fn finalize(&mut self) -> FinalizeResult {
            FinalizeResult::default()
        }

        fn last_decoded(&self) -> GenericAudioBufferRef<'_> {
            self.buffer.as_generic_audio_buffer_ref()
        }
    }

    #[test]
    fn a_panic_is_the_failure_of_one_packet() {
        let make = || {
            let spec = AudioSpec::new(8_000, Channels::Positioned(Position::FRONT_LEFT));
            let trap = Trap { params: AudioCodecParameters::default(), buffer: AudioBuffer::new(spec, 8) };
            Ok(Box::new(trap) as Box<dyn AudioDecoder>)
        };
        let mut decoder = PanicSafeDecoder::of(Box::new(make)).unwrap();
        let packet = |byte| Packet::new(0, Timestamp::ZERO, Duration::ZERO, vec![byte]);
        assert!(decoder.decode(&packet(0)).is_ok());
        assert!(matches!(decoder.decode(&packet(1)), Err(Error::DecodeError(_))));
        assert!(decoder.decode(&packet(0)).is_ok());
        assert!(decoder.decode(&Packet::new(0, Timestamp::ZERO, Duration::ZERO, vec![])).is_err(), "an empty packet");
    }
}
