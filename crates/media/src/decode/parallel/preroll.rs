//! How many packets a decoder must have seen before it gives the very samples that it would have given, had it begun at
//! the recording's beginning.

use symphonia::core::{
    codecs::audio::{
        AudioCodecId,
        well_known::{CODEC_ID_ALAC, CODEC_ID_FLAC, CODEC_ID_MP2, CODEC_ID_MP3, CODEC_ID_VORBIS},
    },
    packet::Packet,
};

/// What a decoder remembers from packet to packet, once all of them decode well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Preroll {
    /// So many packets.
    Packets(usize),
    /// The bit reservoir of MPEG layer 3.
    Reservoir,
}

impl Preroll {
    /// That of a codec; `None` where a decoder never forgets. (AAC's noise comes from one generator for the whole
    /// recording, Opus predicts from what it predicted; and with PCM nothing is to be won.)
    pub fn of(codec: AudioCodecId) -> Option<Self> {
        match codec {
            CODEC_ID_FLAC | CODEC_ID_ALAC => Some(Self::Packets(0)),
            // The second half of a block lies over the first of the next.
            CODEC_ID_VORBIS => Some(Self::Packets(1)),
            // The filterbank remembers 15 of the 36 vectors of a packet.
            CODEC_ID_MP2 => Some(Self::Packets(1)),
            CODEC_ID_MP3 => Some(Self::Reservoir),
            _ => None,
        }
    }

    /// How many of the packets `before`, its last ones, come before what follows; `None` where these are too few, or
    /// not what they should be.
    pub fn len(self, before: &[Packet]) -> Option<usize> {
        match self {
            Self::Packets(count) => (before.len() >= count).then_some(count),
            Self::Reservoir => reservoir(before.iter().map(|packet| &*packet.data)),
        }
    }
}

/// Layer 3: the last packet but one must find all of its data, of which a part lies in the packets before it (those are
/// decoded as well as can be). It leaves its overlap to the last one, which then fills the filterbank, that remembers 15
/// of 18 or 36 vectors.
///
/// What lies in the reservoir after it is the same as well: a decoder that began later holds the end of what one that began
/// earlier holds, as both read on from the same place. That is so as long as neither finds a packet damaged.
fn reservoir<'p>(before: impl DoubleEndedIterator<Item = &'p [u8]>) -> Option<usize> {
    let mut backwards = before.rev();
    side(backwards.next()?)?;
    let (wanted, _) = side(backwards.next()?)?;
    let (mut count, mut found) = (2, 0);
    while found < wanted {
        found += side(backwards.next()?)?.1;
        count += 1;
    }
    Some(count)
}

/// Of a frame of layer 3: how many bytes before its own its data begins, and how many are its own.
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

    /// A frame of MPEG 1 in stereo with so many bytes of data, which begins so many bytes before it.
    fn frame(begin: usize, own: usize) -> Vec<u8> {
        let mut frame = vec![0; 4 + 32 + own];
        frame[..6].copy_from_slice(&[0xFF, 0xFB, 0x90, 0x40, (begin >> 1) as u8, (begin << 7) as u8]);
        frame
    }

    fn len(frames: &[Vec<u8>]) -> Option<usize> {
        reservoir(frames.iter().map(|frame| frame.as_slice()))
    }

    #[test]
    fn a_frame_tells_where_its_data_lies() {
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
    fn bytes_are_counted_not_packets() {
        let frames = [frame(9, 100), frame(9, 100), frame(9, 100), frame(150, 382), frame(511, 382)];
        assert_eq!(len(&frames), Some(4), "150 bytes lie in two packets, whatever the last one wants");
        assert_eq!(len(&frames[3..]), None);
        let independent = [frame(7, 10), frame(0, 382), frame(380, 382)];
        assert_eq!(len(&independent), Some(2));
    }
}
