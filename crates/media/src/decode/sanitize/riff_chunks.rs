//! Sanitizes the chunks of WAV, AIFF and CAF, and the metadata blocks of FLAC.

use std::io;

use super::{ByteOverrides, End, bytes, implausible};
use crate::{AudioError, MediaInput};

/// The container whose chunks are inspected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// WAV.
    Riff,
    /// AIFF.
    Iff,
    /// CAF.
    Caf,
}

/// Maximum number of chunks.
const MAX_CHUNKS: u32 = 10_000;

/// Maximum number of entries in CAF's packet table. Each takes 32 bytes in memory. Ten hours of AAC have 1.7 million.
const MAX_PACKETS: i64 = 2_000_000;

/// Maximum length in bytes of a decoder configuration in CAF.
const MAX_COOKIE: u64 = 1 << 20;

/// Maximum length in bytes of one packet in CAF, which is read as a whole.
const MAX_PACKET: u32 = 1 << 20;

impl Kind {
    /// The number of bytes before the first chunk, and of a chunk's header.
    fn heads(self) -> (u64, u64) {
        match self {
            Self::Riff | Self::Iff => (12, 8),
            Self::Caf => (8, 12),
        }
    }

    fn is_needed(self, name: &[u8; 4]) -> bool {
        match self {
            Self::Riff => matches!(name, b"fmt " | b"fact" | b"data"),
            Self::Iff => matches!(name, b"COMM" | b"SSND" | b"FVER"),
            Self::Caf => matches!(name, b"desc" | b"data" | b"chan" | b"pakt" | b"kuki"),
        }
    }
}

/// Hides all chunks that are not needed to decode, in a file of `len` bytes.
pub(super) fn all(
    input: &dyn MediaInput,
    len: u64,
    kind: Kind,
    overrides: &mut ByteOverrides,
) -> Result<(), AudioError> {
    let (first, head) = kind.heads();
    let mut at = overrides.start + first;
    for _ in 0..MAX_CHUNKS {
        if at.saturating_add(head) > len {
            return Ok(()); // a read beyond the end would be reported as an error of the disk
        }
        let Some(chunk) = bytes::<12>(input, at).map_err(AudioError::Io)? else { return Ok(()) };
        let (name, [a, b, c, d, e, f, g, h]) = chunk
            .split_first_chunk::<4>()
            .map_or(([0; 4], [0; 8]), |(name, rest)| (*name, rest.try_into().unwrap_or_default()));
        let size = match kind {
            Kind::Riff => u64::from(u32::from_le_bytes([a, b, c, d])),
            Kind::Iff => u64::from(u32::from_be_bytes([a, b, c, d])),
            Kind::Caf => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        };
        if kind == Kind::Caf {
            check_caf(input, &name, at + head, size)?;
        }
        // Chunks after the data of WAV are not needed. CAF's data may have the length -1, which means "until the end".
        if &name == b"data" && (kind == Kind::Riff || size > len - at - head) {
            let left = len - at - head;
            if kind == Kind::Riff {
                return wave_lengths(input, at, size, left, overrides);
            }
            if kind == Kind::Caf && size != u64::MAX && size > left {
                // symphonia would seek to the chunk after the data, and refuse the file.
                overrides.end = End::CutOff;
                overrides.put(at + 4, &left.to_be_bytes());
            }
            return Ok(());
        }
        if !kind.is_needed(&name) && !overrides.put(at, b"junk") {
            return Ok(()); // the caller refuses too many replacements
        }
        let pad = if kind == Kind::Caf { 0 } else { size % 2 };
        at = at.saturating_add(head).saturating_add(size).saturating_add(pad);
    }
    implausible(format!("{MAX_CHUNKS} chunks"))
}

/// Corrects the lengths of a WAV that was written into a pipe, or by a recorder that did not update its header at the end.
/// The data chunk begins at `at` and declares `size` bytes; `left` bytes of the file follow its header.
fn wave_lengths(
    input: &dyn MediaInput,
    at: u64,
    size: u64,
    left: u64,
    overrides: &mut ByteOverrides,
) -> Result<(), AudioError> {
    /// Lengths that mean "until the end" are the largest numbers of 31 and 32 bits, or these minus the length of the header,
    /// which has at most this many bytes.
    const MAX_HEADER: u64 = 64 << 10;
    let is_largest = [u64::from(u32::MAX), 0x7FFF_FFFF].iter().any(|most| (most - MAX_HEADER..=*most).contains(&size));
    let until_the_end = size > left && is_largest || size == 0 && left > 0 && !is_chunk(input, at + 8, left)?;
    let end = at + 8 + if until_the_end { left } else { size.min(left) };
    if until_the_end && let Ok(left) = u32::try_from(left) {
        overrides.end = End::Whole;
        overrides.put(at + 4, &left.to_le_bytes());
    }
    // symphonia stops at the end that the RIFF length declares, even if that is before the end of the data.
    let whole = end - overrides.start - 8;
    let Some(stated) = bytes::<4>(input, overrides.start + 4).map_err(AudioError::Io)?.map(u32::from_le_bytes) else {
        return Ok(());
    };
    if u64::from(stated) < whole
        && let Ok(whole) = u32::try_from(whole)
    {
        overrides.put(overrides.start + 4, &whole.to_le_bytes());
    }
    Ok(())
}

/// Whether a chunk begins at `at` that fits into the `left` bytes from there on.
fn is_chunk(input: &dyn MediaInput, at: u64, left: u64) -> Result<bool, AudioError> {
    let Some(head) = bytes::<8>(input, at).map_err(AudioError::Io)? else { return Ok(false) };
    let (name, size) = head.split_at(4);
    let size = u64::from(u32::from_le_bytes(size.try_into().unwrap_or_default()));
    Ok(name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') && size <= left - 8)
}

fn check_caf(input: &dyn MediaInput, name: &[u8; 4], at: u64, size: u64) -> Result<(), AudioError> {
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

/// The type of a FLAC metadata block without content, and the flag of the last block.
const PADDING: u8 = 1;
const LAST: u8 = 0x80;

/// Hides all metadata blocks of FLAC but STREAMINFO and the first seek table.
pub(super) fn flac(input: &dyn MediaInput, overrides: &mut ByteOverrides) -> io::Result<()> {
    let mut at = overrides.start + 4;
    let mut tables = 0;
    for _ in 0..MAX_CHUNKS {
        let Some([kind, a, b, c]) = bytes::<4>(input, at)? else { break };
        let is_needed = match kind & !LAST {
            0 | PADDING => true,
            3 => std::mem::replace(&mut tables, 1) == 0,
            _ => false,
        };
        if !is_needed && !overrides.put(at, &[kind & LAST | PADDING]) || kind & LAST != 0 {
            break;
        }
        at += 4 + u64::from(u32::from_be_bytes([0, a, b, c]));
    }
    Ok(())
}
