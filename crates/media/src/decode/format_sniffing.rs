//! Names the format of a file that cannot be decoded, by its first bytes.

use crate::MediaInput;

use super::container_marks::{self, MP4, is_transport_stream, known_container};

/// Signatures at the beginning of a file, and the format's name for messages.
const SIGNATURES: [(&[u8], &str); 19] = [
    (b"#!AMR", "AMR"),
    (b"\x30\x26\xB2\x75\x8E\x66\xCF\x11", "WMA or another ASF file"),
    (b"\x0B\x77", "AC-3"),
    (b"\x7F\xFE\x80\x01", "DTS"),
    (b"wvpk", "WavPack"),
    (b".snd", "AU"),
    (b"FLV\x01", "Flash video"),
    (b"MAC ", "Monkey's Audio"),
    (b"TTA1", "True Audio"),
    (b"tBaK", "TAK"),
    (b"MPCK", "Musepack"),
    (b"MP+", "Musepack"),
    (b".RMF", "RealMedia"),
    (b"NIST_1A", "NIST SPHERE"),
    (b"DSD ", "DSD"),
    (b"riff\x2E\x91\xCF\x11", "W64"),
    (b"Creative Voice File", "VOC"),
    (b"\x00\x00\x01\xBA", "an MPEG programme stream"),
    (b"OggS", "Ogg of an unknown codec"),
];

/// The name of a format that only ffmpeg decodes and that has a signature of at least 4 bytes. symphonia would mistake some
/// of these for another format, such as DTS for MPEG audio. Shorter signatures occur by chance.
pub(super) fn foreign(input: &dyn MediaInput) -> Option<&'static str> {
    let mut head = [0; 16];
    let n = input.read_at(0, &mut head).ok()?;
    let long = SIGNATURES.iter().filter(|(signature, _)| signature.len() >= 4 && *signature != b"OggS");
    long.into_iter().find(|(signature, _)| head[..n].starts_with(signature)).map(|(_, name)| *name)
}

/// The text of the error for an unknown format: the format's name if it is known, or the first bytes of `input`, by which a
/// user recognises text or HTML.
pub(super) fn describe(input: &dyn MediaInput) -> String {
    let mut head = [0; container_marks::HEAD];
    let n = input.read_at(0, &mut head).unwrap_or(0);
    let head = &head[..n];
    let is_transport = is_transport_stream(head);
    let known = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)).map(|(_, name)| *name);
    let name = match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', ..] => Some("AVI"),
        _ if is_transport => Some("an MPEG transport stream"),
        _ => known,
    };
    match name {
        None if known_container(head) == Some(MP4) => {
            format!("this is {MP4} whose index is missing or damaged")
        }
        Some(name) => format!("this is {name}, which ffmpeg decodes: put it on the PATH, or convert the file"),
        None => {
            let start = head[..n.min(12)].escape_ascii();
            format!("not recognised as audio, or cut off inside its header (it begins with \"{start}\")")
        }
    }
}
