//! Small files that claim what they do not hold, made here: what is wrong with each can be read in its making.

/// A WAV header of PCM, with any numbers, and `sound` after it.
pub fn wav(channels: u16, rate: u32, align: u16, bits: u16, data_len: u32, sound: &[u8]) -> Vec<u8> {
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
    let data = [&b"data"[..], &data_len.to_le_bytes(), sound].concat();
    let riff = data_len.saturating_add(36).to_le_bytes();
    [&b"RIFF"[..], &riff, b"WAVEfmt ", &format, &data].concat()
}

/// A CAF file of 16-bit samples whose description and length are as told.
pub fn caf(bytes_a_packet: u32, frames_a_packet: u32, data_len: i64, sound: &[u8]) -> Vec<u8> {
    let numbers = [0u32, bytes_a_packet, frames_a_packet, 1, 16].map(u32::to_be_bytes).concat();
    let description = [&32i64.to_be_bytes()[..], &8_000f64.to_be_bytes(), b"lpcm", &numbers].concat();
    [b"caff\0\x01\0\0desc", &description[..], b"data", &data_len.to_be_bytes(), &[0; 4], sound].concat()
}

/// A box of MP4.
pub fn framed(name: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&(content.len() as u32 + 8).to_be_bytes(), &name[..], &content].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// An MP4 file of 16-bit samples at 8 kHz, with the tables of its sound, and boxes after `moov`.
pub fn mp4(tables: &[Vec<u8>], extension: &[u8], after: &[u8]) -> Vec<u8> {
    let mut entry = [&[0; 6][..], &[0, 1], &[0; 8], &[0, 1, 0, 16], &[0; 4]].concat();
    entry.extend((8_000u32 << 16).to_be_bytes());
    let stsd = framed(b"stsd", &[&numbers(&[0, 1]), &framed(b"sowt", &[&entry])]);
    let stbl = framed(b"stbl", &[&stsd, &tables.concat()]);
    let dinf = framed(b"dinf", &[&framed(b"dref", &[&numbers(&[0, 1]), &framed(b"url ", &[&[0, 0, 0, 1]])])]);
    let minf = framed(b"minf", &[&framed(b"smhd", &[&[0; 8]]), &dinf, &stbl]);
    let mdhd = framed(b"mdhd", &[&numbers(&[0, 0, 0, 8_000, 8_000, 0x55C4_0000])]);
    let hdlr = framed(b"hdlr", &[&[0; 8], b"soun", &[0; 13]]);
    let mdia = framed(b"mdia", &[&mdhd, &hdlr, &minf]);
    let trak = framed(b"trak", &[&framed(b"tkhd", &[&numbers(&[7, 0, 0, 1, 0, 1_000]), &[0; 60]]), &mdia]);
    let mvhd = framed(b"mvhd", &[&numbers(&[0, 0, 0, 1_000, 1_000, 0x10000, 0x0100_0000]), &[0; 72]]);
    let moov = framed(b"moov", &[&mvhd, &trak, extension]);
    [framed(b"ftyp", &[b"M4A \0\0\0\0M4A isom"]), moov, after.to_vec()].concat()
}

/// The tables of MP4: how long samples last, how they lie in chunks, how large they are, and where the chunks are.
pub fn tables(stts: &[u32], stsc: &[u32], stsz: &[u32], stco: &[u32]) -> Vec<Vec<u8>> {
    [(b"stts", stts), (b"stsc", stsc), (b"stsz", stsz), (b"stco", stco)]
        .map(|(name, table)| framed(name, &[&[0; 4], &numbers(table)]))
        .into()
}

/// A fragment of MP4: a run of `count` samples with these flags and this table, and data.
pub fn fragment(flags: u32, count: u32, table: &[u32], data: &[u8]) -> Vec<u8> {
    let trun = framed(b"trun", &[&numbers(&[flags, count]), &numbers(table)]);
    let tfhd = framed(b"tfhd", &[&numbers(&[0x20_000, 1])]);
    let traf = framed(b"traf", &[&tfhd, &framed(b"tfdt", &[&[0; 8]]), &trun]);
    let moof = framed(b"moof", &[&framed(b"mfhd", &[&numbers(&[0, 1])]), &traf]);
    [moof, framed(b"mdat", &[data])].concat()
}

