//! Pages (RFC 3533, section 6), and the search for the next one.

use std::io;

use crc::{Algorithm, Crc, Table};
use memchr::memmem;

use super::super::byte_window::ByteWindow;

const MARK: &[u8; 4] = b"OggS";

/// Bytes before the segment table of a page, and bytes of the longest page.
const HEAD: usize = 27;
pub(super) const LONGEST: usize = HEAD + 255 + 255 * 255;

/// The maximum of bytes in pages with a wrong checksum whose checksum is computed: for each byte of the file, and in a row.
/// A file that exceeds it has a capture pattern every few bytes.
const CREDIT: usize = 16;
const MOST_CREDIT: usize = 16 << 20;

const SUM: Algorithm<u32> = Algorithm {
    width: 32,
    poly: 0x04C1_1DB7,
    init: 0,
    refin: false,
    refout: false,
    xorout: 0,
    check: 0x89A1_897F,
    residue: 0,
};
static CRC_32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&SUM);

/// A page with a valid checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub serial: u32,
    pub sequence: u32,
    /// The granule position: the end of the last packet that ends on this page, if one does.
    pub granule: Option<i64>,
    /// Whether its first packet began on an earlier page.
    pub is_continued: bool,
    pub is_first: bool,
    pub is_last: bool,
    /// Lengths of the segments. A segment of less than 255 bytes ends a packet.
    pub segments: Vec<u8>,
    pub body: Vec<u8>,
    /// Whether bytes were skipped before it.
    pub follows_gap: bool,
}

impl Page {
    /// The page at the beginning of `bytes`, and its length.
    ///
    /// # Errors
    /// If the checksum is wrong: the length that the page claims; 1 if it is cut off.
    pub fn read(bytes: &[u8]) -> Result<(Self, usize), usize> {
        let len = Self::claimed_len(bytes).ok_or(1usize)?;
        let whole = bytes.get(..len).ok_or(1usize)?;
        if checksum(whole).to_le_bytes() != whole[22..26] {
            return Err(len);
        }
        let number = |at: usize| whole[at..at + 4].iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte));
        let granule = (u64::from(number(10)) << 32 | u64::from(number(6))) as i64;
        let body = HEAD + usize::from(whole[26]);
        let page = Self {
            serial: number(14),
            sequence: number(18),
            granule: Some(granule).filter(|&granule| granule != -1),
            is_continued: whole[5] & 1 != 0,
            is_first: whole[5] & 2 != 0,
            is_last: whole[5] & 4 != 0,
            segments: whole[HEAD..body].to_vec(),
            body: whole[body..].to_vec(),
            follows_gap: false,
        };
        Ok((page, len))
    }

    /// The length of a page by its own header.
    fn claimed_len(bytes: &[u8]) -> Option<usize> {
        if !bytes.starts_with(MARK) || *bytes.get(4)? != 0 {
            return None;
        }
        let segments = usize::from(*bytes.get(26)?);
        let body: usize = bytes.get(HEAD..HEAD + segments)?.iter().map(|&len| usize::from(len)).sum();
        Some(HEAD + segments + body)
    }

    /// The parts of packets on this page, and whether the packet ends with the part.
    pub fn parts(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let mut segments = self.segments.iter();
        let mut rest = &self.body[..];
        std::iter::from_fn(move || {
            let (mut len, mut is_end, mut count) = (0, false, 0);
            for &segment in segments.by_ref() {
                (len, count) = (len + usize::from(segment), count + 1);
                if segment < 255 {
                    is_end = true;
                    break;
                }
            }
            let (part, behind) = rest.split_at_checked(len).filter(|_| count > 0)?;
            rest = behind;
            Some((part, is_end))
        })
    }
}

/// The checksum of a page of at least 27 bytes. The checksum field counts as zeros.
pub(super) fn checksum(page: &[u8]) -> u32 {
    let mut digest = CRC_32.digest();
    digest.update(&page[..22]);
    digest.update(&[0; 4]);
    digest.update(&page[26..]);
    digest.finalize()
}

/// The pages of a stream.
pub(super) struct PageReader<'s> {
    window: ByteWindow<'s>,
    credit: usize,
    /// Bytes that are not part of a page.
    skipped: u64,
}

impl<'s> PageReader<'s> {
    pub fn new(window: ByteWindow<'s>) -> Self {
        Self { window, credit: MOST_CREDIT, skipped: 0 }
    }

    /// The next page; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Page>> {
        let mut follows_gap = false;
        loop {
            self.window.fill(LONGEST)?;
            let bytes = self.window.bytes();
            if bytes.is_empty() {
                return Ok(None);
            }
            match memmem::find(bytes, MARK) {
                Some(0) => {}
                at => {
                    // The capture pattern may span the end of what has been read.
                    let len = at.unwrap_or(bytes.len().saturating_sub(MARK.len() - 1).max(1));
                    self.skip(len);
                    follows_gap = true;
                    continue;
                }
            }
            match Page::read(bytes) {
                Ok((page, len)) => {
                    self.pass(len);
                    return Ok(Some(Page { follows_gap, ..page }));
                }
                // Its length may be damaged: the search for the next page continues within it.
                Err(len) => match self.credit.checked_sub(len) {
                    Some(credit) => {
                        self.credit = credit;
                        self.skip(1);
                    }
                    None => self.skip(len),
                },
            }
            follows_gap = true;
        }
    }

    fn pass(&mut self, len: usize) {
        self.window.consume(len);
        self.credit = self.credit.saturating_add(len.saturating_mul(CREDIT)).min(MOST_CREDIT);
    }

    fn skip(&mut self, len: usize) {
        self.pass(len);
        self.skipped += len as u64;
    }

    /// The number of bytes so far that are not part of a page.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    pub fn into_inner(self) -> ByteWindow<'s> {
        self.window
    }
}
