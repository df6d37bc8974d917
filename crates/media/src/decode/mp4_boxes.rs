//! Reads the boxes of an MP4 file (ISO/IEC 14496-12, 4.2). Does not interpret their content.

use std::io::{BufReader, Read, Seek, SeekFrom};

use crate::MediaRead;

/// A range of offsets in the file, in bytes.
pub(super) type Range = std::ops::Range<u64>;

/// A reader of boxes.
pub(super) struct Boxes {
    input: BufReader<Box<dyn MediaRead>>,
    /// Number of boxes that may still be read.
    left: u32,
}

/// The header of a box.
pub(super) struct Found {
    /// The offset of the header.
    pub at: u64,
    pub name: [u8; 4],
    pub content: Range,
    /// Whether the box is longer than its parent or the file. `content` ends at the parent's end then.
    pub is_cut: bool,
}

impl Boxes {
    /// A reader of at most `max` boxes: a hostile file may have any number.
    pub fn of(input: Box<dyn MediaRead>, max: u32) -> Self {
        Self { input: BufReader::new(input), left: max }
    }

    /// Whether the maximum number of boxes was reached.
    pub fn are_too_many(&self) -> bool {
        self.left == 0
    }

    /// The box at `at`; `None` if its header does not fit before `end` or is invalid.
    pub fn next(&mut self, at: u64, end: u64) -> Option<Found> {
        if at.checked_add(8)? > end {
            return None;
        }
        self.left = self.left.checked_sub(1)?;
        self.input.seek(SeekFrom::Start(at)).ok()?;
        let (short, name) = (self.number()?, self.bytes::<4>()?);
        let (head, len) = match short {
            0 => (8, end - at),
            1 => (16, u64::from_be_bytes(self.bytes()?)),
            n => (8, u64::from(n)),
        };
        let stop = at.checked_add(len).filter(|_| len >= head)?;
        let content = at + head..stop.min(end).max(at + head);
        Some(Found { at, name, content, is_cut: stop > end })
    }

    /// The content of the first box of that name in `range`.
    pub fn find(&mut self, range: Range, name: &[u8; 4]) -> Option<Range> {
        let mut at = range.start;
        while let Some(found) = self.next(at, range.end) {
            if &found.name == name {
                return Some(found.content);
            }
            at = found.content.end;
        }
        None
    }

    /// Seeks to `offset` within `range`; `None` if that is outside.
    pub fn go_to(&mut self, range: &Range, offset: u64) -> Option<()> {
        let at = range.start.checked_add(offset).filter(|&at| at < range.end)?;
        self.input.seek(SeekFrom::Start(at)).ok().map(|_| ())
    }

    /// Reads the next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    /// Reads the next number of 32 bits.
    pub fn number(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }
}
