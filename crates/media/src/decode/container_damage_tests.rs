//! Compares the packets of damaged and cut Matroska and MP4 files with those of the whole files.

use std::{collections::HashSet, path::Path};

use symphonia::core::formats::TrackType;

use super::{Decoder, DecoderChoice, find_ffmpeg, open::open_container};

/// Time and content of a packet.
type Read = (i64, Vec<u8>);

/// The audio packets in `bytes`, and whether they ended with an error.
fn packets(bytes: &[u8]) -> (Vec<Read>, bool) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    packets_of(file.path())
}

fn packets_of(path: &Path) -> (Vec<Read>, bool) {
    let mut reader = open_container(&crate::LocalFile::new(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let track = reader.first_track(TrackType::Audio).unwrap().id;
    let mut packets = Vec::new();
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) if packet.track_id == track => packets.push((packet.pts.get(), packet.data.into())),
            Ok(Some(_)) => {}
            Ok(None) => return (packets, false),
            Err(_) => return (packets, true),
        }
    }
}

/// Overwrites `len` bytes at `at` with noise.
fn damage(bytes: &mut [u8], at: usize, len: usize) {
    let mut state = 7u32;
    for byte in bytes.iter_mut().skip(at).take(len) {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7FFF_FFFF;
        *byte = (state >> 16) as u8;
    }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)).unwrap()
}

/// Packets of `whole` that `damaged` lacks, and packets that are only in `damaged`.
fn differences(whole: &[Read], damaged: &[Read]) -> (usize, usize) {
    let (all, left): (HashSet<&Read>, HashSet<&Read>) = (whole.iter().collect(), damaged.iter().collect());
    (all.difference(&left).count(), left.difference(&all).count())
}

/// Segment of unknown size, with the header of a fixture and ten Clusters of 40 blocks of 25 ms.
fn matroska(with_sizes: bool) -> Vec<u8> {
    let fixture = fixture("formats/opus.mkv");
    let find = |id: [u8; 4]| fixture.windows(4).rposition(|bytes| bytes == id).unwrap();
    let (segment, info) = (find([0x18, 0x53, 0x80, 0x67]), find([0x15, 0x49, 0xA9, 0x66]));
    let cluster = fixture.windows(4).position(|bytes| bytes == [0x1F, 0x43, 0xB6, 0x75]).unwrap();
    let unknown = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
    let mut bytes = [&fixture[..segment + 4], &unknown, &fixture[info..cluster]].concat();
    for number in 0..10u16 {
        let mut content = vec![0xE7, 0x82];
        content.extend((number * 1000).to_be_bytes());
        for block in 0..40u16 {
            content.extend([0xA3, 0x40, 104, 0x81]);
            content.extend((block * 25).to_be_bytes());
            content.push(0x80);
            content.extend((0..100).map(|n: u16| (number * 7 + block * 13 + n) as u8 | 0x40));
        }
        bytes.extend([0x1F, 0x43, 0xB6, 0x75]);
        match with_sizes {
            true => bytes.extend((content.len() as u64 | 1 << 56).to_be_bytes()),
            false => bytes.extend(unknown),
        }
        bytes.extend(content);
    }
    bytes
}

#[test]
fn matroska_continues_after_damage() {
    for with_sizes in [true, false] {
        let bytes = matroska(with_sizes);
        let (whole, failed) = packets(&bytes);
        assert_eq!((whole.len(), failed), (400, false));
        let start = bytes.windows(4).position(|bytes| bytes == [0x1F, 0x43, 0xB6, 0x75]).unwrap();
        for (n, len) in [(0, 12), (1, 40), (2, 200), (3, 900)] {
            for at in (start..bytes.len() - 6_000).step_by(977) {
                let mut damaged = bytes.clone();
                damage(&mut damaged, at + n, len);
                let (left, failed) = packets(&damaged);
                let (missing, _) = differences(&whole, &left);
                // A damaged time stamp of a Cluster that stays between its neighbours is not detectable.
                let is_known =
                    |packet: &Read| whole.iter().any(|of| of.1 == packet.1 && (of.0 - packet.0).abs() < 1_000);
                let unknown = left.iter().filter(|packet| !is_known(packet)).count();
                assert!(!failed, "{len} bytes at {at}");
                assert!(unknown <= 1, "{unknown} unknown packets from {len} damaged bytes at {at}");
                // If the header of a Cluster is lost, its blocks have no time.
                assert!(missing <= 80, "{missing} packets lost by {len} bytes at {at}");
            }
        }
    }
}

