//! Writes small files with arbitrary values in their headers, for the tests of hostile files.

/// A WAV header for PCM with these values, and `audio` after it.
pub fn wav(channels: u16, rate: u32, align: u16, bits: u16, data_len: u32, audio: &[u8]) -> Vec<u8> {
    let format = [
        &16u32.to_le_bytes()[..],
        &1u16.to_le_bytes(),
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &rate.wrapping_mul(align.into()).to_le_bytes(),
        &align.to_le_bytes(),
        &bits.to_le_bytes(),
    ]
    .concat();
    let data = [&b"data"[..], &data_len.to_le_bytes(), audio].concat();
    let riff = data_len.saturating_add(36).to_le_bytes();
    [&b"RIFF"[..], &riff, b"WAVEfmt ", &format, &data].concat()
}

/// A CAF file of 16-bit samples with these values in its description and length.
pub fn caf(bytes_per_packet: u32, frames_per_packet: u32, data_len: i64, audio: &[u8]) -> Vec<u8> {
    let numbers = [0u32, bytes_per_packet, frames_per_packet, 1, 16].map(u32::to_be_bytes).concat();
    let description = [&32i64.to_be_bytes()[..], &8_000f64.to_be_bytes(), b"lpcm", &numbers].concat();
    [b"caff\0\x01\0\0desc", &description[..], b"data", &data_len.to_be_bytes(), &[0; 4], audio].concat()
}

/// A box of an MP4 file.
pub fn mp4_box(name: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&(content.len() as u32 + 8).to_be_bytes(), &name[..], &content].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// An MP4 file of 16-bit samples at 8 kHz, with these sample tables, the box `mvex`, and these boxes after `moov`.
pub fn mp4(tables: &[Vec<u8>], mvex: &[u8], after: &[u8]) -> Vec<u8> {
    let mut entry = [&[0; 6][..], &[0, 1], &[0; 8], &[0, 1, 0, 16], &[0; 4]].concat();
    entry.extend((8_000u32 << 16).to_be_bytes());
    let stsd = mp4_box(b"stsd", &[&numbers(&[0, 1]), &mp4_box(b"sowt", &[&entry])]);
    let stbl = mp4_box(b"stbl", &[&stsd, &tables.concat()]);
    let dinf = mp4_box(b"dinf", &[&mp4_box(b"dref", &[&numbers(&[0, 1]), &mp4_box(b"url ", &[&[0, 0, 0, 1]])])]);
    let minf = mp4_box(b"minf", &[&mp4_box(b"smhd", &[&[0; 8]]), &dinf, &stbl]);
    let mdhd = mp4_box(b"mdhd", &[&numbers(&[0, 0, 0, 8_000, 8_000, 0x55C4_0000])]);
    let hdlr = mp4_box(b"hdlr", &[&[0; 8], b"soun", &[0; 13]]);
    let mdia = mp4_box(b"mdia", &[&mdhd, &hdlr, &minf]);
    let trak = mp4_box(b"trak", &[&mp4_box(b"tkhd", &[&numbers(&[7, 0, 0, 1, 0, 1_000]), &[0; 60]]), &mdia]);
    let mvhd = mp4_box(b"mvhd", &[&numbers(&[0, 0, 0, 1_000, 1_000, 0x10000, 0x0100_0000]), &[0; 72]]);
    let moov = mp4_box(b"moov", &[&mvhd, &trak, mvex]);
    [mp4_box(b"ftyp", &[b"M4A \0\0\0\0M4A isom"]), moov, after.to_vec()].concat()
}

/// The sample tables of an MP4 file: durations, samples per chunk, sizes, and offsets of chunks.
pub fn tables(stts: &[u32], stsc: &[u32], stsz: &[u32], stco: &[u32]) -> Vec<Vec<u8>> {
    [(b"stts", stts), (b"stsc", stsc), (b"stsz", stsz), (b"stco", stco)]
        .map(|(name, table)| mp4_box(name, &[&[0; 4], &numbers(table)]))
        .into()
}

