//! Decodes one packet and reports the outcome.

use symphonia::core::{
    audio::GenericAudioBufferRef,
    codecs::audio::{AudioDecoder, well_known::CODEC_ID_FLAC},
    errors::Error as SymphoniaError,
    packet::Packet,
};

use super::{check_spec, sample_clock::PacketTime, track_packets::TrackPacket};
use crate::AudioError;

/// The outcome of decoding a packet.
#[derive(Debug)]
pub(super) enum PacketOutcome {
    /// Samples: `len` of all channels together, at this rate.
    Samples { rate: u32, channels: usize, len: usize },
    /// It does not decode.
    Damaged,
    /// The stream continues with other parameters.
    Reset,
    /// The samples have an implausible format.
    Implausible(AudioError),
}

impl PacketOutcome {
    /// Whether the packet was decoded.
    pub fn is_decoded(&self) -> bool {
        matches!(self, Self::Samples { .. })
    }
}

/// The times of `packet`.
pub(super) fn time_of(TrackPacket { packet, is_near_loss }: &TrackPacket) -> PacketTime {
    let start = packet.pts.saturating_add(packet.trim_start);
    let end = start.saturating_add(packet.dur).saturating_add(packet.trim_end);
    PacketTime { pts: packet.pts.get(), start: start.get(), end: end.get(), is_near_loss: *is_near_loss }
}

/// Decodes `packet` and appends its samples, interleaved, to `samples`.
pub(super) fn decode(decoder: &mut dyn AudioDecoder, packet: &Packet, samples: &mut Vec<f32>) -> PacketOutcome {
    let is_flac = decoder.codec_params().codec == CODEC_ID_FLAC;
    match decoder.decode(packet) {
        Ok(buffer) if is_flac && flac_channels(&packet.data) != Some(buffer.spec().channels().count()) => {
            tracing::debug!("skipped a FLAC frame with other channels");
            PacketOutcome::Damaged
        }
        Ok(buffer) => take(&buffer, samples),
        Err(SymphoniaError::ResetRequired) => PacketOutcome::Reset,
        Err(error) => {
            tracing::debug!(%error, "skipped a packet");
            PacketOutcome::Damaged
        }
    }
}

fn take(buffer: &GenericAudioBufferRef<'_>, samples: &mut Vec<f32>) -> PacketOutcome {
    let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
    if let Err(error) = check_spec(rate, channels) {
        return PacketOutcome::Implausible(error);
    }
    let (from, len) = (samples.len(), buffer.samples_interleaved());
    samples.resize(from + len, 0.0);
    buffer.copy_to_slice_interleaved(&mut samples[from..]);
    PacketOutcome::Samples { rate, channels, len }
}

/// The channels by the header of a FLAC frame. symphonia uses those of STREAMINFO instead, and returns stale samples of an
/// earlier frame for channels that this frame does not have.
fn flac_channels(frame: &[u8]) -> Option<usize> {
    let sync = frame.windows(2).position(|pair| pair[0] == 0xFF && pair[1] & 0xFC == 0xF8)?;
    match frame.get(sync + 3)? >> 4 {
        channels @ 0..8 => Some(usize::from(channels) + 1),
        8..11 => Some(2), // left and side, right and side, middle and side
        _ => None,
    }
}
