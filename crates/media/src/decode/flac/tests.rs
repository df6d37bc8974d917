//! Frames of whole, damaged and joined files. Expected positions are those of the undamaged file.

use std::{io::Cursor, path::Path};

use symphonia::core::{
    errors::Error,
    formats::{FormatOptions, FormatReader},
    io::MediaSourceStream,
    packet::Packet,
};

use super::FlacReader;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)).unwrap()
}

fn stream(bytes: &[u8]) -> MediaSourceStream<'static> {
    MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default())
}

/// Packets of one part: position, samples and bytes.
type Part = Vec<(i64, u64, Vec<u8>)>;

fn read(reader: &mut dyn FormatReader) -> (Vec<Part>, bool) {
    let mut parts = vec![Vec::new()];
    loop {
        match reader.next_packet() {
            Ok(Some(Packet { pts, dur, data, .. })) => {
                parts.last_mut().unwrap().push((pts.get(), dur.get(), data.to_vec()));
            }
            Ok(None) => return (parts, true),
            Err(Error::ResetRequired) => parts.push(Vec::new()),
            Err(_) => return (parts, false),
        }
    }
}

fn parts(bytes: &[u8]) -> Vec<Part> {
    read(&mut FlacReader::try_new(stream(bytes), FormatOptions::default()).unwrap()).0
}

fn formats(bytes: &[u8]) -> Vec<(u32, usize)> {
    let mut reader = FlacReader::try_new(stream(bytes), FormatOptions::default()).unwrap();
    let mut formats = Vec::new();
    loop {
        let params = reader.tracks()[0].codec_params.as_ref().unwrap().audio().unwrap().clone();
        formats.push((params.sample_rate.unwrap(), params.channels.unwrap().count()));
        while let Ok(Some(_)) = reader.next_packet() {}
        let Some(more) = reader.tracks().first() else { return formats };
        let more = more.codec_params.as_ref().unwrap().audio().unwrap();
        if formats.last() == Some(&(more.sample_rate.unwrap(), more.channels.as_ref().unwrap().count())) {
            return formats;
        }
    }
}

const FILES: [&str; 4] = [
    "speech/flac_44k1_stereo.flac",
    "speech/flac_48k_stereo.flac",
    "formats/flac_s24_16k_mono.flac",
    "truncated/cut_in_the_middle.flac",
];

#[test]
fn undamaged_files_give_the_packets_that_symphonia_gives() {
    for name in FILES {
        let bytes = fixture(name);
        let mut ours = FlacReader::try_new(stream(&bytes), FormatOptions::default()).unwrap();
        let mut theirs =
            symphonia::default::formats::FlacReader::try_new(stream(&bytes), FormatOptions::default()).unwrap();
        assert_eq!(ours.tracks()[0].num_frames, theirs.tracks()[0].num_frames);
        let params = |reader: &dyn FormatReader| {
            let track = reader.tracks()[0].clone();
            assert!(track.time_base.is_some());
            let params = track.codec_params.unwrap().audio().unwrap().clone();
            (params.extra_data, params.sample_rate, params.channels, params.bits_per_sample)
        };
        assert_eq!(params(&ours), params(&theirs));
        let (ours, theirs) = (read(&mut ours), read(&mut theirs));
        assert!(ours == theirs, "{name}");
    }
}

/// A frame is lost if a byte of it is overwritten, and no other frame is.
#[test]
fn damage_costs_the_frames_that_it_hits() {
    let mut random = fastrand::Rng::with_seed(1);
    for name in &FILES[..3] {
        let whole = fixture(name);
        let frames = parts(&whole).remove(0);
        let lengths: usize = frames.iter().map(|(_, _, data)| data.len()).sum();
        let first = whole.len() - lengths;
        for round in 0..60 {
            let at = random.usize(first..whole.len());
            let end = (at + [1, 30, 1_000, 8_000][round % 4]).min(whole.len());
            let mut bytes = whole.clone();
            match round % 4 {
                0 => bytes[at] ^= 1 << random.u8(0..8),
                _ => bytes[at..end].fill_with(|| random.u8(..)),
            }
            let mut begin = first;
            let intact = |data: &Vec<u8>| {
                let frame = begin..begin + data.len();
                begin = frame.end;
                bytes[frame.clone()] == whole[frame]
            };
            let hit: Vec<bool> = frames.iter().map(|(_, _, data)| data).map(intact).collect();
            let expected: Part =
                frames.iter().zip(hit).filter(|(_, is_intact)| *is_intact).map(|(f, _)| f.clone()).collect();
            if expected.is_empty() {
                continue;
            }
            assert!(parts(&bytes) == [expected], "{name}, {at}..{end}");
        }
    }
}

