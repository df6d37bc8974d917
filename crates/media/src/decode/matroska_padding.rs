//! The padding in the last packet of a Matroska or WebM file (`DiscardPadding`), which symphonia does not report.

use std::io::{BufReader, Read, Seek};

use crate::{MediaInput, MediaRead};

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1F43_B675;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const SIMPLE_BLOCK: u32 = 0xA3;
const DISCARD_PADDING: u32 = 0x75A2;

/// The maximum of elements that are read. A cluster holds some seconds; one of unknown length is read block by block.
const MOST_ELEMENTS: u32 = 10_000_000;

/// Nanoseconds at the end of the last packet of track `track` that are not part of the recording.
pub(super) fn discard_padding(input: &dyn MediaInput, track: u32) -> Option<u64> {
    let len = input.len().ok()?;
    let mut elements = Elements::of(input.open().ok()?);
    let segment = elements.find(0..len, SEGMENT)?;
    elements.last_padding(segment, u64::from(track))
}

type Range = std::ops::Range<u64>;

struct Element {
    id: u32,
    content: Range,
    /// Of unknown length: it ends before an element that cannot be part of it.
    open: bool,
    /// Whether it claims more bytes than there are.
    cut: bool,
}

/// A file, read element by element.
pub(super) struct Elements {
    input: BufReader<Box<dyn MediaRead>>,
    /// The position in the file, kept here because `stream_position` is a system call.
    at: u64,
    left: u32,
}

impl Elements {
    /// The elements of `input`, which is at its beginning.
    pub fn of(input: Box<dyn MediaRead>) -> Self {
        Self { input: BufReader::new(input), at: 0, left: MOST_ELEMENTS }
    }

    /// Calls `look` for each element of the segment, in a file of `len` bytes, with its id, its position, and the length of
    /// its content; also for those in clusters of unknown length. Stops when `look` returns `false`. Returns whether the last
    /// element ends where the segment does.
    pub fn each_of_segment(&mut self, len: u64, mut look: impl FnMut(u32, u64, u64) -> bool) -> bool {
        let Some(segment) = self.find(0..len, SEGMENT) else { return false };
        let (mut at, mut whole) = (segment.start, true);
        while let Some(element) = self.element(at, segment.end) {
            if !look(element.id, at, element.content.end - element.content.start) {
                return false;
            }
            whole &= !element.cut;
            at = if element.open { element.content.start } else { element.content.end };
        }
        whole && at == segment.end
    }

    /// The padding of the track's last block. Of the clusters with a length, only the last is read.
    fn last_padding(&mut self, segment: Range, track: u64) -> Option<u64> {
        let (mut at, mut last, mut padding) = (segment.start, None, None);
        while let Some(element) = self.element(at, segment.end) {
            at = element.content.end;
            match element.id {
                // The blocks of an open cluster follow as if they were the segment's own.
                CLUSTER if element.open => (at, last) = (element.content.start, None),
                CLUSTER => last = Some(element.content),
                _ => self.visit(&element, track, &mut padding),
            }
        }
        let Some(cluster) = last else { return padding };
        let mut at = cluster.start;
        while let Some(element) = self.element(at, cluster.end) {
            at = element.content.end;
            self.visit(&element, track, &mut padding);
        }
        padding
    }

    /// Evaluates a block of the track. The last one counts.
    fn visit(&mut self, element: &Element, track: u64, padding: &mut Option<u64>) {
        match element.id {
            SIMPLE_BLOCK if self.track_at(&element.content) == Some(track) => *padding = None,
            BLOCK_GROUP => {
                let block = self.find(element.content.clone(), BLOCK);
                if block.and_then(|block| self.track_at(&block)) == Some(track) {
                    *padding = self.padding_in(element.content.clone());
                }
            }
            _ => {}
        }
    }

    fn padding_in(&mut self, group: Range) -> Option<u64> {
        let value = self.find(group, DISCARD_PADDING)?;
        let len = usize::try_from(value.end - value.start).ok().filter(|len| (1..=8).contains(len))?;
        self.go_to(value.start)?;
        let mut bytes = [0; 8];
        self.read(&mut bytes[..len])?;
        let signed = i64::from_be_bytes(bytes) >> (64 - 8 * len);
        u64::try_from(signed).ok()
    }

