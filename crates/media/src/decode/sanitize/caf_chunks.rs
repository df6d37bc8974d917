//! Hides the chunks of CAF that are not needed to decode. Corrects the data's length, and limits the size of tables.

use super::{ByteOverrides, End, bytes, implausible};
use crate::{AudioError, MediaInput};

/// Maximum number of chunks.
const MAX_CHUNKS: u32 = 10_000;

/// Maximum number of entries in the packet table. Each takes 32 bytes in memory. Ten hours of AAC have 1.7 million.
const MAX_PACKETS: i64 = 2_000_000;

/// Maximum length in bytes of the decoder's configuration.
const MAX_COOKIE: u64 = 1 << 20;

/// Maximum length in bytes of one packet, which is read as a whole.
const MAX_PACKET: u32 = 1 << 20;

/// Length in bytes of a chunk's header.
const HEADER: u64 = 12;

/// The length that means "until the end of the file". Only the data may have it.
const UNKNOWN_LENGTH: u64 = u64::MAX;

/// Inspects the chunks of a file of `len` bytes.
pub(super) fn all(input: &dyn MediaInput, len: u64, overrides: &mut ByteOverrides) -> Result<(), AudioError> {
    let mut at = overrides.start + 8;
    for _ in 0..MAX_CHUNKS {
        if at.saturating_add(HEADER) > len {
            return Ok(()); // a read beyond the end would be reported as an error of the disk
        }
        let Some([name @ .., a, b, c, d, e, f, g, h]) = bytes::<12>(input, at).map_err(AudioError::Io)? else {
            return Ok(());
        };
        let size = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        check(input, &name, at + HEADER, size)?;
        let left = len - at - HEADER;
        if &name == b"data" && size > left {
            // symphonia would seek to the chunk after the data, and refuse the file.
            overrides.end = if size == UNKNOWN_LENGTH { End::Whole } else { End::CutOff };
            overrides.put(at + 4, &left.to_be_bytes());
            return Ok(());
        }
        let is_needed = matches!(&name, b"desc" | b"data" | b"chan" | b"pakt" | b"kuki");
        if !is_needed && !overrides.put(at, b"junk") {
            return Ok(()); // the caller refuses too many replacements
        }
        at = at.saturating_add(HEADER).saturating_add(size);
    }
    implausible(format!("{MAX_CHUNKS} chunks"))
}

fn check(input: &dyn MediaInput, name: &[u8; 4], at: u64, size: u64) -> Result<(), AudioError> {
    match name {
        b"kuki" if size > MAX_COOKIE => implausible(format!("a cookie of {size} bytes")),
        b"pakt" => match bytes::<8>(input, at).map_err(AudioError::Io)?.map(i64::from_be_bytes) {
            Some(count) if count > MAX_PACKETS => implausible(format!("a table of {count} packets")),
            _ => Ok(()),
        },
        b"desc" => match bytes::<20>(input, at).map_err(AudioError::Io)? {
            Some([.., a, b, c, d]) if u32::from_be_bytes([a, b, c, d]) > MAX_PACKET => {
                implausible(format!("packets of {} bytes", u32::from_be_bytes([a, b, c, d])))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
