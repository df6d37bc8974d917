//! Ogg: pages with valid checksums, of one stream or of several in a chain.

use super::{Numbers, plain::stream_info};
use crate::ogg;

/// A page with one packet.
fn page(n: &mut Numbers, flags: u8, number: u32, packet: &[u8]) -> Vec<u8> {
    let position = n.number(u64::from(number) * 960);
    let packet = &packet[..packet.len().min(254 * 255)];
    let mut table = vec![255; packet.len() / 255];
    table.push((packet.len() % 255) as u8);
    let head = [&b"OggS\0"[..], &[flags], &position.to_le_bytes(), &7u32.to_le_bytes(), &number.to_le_bytes(), &[0; 4]];
    [&head.concat()[..], &[table.len() as u8], &table, packet].concat()
}

/// Chained streams of headers and packets, until the bytes are used up.
fn chain(n: &mut Numbers, heads: impl Fn(&mut Numbers) -> Vec<Vec<u8>>) -> Vec<u8> {
    let mut file = Vec::new();
    for _ in 0..=n.byte() % 4 {
        let mut number = 0;
        for head in heads(n) {
            file.extend(page(n, if number == 0 { 2 } else { 0 }, number, &head));
            number += 1;
        }
        for _ in 0..n.byte() % 8 {
            let packet = n.bytes(255);
            let flags = n.one_of(&[0, 0, 4, 1]);
            file.extend(page(n, flags, number, packet));
            number += 1;
        }
    }
    ogg::fix_checksums(&mut file);
    file
}

/// The Opus header in Ogg.
pub fn opus_head(n: &mut Numbers) -> Vec<u8> {
    let mut head = b"OpusHead".to_vec();
    head.extend([n.number(1) as u8, n.number(2) as u8]);
    head.extend((n.number(312) as u16).to_le_bytes());
    head.extend((n.number(48_000) as u32).to_le_bytes());
    head.extend((n.number(0) as u16).to_le_bytes());
    head.push(n.one_of(&[0, 1, 255]));
    head.extend(n.bytes(20));
    head
}

pub fn opus(n: &mut Numbers) -> Vec<u8> {
    chain(n, |n| vec![opus_head(n), b"OpusTags\0\0\0\0\0\0\0\0".to_vec()])
}

pub fn vorbis(n: &mut Numbers) -> Vec<u8> {
    chain(n, |n| {
        let mut head = b"\x01vorbis\0\0\0\0".to_vec();
        head.push(n.number(2) as u8);
        head.extend((n.number(44_100) as u32).to_le_bytes());
        head.extend([0; 12]);
        head.extend([n.number(0xB8) as u8, 1]);
        let setup = [b"\x05vorbis", n.bytes(255)].concat();
        vec![head, b"\x03vorbis\0\0\0\0\0\0\0\0\x01".to_vec(), setup]
    })
}

pub fn flac(n: &mut Numbers) -> Vec<u8> {
    chain(n, |n| {
        let head = [b"\x7FFLAC\x01\0\0\0fLaC\0\0\0\x22", &stream_info(n)[..]].concat();
        vec![head, b"\x84\0\0\x08\0\0\0\0\0\0\0\0".to_vec()]
    })
}
