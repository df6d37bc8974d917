//! A file as boxes, as MP4 is made of them: each has a length, a name of four letters, and content.

use std::io::{BufReader, Read, Seek, SeekFrom};

use crate::MediaRead;

/// Where something lies in the file.
pub(super) type Range = std::ops::Range<u64>;

/// A file, read box by box.
pub(super) struct Boxes {
    input: BufReader<Box<dyn MediaRead>>,
    /// Boxes that may still be looked at.
    left: u32,
}

/// A box.
pub(super) struct Found {
    /// Where it begins, with its length.
    pub at: u64,
    pub name: [u8; 4],
    pub content: Range,
    /// Whether it is longer than there is room for.
    pub is_cut: bool,
}

impl Boxes {
    /// `most` boxes are looked at: a file's own count may be anything.
    pub fn of(input: Box<dyn MediaRead>, most: u32) -> Self {
        Self { input: BufReader::new(input), left: most }
    }

    /// Whether there were more boxes than were to be looked at.
    pub fn are_too_many(&self) -> bool {
        self.left == 0
    }

    /// The box that begins at `at`, if one does and has room before `end`.
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

    /// Goes to `offset` within `range`.
    pub fn go_to(&mut self, range: &Range, offset: u64) -> Option<()> {
        let at = range.start.checked_add(offset).filter(|&at| at < range.end)?;
        self.input.seek(SeekFrom::Start(at)).ok().map(|_| ())
    }

    /// Reads on.
    pub fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).ok().map(|()| bytes)
    }

    /// Reads on: a number.
    pub fn number(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }
}
