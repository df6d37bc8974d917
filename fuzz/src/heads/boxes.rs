//! MP4 with its tables and edit list, and Matroska.

use super::{Numbers, plain::stream_info, streams::opus_head};

fn framed(name: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&(content.len() as u32 + 8).to_be_bytes(), &name[..], &content].concat()
}

fn numbers(numbers: &[u64]) -> Vec<u8> {
    numbers.iter().flat_map(|&n| (n as u32).to_be_bytes()).collect()
}

/// A sample description with the box of its codec.
fn description(n: &mut Numbers) -> Vec<u8> {
    let (name, own) = match n.byte() % 6 {
        0 => (b"mp4a", esds(n)),
        1 => (b"Opus", framed(b"dOps", &[&opus_head(n)[8..]])),
        2 => (b"fLaC", framed(b"dfLa", &[&[0, 0, 0, 0, 0x80, 0, 0, 0x22], &stream_info(n)])),
        3 => (b"alac", framed(b"alac", &[&[0; 4], n.bytes(48)])),
        4 => (b"sowt", vec![]),
        _ => (b".mp3", vec![]),
    };
    let version = n.one_of(&[0u16, 0, 1, 2]);
    let (channels, bits, rate) = (n.number(2) as u16, n.number(16) as u16, n.number(44_100) as u32);
    let mut head = [&[0; 6][..], &[0, 1], &version.to_be_bytes(), &[0; 6]].concat();
    head.extend([channels, bits].iter().flat_map(|number| number.to_be_bytes()));
    head.extend([&[0; 4][..], &(rate << 16).to_be_bytes()].concat());
    match version {
        1 => head.extend(numbers(&[n.number(1_024), n.number(4), n.number(4), n.number(2)])),
        2 => {
            head.extend(72u32.to_be_bytes());
            head.extend(if n.byte() < 128 { 44_100f64.to_be_bytes() } else { n.take() });
            head.extend(numbers(&[n.number(2), 0x7F00_0000, n.number(16), n.number(12), n.number(4), n.number(1)]));
        }
        _ => {}
    }
    framed(b"stsd", &[&numbers(&[0, 1]), &framed(name, &[&head, &own])])
}

/// The configuration of AAC in its descriptors.
fn esds(n: &mut Numbers) -> Vec<u8> {
    let config = if n.byte() < 64 { &[0x12, 0x10][..] } else { n.bytes(24) };
    let own = [&[5, n.number(config.len() as u64) as u8 & 0x7F], config].concat();
    let kind = n.one_of(&[0x40, 0x66, 0x67, 0x69, 0x6B]);
    let decoder = [&[kind, 0x15][..], &[0; 11], &own].concat();
    let decoder = [&[4, decoder.len() as u8 & 0x7F], &decoder[..]].concat();
    let all = [&[0, 1, 0][..], &decoder, &[6, 1, 2]].concat();
    framed(b"esds", &[&[0; 4], &[3, all.len() as u8 & 0x7F], &all])
}

/// The movie box, with these tables.
fn movie(n: &mut Numbers, tables: &[u8], extension: &[u8]) -> Vec<u8> {
    let (scale, rate) = (n.number(1_000), n.number(44_100));
    let handler = framed(b"hdlr", &[&[0; 8], b"soun", &[0; 13]]);
    let stbl = framed(b"stbl", &[&description(n), tables]);
    let smhd = framed(b"smhd", &[&[0; 8]]);
    let reference = framed(b"dref", &[&numbers(&[0, 1]), &framed(b"url ", &[&[0, 0, 0, 1]])]);
    let dinf = framed(b"dinf", &[&reference]);
    let minf = framed(b"minf", &[&smhd, &dinf, &stbl]);
    let mdhd = framed(b"mdhd", &[&numbers(&[0, 0, 0, rate, n.number(44_100), 0x55C4_0000])]);
    let mdia = framed(b"mdia", &[&mdhd, &handler, &minf]);
    let tkhd = framed(b"tkhd", &[&numbers(&[7, 0, 0, 1, 0, n.number(1_000)]), &[0; 60]]);
    let edits = [0, n.number(2), n.number(1_000), n.number(u64::MAX), 0x10000, n.number(900), n.number(1_024), 0x10000];
    let edts = framed(b"edts", &[&framed(b"elst", &[&numbers(&edits)])]);
    let trak = framed(b"trak", &[&tkhd, &edts, &mdia]);
    let mvhd = framed(b"mvhd", &[&numbers(&[0, 0, 0, scale, n.number(1_000), 0x10000, 0x0100_0000]), &[0; 72]]);
    framed(b"moov", &[&mvhd, &trak, extension])
}

pub fn mp4(n: &mut Numbers) -> Vec<u8> {
    let stts = framed(b"stts", &[&numbers(&[0, n.number(1), n.number(8), n.number(1_024)])]);
    let stsc = framed(b"stsc", &[&numbers(&[0, n.number(1), n.number(1), n.number(8), n.number(1)])]);
    let sizes = [n.number(0), n.number(8)];
    let table: Vec<u64> = (0..8).map(|_| n.number(16)).collect();
    let stsz = framed(b"stsz", &[&[0; 4], &numbers(&sizes), &numbers(&table)]);
    let places: Vec<u64> = (0..n.byte() % 8).map(|_| n.number(36)).collect();
    let stco = framed(b"stco", &[&numbers(&[0, n.number(places.len() as u64)]), &numbers(&places)]);
    let moov = movie(n, &[stts, stsc, stsz, stco].concat(), &[]);
    [framed(b"ftyp", &[b"M4A \0\0\0\0M4A isom"]), framed(b"mdat", &[n.rest()]), moov].concat()
}

