//! The header of a recording that still grows, and of one that is complete.
//!
//! While it grows, both lengths are 0xFFFFFFFF, as programs write them that send WAV to a pipe: readers then read up to the
//! end of the file. So a spool is a readable recording from its first byte on, whatever happens to the process.

use crate::{AudioFormat, Encoding};

/// Stands for a length that is not known.
const UNKNOWN: u32 = u32::MAX;

/// Where the length of the RIFF chunk is. That of the data chunk is the last field of the header.
pub const RIFF_LEN_AT: u64 = 4;

/// The header of a file with `data` bytes of audio; `None` while it grows.
pub fn header(format: &AudioFormat, data: Option<u64>) -> Vec<u8> {
    let tag: u16 = match format.encoding {
        Encoding::Linear16 => 1,
        Encoding::Alaw => 6,
        Encoding::Mulaw => 7,
    };
    let block_align = format.block_align() as u16;
    let fields = [
        &tag.to_le_bytes()[..],
        &format.channels.to_le_bytes(),
        &format.sample_rate.to_le_bytes(),
        &(format.bytes_per_second() as u32).to_le_bytes(),
        &block_align.to_le_bytes(),
        &(8 * format.encoding.bytes() as u16).to_le_bytes(),
    ]
    .concat();
    let length = |extra: u64| data.and_then(|data| u32::try_from(data + extra).ok()).unwrap_or(UNKNOWN);
    let before_data = 4 + 8 + fields.len() as u64 + 8;
    [
        &b"RIFF"[..],
        &length(before_data).to_le_bytes(),
        b"WAVEfmt ",
        &(fields.len() as u32).to_le_bytes(),
        &fields,
        b"data",
        &length(0).to_le_bytes(),
    ]
    .concat()
}
