//! What became of one packet.

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::audio::{AudioDecoder, well_known::CODEC_ID_FLAC},
    errors::Error as SymphoniaError,
    packet::Packet,
};

use super::{check_spec, sample_clock::PacketTime};
use crate::AudioError;

/// What the decoder made of a packet.
#[derive(Debug)]
pub(super) enum PacketOutcome {
    /// Samples: so many, of all channels together, at this rate.
    Samples { rate: u32, channels: usize, len: usize },
    /// It does not decode.
    Damaged,
    /// The stream goes on with other parameters.
    Reset,
    /// Nothing that anybody would listen to.
    Absurd(AudioError),
}

impl PacketOutcome {
    /// Whether the decoder understood the packet.
    pub fn is_well(&self) -> bool {
        matches!(self, Self::Samples { .. })
    }
}

/// When `packet` begins and ends.
pub(super) fn time_of(packet: &Packet) -> PacketTime {
    let start = packet.pts.saturating_add(packet.trim_start);
    let end = start.saturating_add(packet.dur).saturating_add(packet.trim_end);
    PacketTime { pts: packet.pts.get(), start: start.get(), end: end.get() }
}

/// Decodes `packet` and appends its samples, interleaved, to `samples`.
pub(super) fn decode(decoder: &mut dyn AudioDecoder, packet: &Packet, samples: &mut Vec<f32>) -> PacketOutcome {
    let is_flac = decoder.codec_params().codec == CODEC_ID_FLAC;
    match decoder.decode(packet) {
        Ok(buffer) if is_flac && flac_channels(&packet.data) != Some(buffer.spec().channels().count()) => {
            tracing::debug!("a FLAC frame of other channels left out");
            PacketOutcome::Damaged
        }
        Ok(buffer) => take(&buffer, samples),
        Err(SymphoniaError::ResetRequired) => PacketOutcome::Reset,
        Err(error) => {
            tracing::debug!(%error, "packet left out");
            PacketOutcome::Damaged
        }
    }
}

fn take(buffer: &GenericAudioBufferRef<'_>, samples: &mut Vec<f32>) -> PacketOutcome {
    let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
    if let Err(error) = check_spec(rate, channels) {
        return PacketOutcome::Absurd(error);
    }
    let (from, len) = (samples.len(), buffer.samples_interleaved());
    samples.resize(from + len, 0.0);
    buffer.copy_to_slice_interleaved(&mut samples[from..]);
    PacketOutcome::Samples { rate, channels, len }
}

/// The channels that a FLAC frame says it has. symphonia believes the stream's header instead, and fills what a frame
/// lacks with what an earlier one left behind, which is no sound of this recording.
fn flac_channels(frame: &[u8]) -> Option<usize> {
    let sync = frame.windows(2).position(|pair| pair[0] == 0xFF && pair[1] & 0xFC == 0xF8)?;
    match frame.get(sync + 3)? >> 4 {
        channels @ 0..8 => Some(usize::from(channels) + 1),
        8..11 => Some(2), // left and side, right and side, middle and side
        _ => None,
    }
}
