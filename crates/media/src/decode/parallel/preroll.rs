//! The preroll: how many packets a decoder needs before its output equals that of a decoder that began with the first
//! packet of the recording.

use symphonia::core::codecs::audio::{
    AudioCodecId,
    well_known::{CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_VORBIS},
};

use super::super::track_packets::TrackPacket;

/// The state that a decoder keeps between packets, as long as all of them decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Preroll {
    /// A number of packets.
    Packets(usize),
    /// The bit reservoir of MPEG layer 3.
    Reservoir,
}

impl Preroll {
    /// The preroll of a codec; `None` if the state depends on the whole recording (AAC has one noise generator for all
    /// packets, Opus predicts recursively), or if there is no gain (PCM).
    pub fn of(codec: AudioCodecId) -> Option<Self> {
        match codec {
            CODEC_ID_FLAC | CODEC_ID_ALAC => Some(Self::Packets(0)),
            // The second half of a block overlaps the first half of the next.
            CODEC_ID_VORBIS => Some(Self::Packets(1)),
            // The filterbank keeps 15 of the 36 vectors of a packet.
            CODEC_ID_MP2 => Some(Self::Packets(1)),
            CODEC_ID_MP3 => Some(Self::Reservoir),
            _ => None,
        }
    }

    /// The number of packets at the end of `before` that are the preroll of what follows; `None` if there are too few, or if
    /// they cannot be parsed.
    pub fn len(self, before: &[TrackPacket]) -> Option<usize> {
        match self {
            Self::Packets(count) => (before.len() >= count).then_some(count),
            Self::Reservoir => reservoir(before.iter().map(|packet| &*packet.packet.data)),
        }
    }
}

/// Layer 3: the last packet but one needs all of its main data, of which a part is in the packets before it. Its overlap
/// goes into the last packet, which then fills the filterbank (15 of 18 or 36 vectors).
///
/// The bit reservoir is then the same, too: that of a decoder that began later is the end of that of a decoder that began
/// earlier, as long as neither finds a damaged packet.
fn reservoir<'p>(before: impl DoubleEndedIterator<Item = &'p [u8]>) -> Option<usize> {
    let mut backwards = before.rev();
    side(backwards.next()?)?;
    let (needed, _) = side(backwards.next()?)?;
    let (mut count, mut found) = (2, 0);
    while found < needed {
        found += side(backwards.next()?)?.1;
        count += 1;
    }
    Some(count)
}

/// Of a frame of layer 3: the number of main data bytes in earlier frames (`main_data_begin`), and in this frame.
fn side(frame: &[u8]) -> Option<(usize, usize)> {
    let &[a, b, c, d, ref rest @ ..] = frame else { return None };
    let is_header = a == 0xFF && b & 0xE6 == 0xE2 && b & 0x18 != 0x08 && c >> 4 != 15 && c & 0x0C != 0x0C;
    if !is_header {
        return None;
    }
    let rest = if b & 1 == 0 { rest.get(2..)? } else { rest }; // a checksum
    let is_mono = d >> 6 == 3;
    let first = usize::from(*rest.first()?);
    let (begin, len) = match (b & 0x18 == 0x18, is_mono) {
        (true, true) => (first << 1 | usize::from(rest.get(1)? >> 7), 17),
        (true, false) => (first << 1 | usize::from(rest.get(1)? >> 7), 32),
        (false, true) => (first, 9),
        (false, false) => (first, 17),
    };
    Some((begin, rest.len().checked_sub(len)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An MPEG 1 stereo frame with `own` bytes of main data, which begins `begin` bytes before it.
    fn frame(begin: usize, own: usize) -> Vec<u8> {
        let mut frame = vec![0; 4 + 32 + own];
        frame[..6].copy_from_slice(&[0xFF, 0xFB, 0x90, 0x40, (begin >> 1) as u8, (begin << 7) as u8]);
        frame
    }

    fn len(frames: &[Vec<u8>]) -> Option<usize> {
        reservoir(frames.iter().map(|frame| frame.as_slice()))
    }

    #[test]
    fn main_data_of_a_frame_is_located() {
        assert_eq!(side(&frame(511, 382)), Some((511, 382)));
        // Mono of MPEG 2 with a checksum.
        let mut mono = vec![0; 4 + 2 + 9 + 20];
        mono[..7].copy_from_slice(&[0xFF, 0xF2, 0x40, 0xC0, 1, 2, 200]);
        assert_eq!(side(&mono), Some((200, 20)));
        assert!((0..15).all(|len| side(&mono[..len]).is_none()));
        assert_eq!(side(&[0; 100]), None);
        assert_eq!(side(&[0xFF, 0xFD, 0x90, 0x40, 0, 0, 0, 0]), None, "layer 2");
    }

    #[test]
    fn the_preroll_is_counted_in_bytes() {
        let frames = [frame(9, 100), frame(9, 100), frame(9, 100), frame(150, 382), frame(511, 382)];
        assert_eq!(len(&frames), Some(4), "150 bytes are in two packets, whatever the last one needs");
        assert_eq!(len(&frames[3..]), None);
        let independent = [frame(7, 10), frame(0, 382), frame(380, 382)];
        assert_eq!(len(&independent), Some(2));
    }
}
