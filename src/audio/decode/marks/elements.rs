//! Matroska: fonts and pictures, tags, chapters, and the table of places, which is only for seeking.

use std::fs::File;

use super::{End, Marks, implausible};
use crate::audio::{AudioError, decode::mkv::Elements};

/// Elements of the segment that are hidden, and what is seen instead: numbers that nothing has.
const HIDDEN: [(u32, u32); 4] = [
    (0x1941_A469, 0x1941_A400), // attachments
    (0x1C53_BB6B, 0x1C53_BB00), // cues
    (0x1254_C367, 0x1254_C300), // tags
    (0x1043_A770, 0x1043_A700), // chapters
];

/// Elements that are read whole.
const READ: [u32; 3] = [0x114D_9B74, 0x1549_A966, 0x1654_AE6B]; // seek head, info, tracks
const MOST_READ: u64 = 16 << 20;

/// Looks at the segment's elements in a file of `len` bytes.
pub(super) fn all(file: File, len: u64, marks: &mut Marks) -> Result<(), AudioError> {
    let mut elements = Elements::of(file);
    let mut heavy = 0;
    let is_whole = elements.each_of_segment(len, |id, at, size| {
        if let Some((_, seen)) = HIDDEN.iter().find(|(hidden, _)| *hidden == id) {
            return marks.put(at, &seen.to_be_bytes());
        }
        if READ.contains(&id) {
            heavy += size;
        }
        true
    });
    if is_whole {
        marks.end = End::Whole;
    }
    if heavy > MOST_READ { implausible(format!("{heavy} bytes of headers")) } else { Ok(()) }
}
