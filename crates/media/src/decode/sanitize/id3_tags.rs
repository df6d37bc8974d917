//! ID3 tags before the sound: pictures of any size, mostly.

use std::io;

use super::bytes;
use crate::MediaInput;

/// Tags in a row that are passed over, at most.
const MOST: u32 = 100;

/// Where the tags at the beginning of a file of `len` bytes end. One that claims more than there is is none.
pub(super) fn end(input: &dyn MediaInput, len: u64) -> io::Result<u64> {
    let mut at = 0;
    for _ in 0..MOST {
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