#[test]
fn missing_bytes_are_a_jump() {
    let whole = fixture(FILES[0]);
    let frames = parts(&whole).remove(0);
    let (from, to) = (whole.len() / 3, whole.len() / 2);
    let bytes = [&whole[..from], &whole[to..]].concat();
    let left = parts(&bytes).remove(0);
    assert!(left.len() < frames.len() - 2);
    assert!(left.iter().all(|frame| frames.contains(frame)));
    assert_eq!(left.last(), frames.last());
}

#[test]
fn two_files_are_two_parts() {
    let (one, other) = (fixture(FILES[2]), fixture(FILES[0]));
    let joined = [&one[..], &other].concat();
    assert!(parts(&joined) == [parts(&one), parts(&other)].concat());
    assert_eq!(formats(&joined), [(16_000, 1), (44_100, 2)]);
    let between = [&one[..], &[7; 500], b"ID3", &other, &[0; 128]].concat();
    assert!(parts(&between) == [parts(&one), parts(&other)].concat(), "with other bytes between and after them");
}

/// The frames of one file after those of another, without a stream header between them.
#[test]
fn a_change_of_format_begins_a_part() {
    let (one, other) = (fixture(FILES[2]), fixture(FILES[0]));
    let frames = parts(&other).remove(0);
    let headless: Vec<u8> = frames.iter().flat_map(|(_, _, data)| data.clone()).collect();
    let joined = [&one[..], &headless].concat();
    assert!(parts(&joined) == [parts(&one).remove(0), frames]);
    assert_eq!(formats(&joined), [(16_000, 1), (44_100, 2)]);
}

/// The format of the first frame is used, and STREAMINFO may leave the block lengths open (Symphonia #554).
#[test]
fn a_wrong_stream_info_is_corrected() {
    let whole = fixture(FILES[0]);
    let frames = parts(&whole);
    for (at, bytes) in [(8, &[0, 0][..]), (8, &[0, 0, 0, 0]), (8, &[0, 16, 0, 16]), (12, &[0, 9, 9, 0, 0, 1])] {
        let mut changed = whole.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        let got = parts(&changed);
        assert!(got == frames, "{at}, {bytes:?}, {:?}", got.iter().map(|part| part.len()).collect::<Vec<_>>());
    }
    let mut mono = whole.clone();
    mono[20] &= !0x0E;
    assert!(parts(&mono) == frames);
    assert_eq!(formats(&mono), [(44_100, 2)]);
}

#[test]
fn hostile_files_end_soon() {
    let whole = fixture(FILES[1]);
    let first = whole.len() - parts(&whole)[0].iter().map(|(_, _, data)| data.len()).sum::<usize>();
    let header = &whole[first..first + super::frame_header::FrameHeader::read(&whole[first..]).unwrap().len];
    let start = std::time::Instant::now();
    let heads = [&whole[..], &header.repeat(200_000)].concat();
    assert_eq!(parts(&heads).len(), 1);
    let streams = [&whole[..], &whole[..42].repeat(20_000)].concat();
    assert!(parts(&streams).len() > 1_000);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..20) {
            let at = random.usize(0..bytes.len());
            bytes[at] = random.u8(..);
        }
        bytes.truncate(random.usize(0..=whole.len()));
        if let Ok(mut reader) = FlacReader::try_new(stream(&bytes), FormatOptions::default()) {
            read(&mut reader);
        }
    }
}
