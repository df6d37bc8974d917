//! Hides the metadata blocks of FLAC that are not needed to decode.

use std::io;

use super::{ByteOverrides, bytes};
use crate::MediaInput;

/// Maximum number of blocks.
const MAX_BLOCKS: u32 = 10_000;

/// The type of a metadata block without content, and the flag of the last block.
const PADDING: u8 = 1;
const LAST: u8 = 0x80;

/// Hides all metadata blocks but STREAMINFO and the first seek table.
pub(super) fn all(input: &dyn MediaInput, overrides: &mut ByteOverrides) -> io::Result<()> {
    let mut at = overrides.start + 4;
    let mut tables = 0;
    for _ in 0..MAX_BLOCKS {
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
