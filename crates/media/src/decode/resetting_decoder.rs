//! A decoder of MPEG layer 3 that is reset where packets are missing.
//!
//! The main data of a frame begins in earlier frames (the bit reservoir). After a gap, the reservoir holds bytes of frames
//! before the gap, which the decoder would take for the beginning of the main data. After a reset it knows that they are
//! missing, and returns silence for them.

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::{
        CodecInfo,
        audio::{AudioCodecParameters, AudioDecoder, FinalizeResult},
    },
    errors::Result,
    packet::PacketRef,
    units::Timestamp,
};

/// A decoder, and where the next packet has to begin.
pub(super) struct ResettingDecoder {
    inner: Box<dyn AudioDecoder>,
    /// The end of the previous packet, if its length is known.
    end: Option<Timestamp>,
}

impl ResettingDecoder {
    /// Wraps `inner`, which has not decoded anything.
    pub fn of(inner: Box<dyn AudioDecoder>) -> Self {
        Self { inner, end: None }
    }

    /// Whether `packet` does not follow the previous one. A container's time stamps are rounded: half a packet is tolerated.
    fn is_after_gap(&self, packet: &PacketRef<'_>) -> bool {
        let step = self.end.map_or(0, |end| packet.pts.get().saturating_sub(end.get()).unsigned_abs());
        step > packet.dur.get() / 2
    }
}

impl AudioDecoder for ResettingDecoder {
    fn reset(&mut self) {
        self.end = None;
        self.inner.reset();
    }

    fn codec_info(&self) -> &CodecInfo {
        self.inner.codec_info()
    }

    fn codec_params(&self) -> &AudioCodecParameters {
        self.inner.codec_params()
    }

    fn decode_ref(&mut self, packet: &PacketRef<'_>) -> Result<GenericAudioBufferRef<'_>> {
        if self.is_after_gap(packet) {
            self.inner.reset();
        }
        // MPEG demuxers do not subtract the trimmed samples from the duration.
        self.end = (packet.dur.get() > 0).then(|| packet.pts.saturating_add(packet.dur));
        self.inner.decode_ref(packet)
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
    use std::path::Path;

    use symphonia::core::formats::TrackType;

    use crate::{
        LocalFile,
        decode::{codecs::make_decoder, open::open_container},
    };

    /// The samples of each packet of a recording, from the packet `from` on, without `missing` packets before the packet
    /// `gap`.
    fn decode(name: &str, from: usize, gap: usize, missing: usize) -> Vec<Vec<f32>> {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name);
        let mut reader = open_container(&LocalFile::new(fixture)).unwrap();
        let params = reader.first_track(TrackType::Audio).unwrap().codec_params.clone().unwrap();
        let mut decoder = make_decoder(params.audio().unwrap(), "mp3").unwrap();
        let mut decoded = Vec::new();
        let mut number = 0;
        while let Ok(Some(packet)) = reader.next_packet() {
            if number >= from && !(gap - missing..gap).contains(&number) {
                let buffer = decoder.decode(&packet).unwrap();
                let mut samples = vec![0.0; buffer.samples_interleaved()];
                buffer.copy_to_slice_interleaved(&mut samples);
                decoded.push(samples);
            }
            number += 1;
        }
        decoded
    }

    /// A decoder after a gap returns what a new decoder returns, and no stale bytes of the reservoir.
    #[test]
    fn nothing_before_a_gap_is_decoded_after_it() {
        for name in ["speech/mp3_44k1_stereo.mp3", "long/cbr.mp3", "formats/mp3_in_mp4.mp4"] {
            for (gap, missing) in [(9, 1), (12, 3), (15, 8)] {
                let with_gap = decode(name, 0, gap, missing);
                let afresh = decode(name, gap, gap, 0);
                assert!(with_gap[gap - missing..] == afresh, "{name}: {missing} packets before {gap}");
            }
        }
    }
}