/// A movie fragment of an MP4 file: a run of `count` samples with these flags and this table, and its data.
pub fn fragment(flags: u32, count: u32, table: &[u32], data: &[u8]) -> Vec<u8> {
    let trun = mp4_box(b"trun", &[&numbers(&[flags, count]), &numbers(table)]);
    let tfhd = mp4_box(b"tfhd", &[&numbers(&[0x20_000, 1])]);
    let traf = mp4_box(b"traf", &[&tfhd, &mp4_box(b"tfdt", &[&[0; 8]]), &trun]);
    let moof = mp4_box(b"moof", &[&mp4_box(b"mfhd", &[&numbers(&[0, 1])]), &traf]);
    [moof, mp4_box(b"mdat", &[data])].concat()
}

/// The box `mvex`, which announces movie fragments and sets the default size of their samples.
pub fn mvex(size: u32) -> Vec<u8> {
    mp4_box(b"mvex", &[&mp4_box(b"trex", &[&numbers(&[0, 1, 1, 1, size, 0])])])
}

/// An element of a Matroska file. `None` writes an unknown length.
pub fn element(id: &[u8], len: Option<usize>, content: &[u8]) -> Vec<u8> {
    let len = len.map_or([0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], |len| (len as u64 | 1 << 56).to_be_bytes());
    [id, &len, content].concat()
}

/// A Matroska file of 16-bit samples at 8 kHz with these clusters.
pub fn mkv(clusters: &[u8]) -> Vec<u8> {
    let whole = |id: &[u8], content: &[u8]| element(id, Some(content.len()), content);
    let audio = [whole(&[0xB5], &8_000f64.to_be_bytes()), whole(&[0x9F], &[1]), whole(&[0x62, 0x64], &[16])];
    let track = [
        whole(&[0xD7], &[1]),
        whole(&[0x73, 0xC5], &[1]),
        whole(&[0x83], &[2]),
        whole(&[0x86], b"A_PCM/INT/LIT"),
        whole(&[0xE1], &audio.concat()),
    ];
    let info = [
        whole(&[0x2A, 0xD7, 0xB1], &1_000_000u32.to_be_bytes()),
        whole(&[0x4D, 0x80], b"test"),
        whole(&[0x57, 0x41], b"test"),
    ];
    let info = whole(&[0x15, 0x49, 0xA9, 0x66], &info.concat());
    let tracks = whole(&[0x16, 0x54, 0xAE, 0x6B], &whole(&[0xAE], &track.concat()));
    let head = whole(&[0x1A, 0x45, 0xDF, 0xA3], &whole(&[0x42, 0x82], b"webm"));
    [head, element(&[0x18, 0x53, 0x80, 0x67], None, &[info, tracks, clusters.to_vec()].concat())].concat()
}

/// An Ogg page with one packet and a correct checksum.
pub fn page(flags: u8, serial: u32, number: u32, position: u64, packet: &[u8]) -> Vec<u8> {
    let mut table = vec![255; packet.len() / 255];
    table.push((packet.len() % 255) as u8);
    let head =
        [&b"OggS\0"[..], &[flags], &position.to_le_bytes(), &serial.to_le_bytes(), &number.to_le_bytes(), &[0; 4]];
    let mut page = [&head.concat()[..], &[table.len() as u8], &table, packet].concat();
    crate::support::ogg::fix_checksums(&mut page);
    page
}

/// The two header packets of an Opus stream.
pub fn opus_headers(serial: u32) -> Vec<u8> {
    let head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
    let tags = b"OpusTags\0\0\0\0\0\0\0\0";
    [page(2, serial, 0, 0, head), page(0, serial, 1, 0, tags)].concat()
}

/// A FLAC file with these minimum and maximum block sizes in its header.
pub fn flac(min_block: u16, max_block: u16, frames: &[u8]) -> Vec<u8> {
    // 8 kHz, one channel, 16 bits, unknown length.
    let packed = 8_000u64 << 44 | 15 << 36;
    let info =
        [&min_block.to_be_bytes()[..], &max_block.to_be_bytes(), &[0; 6], &packed.to_be_bytes(), &[0; 16]].concat();
    [&b"fLaC\x80\0\0\x22"[..], &info, frames].concat()
}

/// The header of an ID3 tag with this length.
pub fn id3(len: u32) -> Vec<u8> {
    let len = [21, 14, 7, 0].map(|shift| (len >> shift) as u8 & 0x7F);
    [&b"ID3\x03\0\0"[..], &len].concat()
}
