//! Recognises containers by their signature. Their content is never searched for bare MPEG frames: a match would be chance,
//! or part of a track of a container that cannot be read.

/// Bytes at a file's beginning that [`known_container`] needs.
pub(super) const HEAD: usize = 4 << 10;

/// The name of MP4 and QuickTime.
pub(super) const MP4: &str = "MP4 or QuickTime";

/// The number of consecutive packets that prove a transport stream.
const TRANSPORT_PACKETS: usize = 5;

/// Signatures at the beginning of a file.
const MARKS: [(&[u8], &str); 12] = [
    (b"\x1A\x45\xDF\xA3", "Matroska or WebM"),
    (b"OggS", "Ogg"),
    (b"RF64", "WAV"),
    (b"BW64", "WAV"),
    (b"RIFX", "WAV"),
    (b"fLaC", "FLAC"),
    (b"FORM", "AIFF or another IFF file"),
    (b"caff", "CAF"),
    (b"\x00\x00\x01\xBA", "an MPEG programme stream"),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "WMA or another ASF file"),
    (b"FLV\x01", "Flash video"),
    (b".RMF", "RealMedia"),
];

/// Names of boxes at the beginning of an MP4 or QuickTime file.
const BOXES: [&[u8; 4]; 10] =
    [b"ftyp", b"moov", b"mdat", b"styp", b"moof", b"sidx", b"free", b"skip", b"wide", b"pnot"];

/// The name of the container that begins with `head`, if its signature is known. `head` begins after any tags.
pub(super) fn known_container(head: &[u8]) -> Option<&'static str> {
    if let Some((_, name)) = MARKS.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Some(name);
    }
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => Some("AVI"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("WAV"),
        [_, _, _, _, name @ ..] if BOXES.iter().any(|known| name.starts_with(*known)) => Some(MP4),
        _ if is_transport_stream(head) => Some("an MPEG transport stream"),
        _ => None,
    }
}

/// Whether `head` has consecutive packets of an MPEG transport stream: of 188 bytes, with a time stamp before each (192) or a
/// checksum after each (204). A recording may begin within a packet; then more packets are required.
pub(super) fn is_transport_stream(head: &[u8]) -> bool {
    let are_synchronised =
        |from: usize, len: usize, count: usize| (0..count).all(|packet| head.get(from + packet * len) == Some(&0x47));
    let begins =
        [(0, 188), (0, 204), (4, 192)].into_iter().any(|(from, len)| are_synchronised(from, len, TRANSPORT_PACKETS));
    // Frames of MPEG audio may have the same length, and the same byte at the same place.
    let is_frame = matches!(head, [0xFF, second, ..] if *second >= 0xE0);
    let most = |len: usize| (head.len() / len).saturating_sub(1);
    begins
        || !is_frame
            && [188, 192, 204].into_iter().any(|len| {
                most(len) >= 2 * TRANSPORT_PACKETS && (0..len).any(|from| are_synchronised(from, len, most(len)))
            })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_recognised_by_their_signature() {
        for (head, name) in [
            (&b"\0\0\0\x20ftypisom"[..], Some(MP4)),
            (b"\0\0\0\x08wide\0\0\x10\0mdat", Some(MP4)),
            (b"RIFF\0\0\0\0AVI LIST", Some("AVI")),
            (b"RIFF\0\0\0\0WAVEfmt ", Some("WAV")),
            (b"RIFF\0\0\0\0RMP3data", None),
            (b"OggS\0\x02", Some("Ogg")),
            (b"fLaC\0\0\0\x22", Some("FLAC")),
            (b"\xFF\xFB\x90\x64ftyp", Some(MP4)),
            (b"\xFF\xFB\x90\x64\0\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(known_container(head), name, "{head:?}");
        }
    }

    #[test]
    fn transport_streams_are_recognised_by_their_sync_bytes() {
        let stream = |before: usize, len: usize| {
            let mut bytes = vec![0x11; before];
            (0..20).for_each(|_| bytes.extend([&[0x47][..], &vec![0x22; len - 1]].concat()));
            bytes
        };
        for len in [188, 192, 204] {
            assert!(is_transport_stream(&stream(0, len)), "{len}");
            assert!(is_transport_stream(&stream(77, len)), "{len}, beginning within a packet");
        }
        assert!(is_transport_stream(&stream(4, 192)[..4 * 192 + 5]), "of a disc");
        // 64 kbit/s at 48 kHz: frames of 192 bytes.
        let frames = [&[0xFF, 0xFB, 0x54, 0xC4][..], &[0; 50], &[0x47], &[0; 137]].concat().repeat(20);
        assert!(!is_transport_stream(&frames));
    }
}
