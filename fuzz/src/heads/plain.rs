//! Containers of chunks: WAV, AIFF, CAF, FLAC.

use super::Numbers;

fn riff(name: &[u8; 4], len: u64, content: &[u8]) -> Vec<u8> {
    [&name[..], &(len as u32).to_le_bytes(), content].concat()
}

pub fn wav(n: &mut Numbers) -> Vec<u8> {
    let tag = n.one_of(&[1u16, 3, 2, 6, 7, 0x11, 0xFFFE, 0x55, 0]);
    let (channels, rate) = (n.number(2) as u16, n.number(8_000) as u32);
    let (bytes_a_second, align) = (n.number(32_000) as u32, n.number(4) as u16);
    let bits = n.one_of(&[16u16, 8, 24, 32, 64, 4, 0, 65_535]);
    let extra = n.bytes(40);
    let format = [
        &tag.to_le_bytes()[..],
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &bytes_a_second.to_le_bytes(),
        &align.to_le_bytes(),
        &bits.to_le_bytes(),
        &(extra.len() as u16).to_le_bytes(),
        extra,
    ]
    .concat();
    let format_len = n.number(format.len() as u64);
    let fact = (n.number(0) as u32).to_le_bytes();
    let data_len = n.number(n.0.len() as u64);
    let data = riff(b"data", data_len, n.rest());
    let body = [&b"WAVE"[..], &riff(b"fmt ", format_len, &format), &riff(b"fact", 4, &fact), &data].concat();
    riff(b"RIFF", body.len() as u64, &body)
}

fn iff(name: &[u8; 4], len: u64, content: &[u8]) -> Vec<u8> {
    [&name[..], &(len as u32).to_be_bytes(), content].concat()
}

pub fn aiff(n: &mut Numbers) -> Vec<u8> {
    let compressed = n.byte() & 1 == 1;
    let (channels, frames) = (n.number(2) as u16, n.number(1_000) as u32);
    let bits = n.one_of(&[16u16, 8, 24, 32, 64, 4, 0, 65_535]);
    // A rate of eighty bits: 8,000 Hz, or whatever.
    let rate = if n.byte() < 128 { [0x40, 0x0B, 0xFA, 0, 0, 0, 0, 0, 0, 0] } else { n.take::<10>() };
    let mut common = [&channels.to_be_bytes()[..], &frames.to_be_bytes(), &bits.to_be_bytes(), &rate].concat();
    if compressed {
        common.extend(n.one_of(&[b"NONE", b"sowt", b"fl32", b"fl64", b"ulaw", b"alaw", b"ima4", b"in24"]));
        common.extend([0, 0]);
    }
    let common_len = n.number(common.len() as u64);
    let place = [(n.number(0) as u32).to_be_bytes(), (n.number(0) as u32).to_be_bytes()].concat();
    let data_len = n.number(n.0.len() as u64 + 8);
    let sound = iff(b"SSND", data_len, &[&place, n.rest()].concat());
    let kind = if compressed { b"AIFC" } else { b"AIFF" };
    let body = [&kind[..], &iff(b"COMM", common_len, &common), &sound].concat();
    iff(b"FORM", body.len() as u64, &body)
}

fn caf_chunk(name: &[u8; 4], len: u64, content: &[u8]) -> Vec<u8> {
    [&name[..], &len.to_be_bytes(), content].concat()
}

pub fn caf(n: &mut Numbers) -> Vec<u8> {
    let rate = if n.byte() < 128 { 8_000.0 } else { f64::from_be_bytes(n.take()) };
    let codec = n.one_of(&[b"lpcm", b"alac", b"aac ", b"ima4", b"ulaw", b"alaw", b"opus", b"flac", b".mp3"]);
    let mut description = [&rate.to_be_bytes()[..], codec].concat();
    for usual in [2, 4, 1, 2, 16] {
        description.extend((n.number(usual) as u32).to_be_bytes());
    }
    let cookie = n.bytes(48);
    let cookie = if cookie.is_empty() { vec![] } else { caf_chunk(b"kuki", n.number(cookie.len() as u64), cookie) };
    let mut table = Vec::new();
    if n.byte() & 1 == 1 {
        let counts = [n.number(4), n.number(1_000)];
        table.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
        table.extend((n.number(0) as u32).to_be_bytes());
        table.extend((n.number(0) as u32).to_be_bytes());
        table.extend(n.bytes(32));
        table = caf_chunk(b"pakt", n.number(table.len() as u64), &table);
    }
    let layout = n.bytes(24);
    let layout = if layout.is_empty() { vec![] } else { caf_chunk(b"chan", n.number(layout.len() as u64), layout) };
    let data_len = n.number(n.0.len() as u64 + 4);
    let data = caf_chunk(b"data", data_len, &[&[0; 4], n.rest()].concat());
    let description = caf_chunk(b"desc", 32, &description);
    [b"caff\0\x01\0\0", &description[..], &cookie, &table, &layout, &data].concat()
}

/// The metadata block STREAMINFO with any values, and its length.
pub fn stream_info(n: &mut Numbers) -> Vec<u8> {
    let blocks = [n.number(4_096) as u16, n.number(4_096) as u16].map(u16::to_be_bytes).concat();
    let (rate, channels, bits) = (n.number(44_100) & 0xF_FFFF, n.number(1) & 7, n.number(15) & 31);
    let frames = n.number(0) & 0xF_FFFF_FFFF;
    let packed = rate << 44 | channels << 41 | bits << 36 | frames;
    [&blocks[..], &[0; 6], &packed.to_be_bytes(), &[0; 16]].concat()
}

pub fn flac(n: &mut Numbers) -> Vec<u8> {
    let info = stream_info(n);
    let (kind, block) = (n.byte() & 0x7F, n.bytes(64));
    let len = (n.number(block.len() as u64) as u32).to_be_bytes();
    let more = [&[kind | 0x80][..], &len[1..], block].concat();
    [&b"fLaC\0\0\0\x22"[..], &info, &more, n.rest()].concat()
}