/// Fragmented MP4.
pub fn fragments(n: &mut Numbers) -> Vec<u8> {
    let empty = |name: &[u8; 4], len: usize| framed(name, &[&vec![0; len]]);
    let tables = [empty(b"stts", 8), empty(b"stsc", 8), empty(b"stsz", 12), empty(b"stco", 8)].concat();
    let trex = framed(b"trex", &[&numbers(&[0, 1, 1, n.number(1_024), n.number(16), 0])]);
    let moov = movie(n, &tables, &framed(b"mvex", &[&trex]));
    let mut file = [framed(b"ftyp", &[b"M4A \0\0\0\0M4A isom"]), moov].concat();
    for number in 0..n.byte() % 4 {
        let flags = n.one_of(&[0u64, 1, 0x100, 0x200, 0x300, 0x201, 0x4, 0xF00]);
        let run: Vec<u64> =
            [flags, n.number(4), n.number(100)].into_iter().chain((0..8).map(|_| n.number(16))).collect();
        let tfhd =
            framed(b"tfhd", &[&numbers(&[n.one_of(&[0u64, 0x20_000, 0x10, 0x18]), 1, n.number(1_024), n.number(16)])]);
        let tfdt = framed(b"tfdt", &[&numbers(&[0, n.number(0)])]);
        let traf = framed(b"traf", &[&tfhd, &tfdt, &framed(b"trun", &[&numbers(&run)])]);
        let mfhd = framed(b"mfhd", &[&numbers(&[0, n.number(u64::from(number) + 1)])]);
        file.extend(framed(b"moof", &[&mfhd, &traf]));
        file.extend(framed(b"mdat", &[n.bytes(255)]));
    }
    file
}

/// An element with a length of eight bytes, or of unknown length.
fn element(id: &[u8], len: u64, content: &[u8]) -> Vec<u8> {
    let len = if len == u64::MAX { u64::MAX } else { len & 0x00FF_FFFF_FFFF_FFFF };
    [id, &((len & 0x00FF_FFFF_FFFF_FFFF) | 0x0100_0000_0000_0000).to_be_bytes(), content].concat()
}

pub fn mkv(n: &mut Numbers) -> Vec<u8> {
    let whole = |id: &[u8], content: &[u8]| element(id, content.len() as u64, content);
    let head = whole(&[0x1A, 0x45, 0xDF, 0xA3], &whole(&[0x42, 0x82], b"webm"));
    let scale = n.number(1_000_000).to_be_bytes();
    let info = [whole(&[0x2A, 0xD7, 0xB1], &scale), whole(&[0x4D, 0x80], b"fuzz"), whole(&[0x57, 0x41], b"fuzz")];
    let info = whole(&[0x15, 0x49, 0xA9, 0x66], &info.concat());
    let codec: &[u8] = n.one_of(&[&b"A_OPUS"[..], b"A_VORBIS", b"A_FLAC", b"A_AAC", b"A_PCM/INT/LIT", b"A_MPEG/L3"]);
    let rate = if n.byte() < 128 { 48_000f64.to_be_bytes() } else { n.take() };
    let sound = [
        whole(&[0xB5], &rate),
        whole(&[0x9F], &n.number(2).to_be_bytes()),
        whole(&[0x62, 0x64], &n.number(16).to_be_bytes()),
    ];
    let private = match n.byte() % 4 {
        0 => opus_head(n),
        1 => [&b"fLaC\x80\0\0\x22"[..], &stream_info(n)].concat(),
        _ => n.bytes(255).to_vec(),
    };
    let track = [
        whole(&[0xD7], &n.number(1).to_be_bytes()),
        whole(&[0x73, 0xC5], &[1]),
        whole(&[0x83], &[2]),
        whole(&[0x86], codec),
        whole(&[0x56, 0xAA], &n.number(6_500_000).to_be_bytes()),
        whole(&[0x23, 0xE3, 0x83], &n.number(20_000_000).to_be_bytes()),
        whole(&[0xE1], &sound.concat()),
        whole(&[0x63, 0xA2], &private),
    ];
    let tracks = whole(&[0x16, 0x54, 0xAE, 0x6B], &whole(&[0xAE], &track.concat()));
    let mut clusters = Vec::new();
    for _ in 0..n.byte() % 4 {
        let mut blocks = whole(&[0xE7], &n.number(0).to_be_bytes());
        for _ in 0..n.byte() % 4 {
            let lacing = n.one_of(&[0, 2, 4, 6]);
            let block = [&[0x81, 0, n.byte(), lacing], n.bytes(255)].concat();
            if n.byte() & 1 == 0 {
                blocks.extend(whole(&[0xA3], &block));
            } else {
                let padding = whole(&[0x75, 0xA2], &n.number(13_000_000).to_be_bytes());
                blocks.extend(whole(&[0xA0], &[whole(&[0xA1], &block), padding].concat()));
            }
        }
        clusters.extend(element(&[0x1F, 0x43, 0xB6, 0x75], n.number(blocks.len() as u64), &blocks));
    }
    let body = [info, tracks, clusters].concat();
    [head, element(&[0x18, 0x53, 0x80, 0x67], n.number(body.len() as u64), &body)].concat()
}
