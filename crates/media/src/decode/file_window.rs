//! Reads bytes, EBML headers and numbers at any position of a file, through one buffer.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

/// Bytes that are read at once: many after the previous read, few after a skipped block.
const AHEAD: usize = 64 << 10;
const APART: usize = 1 << 10;

/// The maximum of bytes of a header: four of the identifier, eight of the size.
const LONGEST_HEADER: usize = 12;

/// The header of an element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub id: u32,
    /// The position of its size.
    pub size_at: u64,
    /// The position of its content.
    pub content: u64,
    /// The length of its content; `None` if unknown.
    pub size: Option<u64>,
}

impl Header {
    /// The end of the element, if its length is known.
    pub fn stop(&self) -> Option<u64> {
        self.content.checked_add(self.size?)
    }
}

/// A buffer over a part of a file. A read error counts as the end of the file.
pub(super) struct Window<R> {
    input: R,
    len: u64,
    at: u64,
    bytes: Vec<u8>,
}

impl<R: Read + Seek> Window<R> {
    /// A window over `input`, which has `len` bytes.
    pub fn of(input: R, len: u64) -> Self {
        Self { input, len, at: 0, bytes: Vec::new() }
    }

    /// The bytes at `at`: at least `least` of them, or all up to the end.
    fn peek(&mut self, at: u64, least: usize) -> &[u8] {
        let end = self.at + self.bytes.len() as u64;
        let is_in = at >= self.at && at.saturating_add(least as u64).min(self.len) <= end;
        if !is_in {
            let is_near = at >= self.at && at <= end.saturating_add(APART as u64);
            let len = if is_near || least > APART { AHEAD.max(least) } else { APART.max(least) };
            if self.read(at, len).is_err() {
                self.bytes.clear();
            }
        }
        let from = at.checked_sub(self.at).and_then(|from| usize::try_from(from).ok());
        from.and_then(|from| self.bytes.get(from..)).unwrap_or(&[])
    }

    fn read(&mut self, at: u64, len: usize) -> io::Result<()> {
        self.bytes.clear();
        self.at = at;
        if at < self.len {
            self.input.seek(SeekFrom::Start(at))?;
            self.input.by_ref().take(len as u64).read_to_end(&mut self.bytes)?;
        }
        Ok(())
    }

    /// The header of the element at `at`.
    pub fn header(&mut self, at: u64) -> Option<Header> {
        let bytes = self.peek(at, LONGEST_HEADER);
        let width = bytes.first()?.leading_zeros() as usize + 1;
        let id = bytes.get(..width).filter(|_| width <= 4)?;
        let id = id.iter().fold(0, |id, &byte| id << 8 | u32::from(byte));
        let (size, size_width) = variable(bytes.get(width..)?)?;
        let size_at = at + width as u64;
        Some(Header { id, size_at, content: size_at + size_width as u64, size })
    }

    /// The number of variable length at `at`, and its end.
    pub fn number(&mut self, at: u64) -> Option<(u64, u64)> {
        let (value, width) = variable(self.peek(at, 8))?;
        Some((value?, at + width as u64))
    }

    /// The unsigned integer that fills `range`.
    pub fn unsigned(&mut self, range: &Range<u64>) -> Option<u64> {
        let len = usize::try_from(range.end.checked_sub(range.start)?).ok().filter(|&len| len <= 8)?;
        let bytes = self.peek(range.start, len).get(..len)?;
        Some(bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    /// The content of `range`, if it is at most `most` bytes long.
    pub fn content(&mut self, range: &Range<u64>, most: usize) -> Option<Vec<u8>> {
        let len = usize::try_from(range.end.checked_sub(range.start)?).ok().filter(|&len| len <= most)?;
        Some(self.peek(range.start, len).get(..len)?.to_vec())
    }

    /// The `N` bytes at `at`.
    pub fn array<const N: usize>(&mut self, at: u64) -> Option<[u8; N]> {
        self.peek(at, N).first_chunk().copied()
    }

    /// The position of the first byte in `at..limit` for which `matches` is true.
    pub fn find(&mut self, mut at: u64, limit: u64, matches: impl Fn(u8) -> bool) -> Option<u64> {
        while at < limit {
            let bytes = self.peek(at, 1);
            if bytes.is_empty() {
                return None;
            }
            let len = bytes.len();
            match bytes.iter().position(|&byte| matches(byte)) {
                Some(offset) => return Some(at + offset as u64).filter(|&found| found < limit),
                None => at += len as u64,
            }
        }
        None
    }
}

/// A number of variable length without its marker bit, and its width. All ones are an unknown size.
fn variable(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let width = bytes.first()?.leading_zeros() as usize + 1;
    let value = bytes.get(..width).filter(|_| width <= 8)?;
    let value = value.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    let ones = (1u64 << (7 * width)) - 1;
    Some(((value & ones != ones).then_some(value & ones), width))
}
