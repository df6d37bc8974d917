//! How large the codebooks of a Vorbis stream are (Vorbis I, section 3.2.1), read before symphonia builds them: some bytes
//! may claim a table of 16 MB, and a header may have 256 of them.

/// Entries of all codebooks together, and numbers in their tables. libvorbis' own have some ten thousand entries.
pub(super) const MOST_ENTRIES: u64 = 200_000;
const MOST_NUMBERS: u64 = 2_000_000;

/// Whether the setup in `extra`, a track's extra data, asks for more than any encoder does. What cannot be read is left to
/// the decoder, which will say what is wrong.
pub(super) fn are_too_large(extra: &[u8]) -> bool {
    let Some(at) = extra.windows(7).position(|bytes| bytes == b"\x05vorbis") else { return false };
    let mut bits = Bits { bytes: &extra[at + 7..], at: 0 };
    let Some(count) = bits.take(8) else { return false };
    let (mut entries, mut numbers) = (0, 0);
    for _ in 0..=count {
        let Some(book) = book(&mut bits, MOST_ENTRIES - entries) else { return false };
        entries += book.entries;
        numbers += book.entries * book.dimensions;
        if entries > MOST_ENTRIES || numbers > MOST_NUMBERS {
            return true;
        }
        if !book.is_whole {
            return false;
        }
    }
    false
}

pub(super) struct Book {
    entries: u64,
    dimensions: u64,
    /// Whether the next one follows.
    pub is_whole: bool,
}

/// Reads a codebook's size and passes over the rest of it; one of more than `most` entries is not looked at further.
pub(super) fn book(bits: &mut Bits, most: u64) -> Option<Book> {
    let _mark = bits.take(24)?;
    let (dimensions, entries) = (bits.take(16)?, bits.take(24)?);
    let is_whole = entries <= most && lengths(bits, entries).and_then(|()| table(bits, entries, dimensions)).is_some();
    Some(Book { entries, dimensions, is_whole })
}

/// The lengths of the codewords.
fn lengths(bits: &mut Bits, entries: u64) -> Option<()> {
    if bits.take(1)? == 1 {
        bits.take(5)?;
        let mut left = entries;
        while left > 0 {
            left = left.checked_sub(bits.take(64 - left.leading_zeros())?)?;
        }
    } else if bits.take(1)? == 1 {
        for _ in 0..entries {
            if bits.take(1)? == 1 {
                bits.take(5)?;
            }
        }
    } else {
        bits.skip(entries * 5)?;
    }
    Some(())
}

/// The table that gives each entry its numbers.
fn table(bits: &mut Bits, entries: u64, dimensions: u64) -> Option<()> {
    let kind = bits.take(4)?;
    if kind == 0 {
        return Some(());
    }
    bits.skip(64)?;
    let width = bits.take(4)? + 1;
    bits.skip(1)?;
    let values = if kind == 1 { root(entries, dimensions) } else { entries.checked_mul(dimensions)? };
    bits.skip(values.checked_mul(width)?)
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

/// Bits, the lowest of a byte first.
pub(super) struct Bits<'b> {
    pub bytes: &'b [u8],
    pub at: u64,
}

impl Bits<'_> {
    /// The next `count` bits, at most 64.
    pub fn take(&mut self, count: u32) -> Option<u64> {
        let number = (0..count).try_fold(0, |number, bit| {
            let at = self.at + u64::from(bit);
            let byte = self.bytes.get(usize::try_from(at / 8).ok()?)?;
            Some(number | u64::from(byte >> (at % 8) & 1) << bit)
        })?;
        self.at += u64::from(count);
        Some(number)
    }

    /// Passes over `count` bits.
    pub fn skip(&mut self, count: u64) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|&at| at <= self.bytes.len() as u64 * 8)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A setup of `count` ordered codebooks that each claim `entries` of `dimensions` numbers.
    fn setup(count: u64, entries: u64, dimensions: u64) -> Vec<u8> {
        let mut bits = Vec::new();
        let mut put = |number: u64, count: u32| {
            bits.extend((0..count).map(|bit| number.checked_shr(bit).is_some_and(|bits| bits & 1 == 1)))
        };
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
            put(0, root(entries, dimensions) as u32);
        }
        let bytes = bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit)));
        [&b"\x01vorbis and so on\x05vorbis"[..], &bytes.collect::<Vec<u8>>()].concat()
    }

    #[test]
    fn only_what_no_encoder_writes_is_absurd() {
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
