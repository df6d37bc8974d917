//! Tags between frames (ID3v2, ID3v1, APE, Lyrics3), and the headers in a first frame that describe the stream (Xing, LAME,
//! VBRI).

use symphonia::core::{checksum::Crc16AnsiLe, io::Monitor};

use super::frame_header::{Codec, FrameHeader};

/// Frames by which a decoder of layer 3 is later than the encoder's own count of its delay.
const DECODER_DELAY: u32 = 528 + 1;

/// A tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    /// This many bytes from here on.
    Ahead(u64),
    /// This many bytes before this position, and this many from here on.
    Behind(u64, u64),
}

/// The tag that begins with `bytes`; for APE, the tag whose footer begins with them.
pub(super) fn tag(bytes: &[u8]) -> Option<Tag> {
    match bytes {
        [b'I', b'D', b'3', 2..=4, _, flags, size @ ..] => {
            let size = size.get(..4)?;
            let is_sized = size.iter().all(|&byte| byte < 0x80);
            let size = size.iter().fold(0, |size, &byte| size << 7 | u64::from(byte));
            is_sized.then_some(Tag::Ahead(10 + size + if flags & 0x10 == 0 { 0 } else { 10 }))
        }
        [b'A', b'P', b'E', b'T', b'A', b'G', b'E', b'X', rest @ ..] => ape(rest),
        [b'T', b'A', b'G', b'+', ..] => Some(Tag::Ahead(227)),
        [b'T', b'A', b'G', ..] => Some(Tag::Ahead(128)),
        _ => None,
    }
}

/// Reads the bytes after the signature: version, size of items and footer, number of items, flags.
fn ape(rest: &[u8]) -> Option<Tag> {
    let word = |at: usize| Some(u64::from(u32::from_le_bytes(rest.get(at..at + 4)?.try_into().ok()?)));
    let (version, size, flags) = (word(0)?, word(4)?, word(12)?);
    if !matches!(version, 1000 | 2000) || size < 32 {
        return None;
    }
    let is_header = version == 2000 && flags & 1 << 29 != 0;
    Some(if is_header { Tag::Ahead(32 + size) } else { Tag::Behind(size - 32, 32) })
}

/// Whether Lyrics3 begins here. Its length is only known at its end.
pub(super) fn are_lyrics(bytes: &[u8]) -> bool {
    bytes.starts_with(b"LYRICSBEGIN")
}

/// The contents of a Xing, Info or VBRI header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StreamInfo {
    /// The number of frames after this one.
    pub frames: Option<u32>,
    /// Bytes of the stream, this frame included.
    pub bytes: Option<u32>,
    /// The samples that the encoder added before and after the recording.
    pub trim: Option<(u32, u32)>,
}

/// Reads `frame` as a Xing, Info or VBRI header.
pub(super) fn stream_info(header: &FrameHeader, frame: &[u8]) -> Option<StreamInfo> {
    if header.format.codec != Codec::Layer3 {
        return None;
    }
    let side_end = header.side_end();
    match frame.get(side_end..side_end + 4)? {
        b"Xing" | b"Info" if is_silent(header, frame, side_end) => xing(header, frame, side_end),
        _ => match frame.get(36..40)? {
            b"VBRI" if is_silent(header, frame, 36) => vbri(frame.get(40..)?),
            _ => None,
        },
    }
}

/// Whether the side information is all zeros, as in a frame without audio.
fn is_silent(header: &FrameHeader, frame: &[u8], end: usize) -> bool {
    let begin = if header.has_checksum { 6 } else { 4 };
    frame.get(begin..end).is_some_and(|side| side.iter().all(|&byte| byte == 0))
}

/// Reads consecutive fields.
struct Fields<'f> {
    frame: &'f [u8],
    at: usize,
}

impl Fields<'_> {
    fn number(&mut self, len: usize) -> Option<u32> {
        let bytes = self.frame.get(self.at..self.at + len)?;
        self.at += len;
        Some(bytes.iter().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    fn left(&self) -> usize {
        self.frame.len().saturating_sub(self.at)
    }
}

fn xing(header: &FrameHeader, frame: &[u8], at: usize) -> Option<StreamInfo> {
    let mut fields = Fields { frame, at: at + 4 };
    let flags = fields.number(4)?;
    let frames = if flags & 1 != 0 { Some(fields.number(4)?) } else { None };
    let bytes = if flags & 2 != 0 { Some(fields.number(4)?) } else { None };
    // The table of contents is skipped: its resolution is 1/256 of the file, coarser than the frames.
    fields.at += if flags & 4 != 0 { 100 } else { 0 };
    fields.at += if flags & 8 != 0 { 4 } else { 0 };
    if fields.at > frame.len() {
        return None;
    }
    Some(StreamInfo { frames, bytes, trim: lame(header, fields) })
}

/// The LAME extension: the name, settings, delay and padding, and a checksum of the frame up to there.
fn lame(header: &FrameHeader, mut fields: Fields<'_>) -> Option<(u32, u32)> {
    const SHORT: usize = 24;
    const WHOLE: usize = 36;
    if fields.left() < SHORT {
        return None;
    }
    let (frame, begin) = (fields.frame, fields.at);
    let name = frame.get(begin..begin + 4)?;
    fields.at = begin + 21;
    let trim = fields.number(3)?;
    if fields.left() >= WHOLE - SHORT && (header.has_checksum || name == b"LAME") {
        let end = begin + WHOLE - 2;
        fields.at = end;
        let stored = fields.number(2)?;
        let mut crc = Crc16AnsiLe::new(0);
        crc.process_buf_bytes(frame.get(..end)?);
        if stored != 0 && stored != u32::from(crc.crc()) {
            return None;
        }
    }
    Some(match name {
        b"LAME" | b"Lavf" | b"Lavc" => (DECODER_DELAY + (trim >> 12), (trim & 0xFFF).saturating_sub(DECODER_DELAY)),
        _ => (0, 0),
    })
}

/// Reads the bytes after the signature: version, delay, quality, bytes, frames.
fn vbri(bytes: &[u8]) -> Option<StreamInfo> {
    let mut fields = Fields { frame: bytes, at: 0 };
    if fields.number(2)? != 1 {
        return None;
    }
    fields.at += 4;
    let bytes = Some(fields.number(4)?);
    Some(StreamInfo { frames: Some(fields.number(4)?), bytes, trim: None })
}
