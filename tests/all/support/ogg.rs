//! Corrects the checksums of changed Ogg pages (RFC 3533). A reader skips pages with a wrong checksum, so it would never
//! parse what a test changed.

/// Length of a page's header before its segment table.
const HEADER: usize = 27;

/// Corrects the checksum of each complete page if `bytes` are an Ogg file.
pub fn fix_checksums(bytes: &mut [u8]) {
    if !bytes.starts_with(b"OggS") {
        return;
    }
    let mut at = 0;
    while let Some(page) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
        match length(page) {
            Some(len) => {
                page[22..26].fill(0);
                let checksum = checksum(&page[..len]);
                page[22..26].copy_from_slice(&checksum.to_le_bytes());
                at += len;
            }
            None => at += 1,
        }
    }
}

/// The length of the page at the start of `bytes`; `None` if there is no complete page.
fn length(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..HEADER).filter(|header| header.starts_with(b"OggS"))?;
    let table = bytes.get(HEADER..HEADER + usize::from(header[26]))?;
    let len = HEADER + table.len() + table.iter().map(|&len| usize::from(len)).sum::<usize>();
    (len <= bytes.len()).then_some(len)
}

/// CRC-32 with the polynomial 0x04c11db7, most significant bit first, initial value 0.
pub fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, &byte| sum << 8 ^ TABLE[usize::from((sum >> 24) as u8 ^ byte)])
}

/// The checksum of each byte.
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
