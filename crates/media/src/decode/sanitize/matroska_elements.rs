//! Hides attachments, tags, chapters and the seek index of a Matroska file. Limits the size of its headers.

use super::{ByteOverrides, End, implausible};
use crate::{
    AudioError, MediaInput,
    decode::{matroska_padding::Elements, matroska_tracks},
};

/// Elements of the segment that are hidden, and the unassigned IDs that replace theirs.
const HIDDEN: [(u32, u32); 4] = [
    (0x1941_A469, 0x1941_A400), // attachments
    (0x1C53_BB6B, 0x1C53_BB00), // cues
    (0x1254_C367, 0x1254_C300), // tags
    (0x1043_A770, 0x1043_A700), // chapters
];

/// Elements that symphonia reads into memory, and the maximum of their total length in bytes.
const READ: [u32; 3] = [SEEK_HEAD, INFO, TRACKS];
const SEEK_HEAD: u32 = 0x114D_9B74;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;
const CLUSTER: u32 = 0x1F43_B675;
const MAX_READ: u64 = 16 << 20;

/// Inspects the segment's elements in a file of `len` bytes.
pub(super) fn all(input: &dyn MediaInput, len: u64, overrides: &mut ByteOverrides) -> Result<(), AudioError> {
    let open = || input.open().map_err(|error| AudioError::from_io(error, &input.name()));
    let audio = matroska_tracks::details(open()?).unwrap_or_default();
    if !audio.is_empty() && audio.iter().all(|track| track.is_encrypted) {
        return Err(AudioError::Encrypted("Matroska content encryption"));
    }
    let mut elements = Elements::of(open()?);
    let mut heavy = 0;
    let (mut seek_head, mut needed) = (None, 0);
    let is_whole = elements.each_of_segment(len, |id, at, size| {
        if let Some((_, seen)) = HIDDEN.iter().find(|(hidden, _)| *hidden == id) {
            return overrides.put(at, &seen.to_be_bytes());
        }
        if READ.contains(&id) {
            heavy += size;
        }
        match id {
            SEEK_HEAD => seek_head = seek_head.or(Some(at)),
            INFO | TRACKS => needed += 1,
            CLUSTER if needed < 2 => needed = i32::MIN, // they follow the clusters, where only the seek head finds them
            _ => {}
        }
        true
    });
    // Everything that the seek head refers to is hidden or comes first. Without it the file is read sequentially, so that
    // damage does not mislead the demuxer.
    if let Some(at) = seek_head.filter(|_| needed >= 2) {
        overrides.put(at, &0x114D_9B00u32.to_be_bytes());
    }
    if is_whole {
        overrides.end = End::Whole;
    }
    if heavy > MAX_READ { implausible(format!("{heavy} bytes of headers")) } else { Ok(()) }
}
