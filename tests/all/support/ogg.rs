//! The sums of Ogg pages (RFC 3533), put right after a page was changed: a reader passes over pages whose sum is wrong, and
//! what was changed would never be looked at.

/// A page's head before its table of segments.
const HEAD: usize = 27;

/// Puts right the sum of each page that is whole, where `bytes` are Ogg.
pub fn fix_checksums(bytes: &mut [u8]) {
    if !bytes.starts_with(b"OggS") {
        return;
    }
    let mut at = 0;
    while let Some(page) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match length(page) {
            Some(len) => {
                page[22..26].fill(0);
                let sum = sum(&page[..len]);
                page[22..26].copy_from_slice(&sum.to_le_bytes());
                at += len;
            }
            None => at += 1,
        }
    }
}

/// How long the page is that begins here, if one does and is whole.
fn length(bytes: &[u8]) -> Option<usize> {
    let head = bytes.get(..HEAD).filter(|head| head.starts_with(b"OggS"))?;
    let table = bytes.get(HEAD..HEAD + usize::from(head[26]))?;
    let len = HEAD + table.len() + table.iter().map(|&len| usize::from(len)).sum::<usize>();
    (len <= bytes.len()).then_some(len)
}

/// CRC-32 with the polynomial 0x04c11db7, high bit first, from 0.
pub fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, &byte| sum << 8 ^ TABLE[usize::from((sum >> 24) as u8 ^ byte)])
}

/// The sum of each byte.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = ((byte as u32) << 24, 0);
        while bit < 8 {
            sum = sum << 1 ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};
