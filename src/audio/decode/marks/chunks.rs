//! WAV, AIFF, CAF and FLAC: chunks with a name and a length.

use std::{fs::File, io};

use super::{End, Marks, bytes, implausible};
use crate::audio::AudioError;

/// How a file is made of chunks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// WAV.
    Riff,
    /// AIFF.
    Iff,
    /// CAF.
    Caf,
}

/// Chunks that are looked at, at most.
const MOST_CHUNKS: u32 = 10_000;

/// A table of CAF's packets: entries, each of which takes 32 bytes in memory. Ten hours of AAC have 1.7 million.
const MOST_PACKETS: i64 = 2_000_000;

/// What a decoder is told, in CAF.
const MOST_COOKIE: u64 = 1 << 20;

/// Bytes of one packet in CAF, which is read whole.
const MOST_PACKET: u32 = 1 << 20;

impl Kind {
    /// Bytes before the first chunk, and those of a chunk's name and length.
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
pub(super) fn all(file: &File, len: u64, kind: Kind, marks: &mut Marks) -> Result<(), AudioError> {
    let (first, head) = kind.heads();
    let mut at = marks.start + first;
    for _ in 0..MOST_CHUNKS {
        if at.saturating_add(head) > len {
            return Ok(()); // where a length leads that lies, the disk would be said to be at fault
        }
        let Some(chunk) = bytes::<12>(file, at).map_err(AudioError::Io)? else { return Ok(()) };
        let (name, [a, b, c, d, e, f, g, h]) = chunk
            .split_first_chunk::<4>()
            .map_or(([0; 4], [0; 8]), |(name, rest)| (*name, rest.try_into().unwrap_or_default()));
        let size = match kind {
            Kind::Riff => u64::from(u32::from_le_bytes([a, b, c, d])),
            Kind::Iff => u64::from(u32::from_be_bytes([a, b, c, d])),
            Kind::Caf => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
        };
        if kind == Kind::Caf {
            check_caf(file, &name, at + head, size)?;
        }
        // WAV's data is the last that is looked at, and CAF's may last to the end: whose length is not known is -1.
        if &name == b"data" && (kind == Kind::Riff || size > len - at - head) {
            let left = len - at - head;
            if kind == Kind::Caf && size != u64::MAX && size > left {
                // symphonia would look for what follows the data, and refuse the file.
                marks.end = End::CutOff;
                marks.put(at + 4, &left.to_be_bytes());
            }
            return Ok(());
        }
        if !kind.is_needed(&name) && !marks.put(at, b"junk") {
            return Ok(()); // too many are refused by who asked for them
        }
        let pad = if kind == Kind::Caf { 0 } else { size % 2 };
        at = at.saturating_add(head).saturating_add(size).saturating_add(pad);
    }
    implausible(format!("{MOST_CHUNKS} chunks"))
}

fn check_caf(file: &File, name: &[u8; 4], at: u64, size: u64) -> Result<(), AudioError> {
    match name {
        b"kuki" if size > MOST_COOKIE => implausible(format!("a cookie of {size} bytes")),
        b"pakt" => match bytes::<8>(file, at).map_err(AudioError::Io)?.map(i64::from_be_bytes) {
            Some(count) if count > MOST_PACKETS => implausible(format!("a table of {count} packets")),
            _ => Ok(()),
        },
        b"desc" => match bytes::<20>(file, at).map_err(AudioError::Io)? {
            Some([.., a, b, c, d]) if u32::from_be_bytes([a, b, c, d]) > MOST_PACKET => {
                implausible(format!("packets of {} bytes", u32::from_be_bytes([a, b, c, d])))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

/// FLAC's blocks before its frames.
const PADDING: u8 = 1;
const LAST: u8 = 0x80;

/// Hides all blocks of FLAC but those that tell of the stream, and the first table of places in it.
pub(super) fn flac(file: &File, marks: &mut Marks) -> io::Result<()> {
    let mut at = marks.start + 4;
    let mut tables = 0;
    for _ in 0..MOST_CHUNKS {
        let Some([kind, a, b, c]) = bytes::<4>(file, at)? else { break };
        let is_needed = match kind & !LAST {
            0 | PADDING => true,
            3 => std::mem::replace(&mut tables, 1) == 0,
            _ => false,
        };
        if !is_needed && !marks.put(at, &[kind & LAST | PADDING]) || kind & LAST != 0 {
            break;
        }
        at += 4 + u64::from(u32::from_be_bytes([0, a, b, c]));
    }
    Ok(())
}
