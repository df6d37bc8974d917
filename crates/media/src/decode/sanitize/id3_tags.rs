//! Finds the end of the ID3 tags before the audio. They may hold pictures of any size.

use std::io;

use super::bytes;
use crate::MediaInput;

/// Maximum number of consecutive tags.
const MAX_TAGS: u32 = 100;

/// The offset at which the tags at the beginning of a file of `len` bytes end. A tag longer than the file is ignored.
pub(super) fn end(input: &dyn MediaInput, len: u64) -> io::Result<u64> {
    let mut at = 0;
    for _ in 0..MAX_TAGS {
        let Some([b'I', b'D', b'3', 2..=4, _, flags, size @ ..]) = bytes::<10>(input, at)? else { break };
        if size.iter().any(|&byte| byte >= 0x80) {
            break;
        }
        let size = size.iter().fold(0, |size, &byte| size << 7 | u64::from(byte));
        let end = at + 10 + size + if flags & 0x10 == 0 { 0 } else { 10 };
        if end >= len {
            break;
        }
        at = end;
    }
    Ok(at)
}
