//! Finds the format and the data of a WAV file: RIFF, its big-endian form RIFX, and RF64 and BW64 for more than 4 GB (EBU
//! Tech 3306, ITU-R BS.2088). Corrects lengths that recorders leave wrong.

use std::io;

use crate::{AudioError, MediaInput, decode::sanitize::bytes};

/// Maximum number of chunks.
const MAX_CHUNKS: u32 = 10_000;

/// Lengths that mean "until the end" are the largest numbers of 31 and 32 bits, or these minus the length of the header,
/// which has at most this many bytes.
const MAX_HEADER: u64 = 64 << 10;

/// Maximum length in bytes of the format chunk that is read.
const MAX_FORMAT: usize = 64;

/// Bytes after the data that are inspected. If these are 0, the data is followed by padding.
const MAX_PADDING_CHECK: usize = 64 << 10;

/// Chunks that follow one of odd length although the padding byte is missing.
const KNOWN: [&[u8; 4]; 5] = [b"data", b"fmt ", b"fact", b"LIST", b"bext"];

/// The chunks of a WAV file that are needed to decode it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WavChunks {
    pub is_big_endian: bool,
    /// The content of the format chunk, cut at [`MAX_FORMAT`] bytes.
    pub format: Vec<u8>,
    /// The offset of the first sample.
    pub data: u64,
    /// The length of the data in bytes that the header declares, or the file's if the header declares none.
    pub declared: u64,
    /// The length of the data in bytes that the file holds.
    pub present: u64,
}

/// A walk over the chunks of a file.
struct Walk<'i> {
    input: &'i dyn MediaInput,
    len: u64,
    is_big_endian: bool,
    at: u64,
}

/// The name, the offset of the content, and the declared length of a chunk.
type Chunk = ([u8; 4], u64, u64);

impl WavChunks {
    /// The chunks of `input`, whose header begins at `start`. `None` if it is not a WAV file, or has no format or no data.
    ///
    /// # Errors
    /// Errors of reading, and [`AudioError::ImplausibleHeader`].
    pub fn read(input: &dyn MediaInput, start: u64) -> Result<Option<Self>, AudioError> {
        let unreadable = |error| AudioError::from_io(error, &input.name());
        let head = bytes::<12>(input, start).map_err(unreadable)?;
        let (is_big_endian, is_64_bit) = match head.as_ref().map(|head| head.split_at(8)) {
            Some(([b'R', b'I', b'F', b'F', ..], b"WAVE")) => (false, false),
            Some(([b'R', b'I', b'F', b'X', ..], b"WAVE")) => (true, false),
            Some(([b'R', b'F', b'6', b'4', ..] | [b'B', b'W', b'6', b'4', ..], b"WAVE")) => (false, true),
            _ => return Ok(None),
        };
        let len = input.len().map_err(unreadable)?;
        let mut walk = Walk { input, len, is_big_endian, at: start + 12 };
        walk.find(is_64_bit).map_err(unreadable)?.map_or(Ok(None), |found| match found {
            Found::Chunks(chunks) => Ok(Some(chunks)),
            Found::TooMany => Err(AudioError::ImplausibleHeader(format!("{MAX_CHUNKS} chunks"))),
        })
    }

    /// The number of bytes after the data that are not in another chunk. A recorder that does not update its header leaves
    /// them, or a second data chunk.
    ///
    /// # Errors
    /// Errors of reading.
    pub fn unread(&self, input: &dyn MediaInput) -> io::Result<u64> {
        let end = self.data.saturating_add(self.present);
        let mut walk = Walk { input, len: input.len()?, is_big_endian: self.is_big_endian, at: end };
        walk.skip_padding(self.present)?;
        let mut unread = 0;
        for _ in 0..MAX_CHUNKS {
            let rest = walk.len.saturating_sub(walk.at);
            if !walk.is_chunk(walk.at)? {
                return Ok(if walk.is_padding()? { unread } else { unread + rest });
            }
            match walk.next()? {
                Some((name, _, size)) if &name == b"data" => unread += size,
                Some(_) => {}
                None => break,
            }
        }
        Ok(unread)
    }
}