#[test]
fn several_damaged_places_of_a_matroska_file_are_skipped() {
    let mut bytes = matroska(true);
    let (whole, _) = packets(&bytes);
    let start = bytes.windows(4).position(|bytes| bytes == [0x1F, 0x43, 0xB6, 0x75]).unwrap();
    for cluster in [0, 3, 4, 8] {
        damage(&mut bytes, start + cluster * 4_336 + 1_500, 300);
    }
    let (left, failed) = packets(&bytes);
    let (missing, unknown) = differences(&whole, &left);
    assert!(!failed && missing <= 4 * 6 && unknown <= 4, "{missing} lost, {unknown} unknown");
}

/// A time stamp out of order would insert hours of silence before the Cluster.
#[test]
fn a_damaged_time_stamp_of_a_cluster_is_ignored() {
    let mut bytes = matroska(true);
    let at = bytes.windows(4).position(|bytes| bytes == [0xE7, 0x82, 0x0F, 0xA0]).unwrap();
    bytes[at + 2] = 0xFF;
    let (left, failed) = packets(&bytes);
    assert_eq!((left.len(), failed), (360, false));
    assert!(left.iter().all(|(time, _)| *time < 10_000));
}

#[test]
fn a_cut_matroska_file_ends_with_an_error() {
    let bytes = matroska(true);
    let (left, failed) = packets(&bytes[..bytes.len() - 2_000]);
    assert!(failed && (375..400).contains(&left.len()), "{} packets", left.len());
}

#[test]
fn undamaged_files_are_read_without_an_error() {
    for name in ["opus.mkv", "opus.webm", "vorbis.webm", "aac_in_mkv.mkv", "film_opus.mkv", "aac_fragmented.mp4"] {
        let (left, failed) = packets(&fixture(&format!("formats/{name}")));
        assert!(!failed && !left.is_empty(), "{name}");
    }
}

/// Where a top-level box of `name` begins, the first one at `from` or later.
fn find(bytes: &[u8], name: &[u8; 4], from: usize) -> usize {
    bytes[from..].windows(4).position(|found| found == name).unwrap() + from - 4
}

/// The file with its index in front, as `-movflags +faststart` writes it.
fn faststart(bytes: &[u8]) -> Vec<u8> {
    let (data, movie) = (find(bytes, b"mdat", 0), find(bytes, b"moov", 0));
    assert!(data < movie, "the index of the fixture is at its end");
    let end = movie + u32::from_be_bytes(bytes[movie..movie + 4].try_into().unwrap()) as usize;
    let mut moov = bytes[movie..end].to_vec();
    let mut at = 0;
    while let Some(found) = moov[at..].windows(4).position(|name| name == b"stco") {
        at += found + 8;
        let count = u32::from_be_bytes(moov[at..at + 4].try_into().unwrap()) as usize;
        for entry in moov[at + 4..at + 4 + 4 * count].chunks_mut(4) {
            let place = u32::from_be_bytes(entry.try_into().unwrap()) + (end - movie) as u32;
            entry.copy_from_slice(&place.to_be_bytes());
        }
    }
    [&bytes[..data], &moov, &bytes[data..movie]].concat()
}

#[test]
fn a_cut_mp4_is_read_until_the_cut() {
    let bytes = faststart(&fixture("formats/film_aac.mp4"));
    let (whole, failed) = packets(&bytes);
    assert!(!failed && whole.len() > 20);
    let data = find(&bytes, b"mdat", 0);
    let mut last = 0;
    for percent in [20, 50, 80, 99] {
        let cut = data + (bytes.len() - data) * percent / 100;
        let (left, failed) = packets(&bytes[..cut]);
        assert!(failed && whole.starts_with(&left), "cut at {percent}%");
        assert!(left.len() >= last && left.len() < whole.len());
        last = left.len();
    }
    assert!(last > whole.len() * 8 / 10);
}

