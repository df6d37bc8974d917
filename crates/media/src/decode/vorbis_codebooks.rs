//! The size of a Vorbis stream's codebooks (Vorbis I, section 3.2.1), read before symphonia builds them: a few bytes
//! may claim a table of 16 MB, and a header may hold 256 of them.

use std::io;

use bitstream_io::{BitRead, BitReader, LittleEndian};

/// The limit of entries of all codebooks together, and of numbers in their tables. libvorbis' own have some ten thousand
/// entries.
pub(super) const MOST_ENTRIES: u64 = 200_000;
const MOST_NUMBERS: u64 = 2_000_000;

/// Vorbis packs bits from the lowest of a byte up.
pub(super) type Bits<'b> = BitReader<&'b [u8], LittleEndian>;

/// Whether the setup in `extra`, a track's extra data, asks for more than any encoder does. A setup that cannot be read is
/// left to the decoder, which reports the cause.
pub(super) fn are_too_large(extra: &[u8]) -> bool {
    let Some(at) = extra.windows(7).position(|bytes| bytes == b"\x05vorbis") else { return false };
    exceed_limits(&mut Bits::new(&extra[at + 7..])).unwrap_or(false)
}

fn exceed_limits(bits: &mut Bits<'_>) -> io::Result<bool> {
    let (mut entries, mut numbers) = (0, 0);
    for _ in 0..=bits.read::<8, u8>()? {
        let book = book(bits, MOST_ENTRIES - entries)?;
        entries += book.entries;
        numbers += book.entries * book.dimensions;
        if entries > MOST_ENTRIES || numbers > MOST_NUMBERS {
            return Ok(true);
        }
        if !book.is_whole {
            return Ok(false);
        }
    }
    Ok(false)
}

pub(super) struct Book {
    entries: u64,
    dimensions: u64,
    /// Whether all of it was read, so that the next one follows.
    pub is_whole: bool,
}

/// Reads a codebook's size and skips the rest of it. One of more than `most` entries is not read further.
pub(super) fn book(bits: &mut Bits<'_>, most: u64) -> io::Result<Book> {
    bits.skip(24)?; // the sync pattern
    let dimensions = bits.read::<16, u64>()?;
    let entries = bits.read::<24, u64>()?;
    let is_whole = entries <= most && lengths(bits, entries).and_then(|()| table(bits, entries, dimensions)).is_ok();
    Ok(Book { entries, dimensions, is_whole })
}

/// The lengths of the codewords.
fn lengths(bits: &mut Bits<'_>, entries: u64) -> io::Result<()> {
    if bits.read_bit()? {
        bits.skip(5)?;
        let mut left = entries;
        while left > 0 {
            let run = bits.read_var::<u64>(64 - left.leading_zeros())?;
            left = left.checked_sub(run).ok_or(io::ErrorKind::InvalidData)?;
        }
    } else if bits.read_bit()? {
        for _ in 0..entries {
            if bits.read_bit()? {
                bits.skip(5)?;
            }
        }
    } else {
        skip(bits, entries * 5)?;
    }
    Ok(())
}

/// The table of each entry's numbers.
fn table(bits: &mut Bits<'_>, entries: u64, dimensions: u64) -> io::Result<()> {
    let kind = bits.read::<4, u8>()?;
    if kind == 0 {
        return Ok(());
    }
    bits.skip(64)?;
    let width = bits.read::<4, u64>()? + 1;
    bits.skip(1)?;
    let values = if kind == 1 { root(entries, dimensions) } else { entries * dimensions };
    skip(bits, values * width)
}

/// Skips `count` bits.
pub(super) fn skip(bits: &mut Bits<'_>, count: u64) -> io::Result<()> {
    bits.skip(u32::try_from(count).map_err(|_| io::ErrorKind::UnexpectedEof)?)
}

/// The largest number whose `dimensions`th power is no more than `entries`.
fn root(entries: u64, dimensions: u64) -> u64 {
    if dimensions == 0 {
        return 0; // refused by the decoder
    }
    let fits = |number: u64| number.checked_pow(dimensions as u32).is_some_and(|power| power <= entries);
    let mut root = (entries as f64).powf(1.0 / dimensions as f64) as u64;
    while !fits(root) && root > 0 {
        root -= 1;
    }
    while fits(root + 1) {
        root += 1;
    }
    root
}

#[cfg(test)]
mod tests {
    use bitstream_io::{BitWrite, BitWriter};

    use super::*;

    /// A setup of `count` ordered codebooks that each claim `entries` of `dimensions` numbers.
    fn setup(count: u64, entries: u64, dimensions: u64) -> Vec<u8> {
        let mut bits = BitWriter::endian(Vec::new(), LittleEndian);
        let mut put = |number: u64, count: u32| bits.write_var(count, number).unwrap();
        put(count - 1, 8);
        for _ in 0..count {
            put(0x564342, 24);
            put(dimensions, 16);
            put(entries, 24);
            put(1, 1);
            put(16, 5);
            put(entries, 64 - entries.leading_zeros());
            put(1, 4);
            put(0, 64);
            put(0, 5);
            (0..root(entries, dimensions)).for_each(|_| put(0, 1));
        }
        bits.byte_align().unwrap();
        [&b"\x01vorbis and so on\x05vorbis"[..], &bits.into_writer()].concat()
    }

    #[test]
    fn only_sizes_that_no_encoder_writes_are_too_large() {
        assert!(!are_too_large(&setup(40, 1_000, 4)));
        assert!(are_too_large(&setup(256, 1_000, 8)));
        assert!(are_too_large(&setup(2, 131_072, 1)));
        assert!(are_too_large(&setup(3, 100_000, 32)));
        assert!(!are_too_large(&setup(3, 100_000, 32)[..30]), "cut off");
        assert!(!are_too_large(b"") && !are_too_large(b"\x05vorbis"));
    }

    #[test]
    fn roots_are_whole() {
        assert_eq!([root(81, 4), root(80, 4), root(1, 7), root(0, 3), root(625, 2)], [3, 2, 1, 0, 25]);
        assert_eq!(root(5, 0), 0);
    }
}