enum Found {
    Chunks(WavChunks),
    TooMany,
}

impl Walk<'_> {
    /// Finds the format and the data, in any order.
    fn find(&mut self, is_64_bit: bool) -> io::Result<Option<Found>> {
        let (mut format, mut data, mut long_size) = (None, None, None);
        for _ in 0..MAX_CHUNKS {
            if let (Some(format), Some((data, declared, present))) = (&mut format, data) {
                let (is_big_endian, format) = (self.is_big_endian, std::mem::take(format));
                return Ok(Some(Found::Chunks(WavChunks { is_big_endian, format, data, declared, present })));
            }
            let Some((name, content, size)) = self.next()? else { return Ok(None) };
            match &name {
                b"fmt " if format.is_none() => {
                    let mut bytes = vec![0; usize::try_from(size).unwrap_or(MAX_FORMAT).min(MAX_FORMAT)];
                    let read = self.input.read_at(content, &mut bytes)?;
                    bytes.truncate(read);
                    format = Some(bytes);
                }
                b"ds64" if is_64_bit => long_size = bytes::<16>(self.input, content)?.map(data_size_of_ds64),
                b"data" if data.is_none() => {
                    let size = long_size.filter(|_| size == u64::from(u32::MAX)).unwrap_or(size);
                    let (declared, present) = self.data_lengths(content, size)?;
                    data = Some((content, declared, present));
                    self.at = content.saturating_add(present);
                    self.skip_padding(present)?;
                }
                _ => {}
            }
        }
        Ok(Some(Found::TooMany))
    }

    /// The next chunk; `None` at the end of the file.
    fn next(&mut self) -> io::Result<Option<Chunk>> {
        let Some([a, b, c, d, size @ ..]) = bytes::<8>(self.input, self.at)? else { return Ok(None) };
        let size = u64::from(if self.is_big_endian { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) });
        let content = self.at + 8;
        self.at = content.saturating_add(size);
        self.skip_padding(size)?;
        Ok(Some(([a, b, c, d], content, size)))
    }

    /// Skips the padding byte after a chunk of odd length. Some writers leave it out.
    fn skip_padding(&mut self, size: u64) -> io::Result<()> {
        if size % 2 == 1 {
            let is_missing = bytes::<4>(self.input, self.at)?.is_some_and(|name| KNOWN.contains(&&name));
            self.at = self.at.saturating_add(u64::from(!is_missing));
        }
        Ok(())
    }

    /// The declared and the present length of the data, which begin at `content` and have `size` bytes by their header.
    fn data_lengths(&self, content: u64, size: u64) -> io::Result<(u64, u64)> {
        let left = self.len.saturating_sub(content);
        let largest = [u64::from(u32::MAX), 0x7FFF_FFFF];
        let is_largest = largest.iter().any(|largest| (largest - MAX_HEADER..=*largest).contains(&size));
        let until_the_end = size > left && is_largest || size == 0 && left > 0 && !self.is_chunk(content)?;
        Ok(if until_the_end { (left, left) } else { (size, size.min(left)) })
    }

    /// Whether a chunk begins at `at` that fits into the file.
    fn is_chunk(&self, at: u64) -> io::Result<bool> {
        let Some([a, b, c, d, size @ ..]) = bytes::<8>(self.input, at)? else { return Ok(false) };
        let size = u64::from(if self.is_big_endian { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) });
        let is_name = [a, b, c, d].iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
        Ok(is_name && size <= self.len.saturating_sub(at.saturating_add(8)))
    }

    /// Whether the bytes from here on are 0.
    fn is_padding(&self) -> io::Result<bool> {
        let mut bytes = vec![0; MAX_PADDING_CHECK];
        let read = self.input.read_at(self.at, &mut bytes)?;
        Ok(bytes[..read].iter().all(|byte| *byte == 0))
    }
}

/// The data's length in the chunk `ds64`, which begins with the lengths of the file and of the data. 0 stands for the end of
/// the file.
fn data_size_of_ds64(content: [u8; 16]) -> u64 {
    match u64::from_le_bytes(content[8..].try_into().unwrap_or_default()) {
        0 => u64::from(u32::MAX),
        size => size,
    }
}