/// A file of five fragments, each a copy of the fixture's that is `step` ticks later.
fn fragments(step: u64) -> Vec<u8> {
    let fixture = fixture("formats/aac_fragmented.mp4");
    let (from, end) = (find(&fixture, b"moof", 0), find(&fixture, b"mfra", 0));
    let mut fragment = fixture[from..end].to_vec();
    let place = |name: &[u8; 4]| fixture[from..].windows(4).position(|found| found == name).unwrap();
    let (base, time) = (place(b"tfhd") + 12, place(b"tfdt") + 8);
    let mut bytes = fixture[..from].to_vec();
    for number in 0..5 {
        let at = bytes.len() as u64;
        fragment[base..base + 8].copy_from_slice(&at.to_be_bytes());
        fragment[time..time + 8].copy_from_slice(&(number * step).to_be_bytes());
        bytes.extend(&fragment);
    }
    bytes
}

/// Five fragments that follow each other.
fn fragmented() -> Vec<u8> {
    let times = packets(&fragments(0)).0;
    fragments(times[times.len() / 5].0 as u64)
}

#[test]
fn a_cut_fragment_is_used() {
    let bytes = fragmented();
    let (whole, _) = packets(&bytes);
    let data = bytes.windows(4).rposition(|name| name == b"mdat").unwrap() - 4;
    let fragment = bytes.windows(4).rposition(|name| name == b"moof").unwrap() - 4;
    let len = u32::from_be_bytes(bytes[data..data + 4].try_into().unwrap()) as usize;
    let (half, failed) = packets(&bytes[..data + len / 2]);
    assert!(failed && whole.starts_with(&half));
    let (none, failed) = packets(&bytes[..data]);
    assert!(failed && none.len() < half.len(), "a fragment without its data");
    assert_eq!(packets(&bytes[..fragment + 20]), (none, true), "within a fragment's table");
}

/// The fragments after a damaged one keep their times.
#[test]
fn a_damaged_fragment_is_skipped() {
    let bytes = fragmented();
    let (whole, _) = packets(&bytes);
    let second = find(&bytes, b"moof", find(&bytes, b"moof", 0) + 8);
    let mut damaged = bytes.clone();
    damage(&mut damaged, second - 20, 220);
    let (left, failed) = packets(&damaged);
    let (missing, unknown) = differences(&whole, &left);
    assert!(!failed && left.last() == whole.last());
    // The last packets of the previous fragment have 6 bytes each.
    assert!(missing > 0 && unknown <= 5 && missing < whole.len() / 2, "{missing} lost, {unknown} unknown");
}

#[test]
fn boxes_beside_the_audio_may_be_damaged() {
    let bytes = fixture("formats/film_aac.mp4");
    let (whole, _) = packets(&bytes);
    let (data, movie) = (find(&bytes, b"mdat", 0), find(&bytes, b"moov", 0));
    let tags = find(&bytes, b"udta", movie);
    let length = |at: usize, len: u32| {
        let mut changed = bytes.clone();
        changed[at..at + 4].copy_from_slice(&len.to_be_bytes());
        changed
    };
    assert_eq!(packets(&length(data, 0x7FFF_FFFF)), (whole.clone(), false), "data beyond the end, the index after it");
    assert_eq!(packets(&length(data, 3)), (whole.clone(), false), "data of no length");
    assert_eq!(packets(&length(tags, 3)), (whole.clone(), false), "tags of no length");
    assert_eq!(packets(&length(tags, 0x7FFF_FFFF)), (whole.clone(), false), "tags beyond the end");
    let mut changed = bytes.clone();
    damage(&mut changed, data - 8, 16);
    assert_eq!(packets(&changed), (whole, false), "free space and the data's header");
}

#[test]
fn encrypted_audio_is_refused() {
    let bytes = fixture("formats/film_aac.mp4");
    let entry = bytes.windows(4).position(|name| name == b"mp4a").unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    for name in [b"enca", b"drms", b"aavd"] {
        let mut changed = bytes.clone();
        changed[entry..entry + 4].copy_from_slice(name);
        std::fs::write(file.path(), changed).unwrap();
        for choice in [DecoderChoice::Auto, DecoderChoice::Symphonia, DecoderChoice::Ffmpeg] {
            let error = Decoder::open(&crate::LocalFile::new(file.path()), choice).err().map(|error| error.code().as_str());
            let expected =
                if choice == DecoderChoice::Ffmpeg && find_ffmpeg().is_none() { "ffmpeg_error" } else { "encrypted" };
            assert_eq!(error, Some(expected));
        }
    }
}