    fn track_at(&mut self, block: &Range) -> Option<u64> {
        self.go_to(block.start)?;
        self.number(true)
    }

    fn find(&mut self, range: Range, id: u32) -> Option<Range> {
        let mut at = range.start;
        while let Some(element) = self.element(at, range.end) {
            if element.id == id {
                return Some(element.content);
            }
            at = element.content.end;
        }
        None
    }

    /// The element that begins at `at`, if one does before `end`.
    fn element(&mut self, at: u64, end: u64) -> Option<Element> {
        self.left = self.left.checked_sub(1)?;
        if at >= end {
            return None;
        }
        self.go_to(at)?;
        let id = u32::try_from(self.number(false)?).ok()?;
        let len = self.number(true)?;
        let start = self.at;
        let open = len == u64::MAX;
        let stop = if open { end } else { start.checked_add(len)? };
        Some(Element { id, content: start..stop.min(end).max(start), open, cut: stop > end })
    }

    /// Stays within the read-ahead buffer if possible.
    fn go_to(&mut self, at: u64) -> Option<()> {
        self.input.seek_relative(i64::try_from(at).ok()? - i64::try_from(self.at).ok()?).ok()?;
        self.at = at;
        Some(())
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.input.read_exact(bytes) {
            Ok(()) => self.at += bytes.len() as u64,
            Err(_) => {
                // At the end of the file, within the range that was to be read.
                self.at = self.input.stream_position().ok()?;
                return None;
            }
        }
        Some(())
    }

    /// A number of variable length: the leading zeros give the number of its bytes. `bare` removes the marker bit. A bare number
    /// of all ones is an unknown length.
    fn number(&mut self, bare: bool) -> Option<u64> {
        let mut bytes = [0; 8];
        self.read(&mut bytes[..1])?;
        let len = bytes[0].leading_zeros() as usize + 1;
        self.read(bytes.get_mut(1..len)?)?;
        let value = u64::from_be_bytes(bytes) >> (64 - 8 * len);
        let ones = (1u64 << (7 * len)) - 1;
        match value & ones {
            _ if !bare => Some(value),
            all if all == ones => Some(u64::MAX),
            number => Some(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryInput;

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        [id, &[0x40 | (content.len() >> 8) as u8, content.len() as u8], content].concat()
    }

    fn group(track: u8, padding: &[u8]) -> Vec<u8> {
        let block = element(&[0xA1], &[0x80 | track, 0, 0, 0, 1, 2, 3]);
        let discard = if padding.is_empty() { vec![] } else { element(&[0x75, 0xA2], padding) };
        element(&[0xA0], &[block, discard].concat())
    }

    fn padding(clusters: &[u8]) -> Option<u64> {
        let bytes =
            [element(&[0x1A, 0x45, 0xDF, 0xA3], &[0x42]), element(&[0x18, 0x53, 0x80, 0x67], clusters)].concat();
        for cut in 0..bytes.len() {
            discard_padding(&MemoryInput::new("", &bytes[..cut]), 1);
        }
        discard_padding(&MemoryInput::new("", bytes), 1)
    }

    #[test]
    fn the_last_block_of_the_track_counts() {
        let cluster = |blocks: &[Vec<u8>]| element(&[0x1F, 0x43, 0xB6, 0x75], &blocks.concat());
        let padded = group(1, &[0x00, 0xC6, 0x5D, 0x40]);
        let simple = element(&[0xA3], &[0x81, 0, 0, 0, 9]);
        assert_eq!(padding(&cluster(&[simple.clone(), padded.clone()])), Some(13_000_000));
        assert_eq!(padding(&cluster(&[padded.clone(), group(2, &[7])])), Some(13_000_000));
        assert_eq!(padding(&cluster(&[padded.clone(), simple.clone()])), None);
        assert_eq!(padding(&[cluster(std::slice::from_ref(&padded)), cluster(&[simple])].concat()), None);
        assert_eq!(padding(&cluster(&[group(1, &[0xFF])])), None, "negative");
        let open = [&[0x1F, 0x43, 0xB6, 0x75, 0xFF], &group(1, &[])[..], &padded[..]].concat();
        assert_eq!(padding(&open), Some(13_000_000), "a cluster of unknown length");
    }
}