/// What says that a film comes in fragments whose samples are of that size, where they do not say more.
pub fn extension(size: u32) -> Vec<u8> {
    framed(b"mvex", &[&framed(b"trex", &[&numbers(&[0, 1, 1, 1, size, 0])])])
}

/// An element of Matroska; none for its length is one that nobody knows.
pub fn element(id: &[u8], len: Option<usize>, content: &[u8]) -> Vec<u8> {
    let len = len.map_or([0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], |len| (len as u64 | 1 << 56).to_be_bytes());
    [id, &len, content].concat()
}

/// A Matroska file of 16-bit samples at 8 kHz, its clusters as they are.
pub fn mkv(clusters: &[u8]) -> Vec<u8> {
    let whole = |id: &[u8], content: &[u8]| element(id, Some(content.len()), content);
    let sound = [whole(&[0xB5], &8_000f64.to_be_bytes()), whole(&[0x9F], &[1]), whole(&[0x62, 0x64], &[16])];
    let track = [
        whole(&[0xD7], &[1]),
        whole(&[0x73, 0xC5], &[1]),
        whole(&[0x83], &[2]),
        whole(&[0x86], b"A_PCM/INT/LIT"),
        whole(&[0xE1], &sound.concat()),
    ];
    let info = [
        whole(&[0x2A, 0xD7, 0xB1], &1_000_000u32.to_be_bytes()),
        whole(&[0x4D, 0x80], b"liar"),
        whole(&[0x57, 0x41], b"liar"),
    ];
    let info = whole(&[0x15, 0x49, 0xA9, 0x66], &info.concat());
    let tracks = whole(&[0x16, 0x54, 0xAE, 0x6B], &whole(&[0xAE], &track.concat()));
    let head = whole(&[0x1A, 0x45, 0xDF, 0xA3], &whole(&[0x42, 0x82], b"webm"));
    [head, element(&[0x18, 0x53, 0x80, 0x67], None, &[info, tracks, clusters.to_vec()].concat())].concat()
}

/// A page of Ogg with one packet; its sum is right.
pub fn page(flags: u8, serial: u32, number: u32, position: u64, packet: &[u8]) -> Vec<u8> {
    let mut table = vec![255; packet.len() / 255];
    table.push((packet.len() % 255) as u8);
    let head =
        [&b"OggS\0"[..], &[flags], &position.to_le_bytes(), &serial.to_le_bytes(), &number.to_le_bytes(), &[0; 4]];
    let mut page = [&head.concat()[..], &[table.len() as u8], &table, packet].concat();
    crate::support::ogg::fix_checksums(&mut page);
    page
}

/// The two heads of an Opus stream.
pub fn opus_heads(serial: u32) -> Vec<u8> {
    let head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
    let tags = b"OpusTags\0\0\0\0\0\0\0\0";
    [page(2, serial, 0, 0, head), page(0, serial, 1, 0, tags)].concat()
}

/// The head of FLAC with these sizes of blocks.
pub fn flac(least: u16, most: u16, frames: &[u8]) -> Vec<u8> {
    // 8 kHz, one channel, 16 bits, no length.
    let packed = 8_000u64 << 44 | 15 << 36;
    let info = [&least.to_be_bytes()[..], &most.to_be_bytes(), &[0; 6], &packed.to_be_bytes(), &[0; 16]].concat();
    [&b"fLaC\x80\0\0\x22"[..], &info, frames].concat()
}

/// The head of an ID3 tag that claims to be so long.
pub fn id3(len: u32) -> Vec<u8> {
    let len = [21, 14, 7, 0].map(|shift| (len >> shift) as u8 & 0x7F);
    [&b"ID3\x03\0\0"[..], &len].concat()
}
