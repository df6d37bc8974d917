use std::{fs, io::Cursor, path::PathBuf};

use symphonia::core::{
    errors::Error,
    formats::{FormatOptions, FormatReader, Track, probe::ProbeableFormat},
    io::MediaSourceStream,
    packet::Packet,
};
use symphonia::default::formats::{AdtsReader, MpaReader};

use super::{
    super::{sanitize::ByteOverrides, timeline::Timeline},
    MpegAudioReader,
};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// The bytes of a fixture, from the end of its tags on.
fn audio(name: &str) -> Vec<u8> {
    let start = ByteOverrides::of(&crate::LocalFile::new(fixture(name))).unwrap().start;
    fs::read(fixture(name)).unwrap().split_off(start as usize)
}

fn source(bytes: &[u8]) -> MediaSourceStream<'static> {
    MediaSourceStream::new(Box::new(Cursor::new(bytes.to_vec())), Default::default())
}

fn ours(bytes: &[u8]) -> Box<dyn FormatReader> {
    Box::new(MpegAudioReader::open(source(bytes), FormatOptions::default()).unwrap())
}

/// One part: the format of its track, and its packets.
#[derive(Debug, PartialEq)]
struct Part {
    rate: u32,
    channels: usize,
    packets: Vec<Fields>,
}

/// Time stamp, duration, both trims, and data.
type Fields = (i64, u64, u64, u64, Box<[u8]>);

fn part(track: &Track) -> Part {
    let params = track.codec_params.as_ref().unwrap().audio().unwrap();
    let channels = params.channels.as_ref().map_or(0, |channels| channels.count());
    Part { rate: params.sample_rate.unwrap(), channels, packets: Vec::new() }
}

fn fields(packet: Packet) -> Fields {
    let Packet { pts, dur, trim_start, trim_end, data, .. } = packet;
    (pts.get(), dur.get(), trim_start.get(), trim_end.get(), data)
}

fn parts(mut reader: Box<dyn FormatReader>) -> Vec<Part> {
    let mut parts = vec![part(&reader.tracks()[0])];
    loop {
        match reader.next_packet() {
            Ok(Some(packet)) => parts.last_mut().unwrap().packets.push(fields(packet)),
            Err(Error::ResetRequired) => parts.push(part(&reader.tracks()[0])),
            Ok(None) => return parts,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The time stamp of each packet of `bytes`, which have one part.
fn places(bytes: &[u8]) -> Vec<(i64, Box<[u8]>)> {
    let mut parts = parts(ours(bytes));
    assert_eq!(parts.len(), 1);
    parts.remove(0).packets.into_iter().map(|(pts, .., data)| (pts, data)).collect()
}

const FILES: [&str; 7] = [
    "speech/mp3_44k1_stereo.mp3",
    "formats/mp3_cbr_no_header.mp3",
    "formats/mp3_mpeg25_8k.mp3",
    "formats/mp3_mpeg2_22k.mp3",
    "formats/mp3_vbr.mp3",
    "formats/mp2_48k.mp2",
    "formats/aac_adts_44k.aac",
];

#[test]
fn undamaged_files_give_the_packets_that_symphonia_gives() {
    for name in FILES {
        let bytes = audio(name);
        let options = FormatOptions::default();
        let theirs = if name.ends_with("aac") {
            AdtsReader::try_probe_new(source(&bytes), options)
        } else {
            MpaReader::try_probe_new(source(&bytes), options)
        };
        let (mut theirs, ours) = (theirs.unwrap(), ours(&bytes));
        let (track, own) = (theirs.tracks()[0].clone(), ours.tracks()[0].clone());
        assert_eq!(theirs.format_info().short_name, ours.format_info().short_name);
        assert_eq!(format!("{:?}", own.codec_params), format!("{:?}", track.codec_params), "{name}");
        assert_eq!((own.delay, own.padding), (track.delay, track.padding), "{name}");
        assert_eq!((own.time_base, own.id), (track.time_base, track.id), "{name}");
        if track.delay.is_some() {
            assert_eq!(own.num_frames, track.num_frames, "{name}");
        } else {
            let (own, theirs) = (own.num_frames.unwrap() as f64, track.num_frames.unwrap() as f64);
            assert!((own / theirs - 1.0).abs() < 0.1, "{name}: {own} and {theirs}, both estimates");
        }
        let params = track.codec_params.as_ref().unwrap().audio().unwrap().clone();
        let timeline =
            Timeline::of(&track, &params, theirs.format_info().short_name, &crate::LocalFile::new(fixture(name)));
        let mut expected = part(&track);
        while let Some(mut packet) = theirs.next_packet().unwrap() {
            timeline.mend(&mut packet);
            expected.packets.push(fields(packet));
        }
        assert!(parts(ours) == [expected], "{name}");
    }
}

/// Overwrites `len` bytes at `at` with noise.
fn overwrite(bytes: &mut [u8], at: usize, len: usize) {
    let mut random = fastrand::Rng::with_seed(at as u64);
    bytes[at..at + len].iter_mut().for_each(|byte| *byte = random.u8(..));
}

/// The largest distance, in samples, of an undamaged packet from its position in the whole file, and the number of lost
/// packets.
fn displacement(name: &str, damaged: &[u8]) -> (u64, usize) {
    let (whole, rest) = (places(&audio(name)), places(damaged));
    let mut largest = 0;
    let mut same = 0;
    for (pts, data) in &rest {
        // Packets of silence may be equal.
        if let Some(nearest) =
            whole.iter().filter(|(_, other)| other == data).map(|(place, _)| pts.abs_diff(*place)).min()
        {
            largest = largest.max(nearest);
            same += 1;
        }
    }
    (largest, whole.len() - same)
}

/// Exact with a constant bitrate or a Xing header. Without either, the packets around a gap give an estimate; this ADTS file
/// has few of them.
#[test]
fn positions_after_damage_are_kept() {
    for (name, allowed) in FILES.iter().zip([0, 0, 0, 0, 0, 0, 4096]) {
        let bytes = audio(name);
        for part in 1..5 {
            for len in [1, 10, 300, 3_000, 8_000] {
                let (mut damaged, at) = (bytes.clone(), bytes.len() * part / 5);
                let end = (at + len).min(bytes.len() - 1_000);
                if at < 700 || end <= at {
                    continue; // within the Xing header or the last frames
                }
                overwrite(&mut damaged, at, end - at);
                let (largest, gone) = displacement(name, &damaged);
                assert!(
                    gone < 70 && largest <= allowed,
                    "{name}, {len} bytes at {at} of {}: {largest} samples",
                    bytes.len()
                );
            }
        }
    }
}

/// A second recording after the first, and a change of rate or channels: both are read as each is alone.
#[test]
fn another_recording_is_another_part() {
    for (first, second) in [
        ("speech/mp3_44k1_stereo.mp3", "formats/mp3_vbr.mp3"),
        ("speech/mp3_44k1_stereo.mp3", "speech/mp3_44k1_stereo.mp3"),
        ("formats/mp3_mpeg2_22k.mp3", "speech/mp3_44k1_stereo.mp3"),
        ("formats/mp3_cbr_no_header.mp3", "formats/mp3_mpeg25_8k.mp3"),
        ("formats/mp2_48k.mp2", "formats/mp3_cbr_no_header.mp3"),
    ] {
        let read = |name| fs::read(fixture(name)).unwrap();
        let joined = [audio(first), vec![0; 128], read(second)].concat();
        let mut tagged = audio(first);
        tagged.extend(b"TAG");
        tagged.resize(tagged.len() + 125, b' ');
        tagged.extend(read(second));
        let alone = || [first, second].map(|name| parts(ours(&audio(name))).remove(0));
        assert!(parts(ours(&tagged)) == alone(), "{first} and {second}");
        let joined = parts(ours(&joined));
        let counts = |parts: &[Part]| parts.iter().map(|part| part.packets.len()).collect::<Vec<_>>();
        assert_eq!(counts(&joined), counts(&alone()), "{first}, zeros, and {second}");
    }
}

/// A header with another rate and one channel is what an encoder writes whose settings are changed.
#[test]
fn adts_may_change_its_format() {
    let bytes = audio("formats/aac_adts_44k.aac");
    let mut other = bytes.clone();
    let mut at = 0;
    while at + 7 <= other.len() {
        let header = super::adts::parse(&other[at..]).unwrap();
        other[at + 2] = other[at + 2] & 0xC2 | 6 << 2; // 24 kHz
        other[at + 3] = other[at + 3] & 0x3F | 1 << 6;
        at += header.len;
    }
    let joined = parts(ours(&[&bytes[..], &other, &bytes].concat()));
    let all = joined.iter().map(|part| (part.rate, part.channels, part.packets.len())).collect::<Vec<_>>();
    let count = parts(ours(&bytes))[0].packets.len();
    assert_eq!(all, [(44_100, joined[0].channels, count), (24_000, 1, count), (44_100, joined[0].channels, count)]);
    // One or two frames of another format are damage.
    let header = super::adts::parse(&other).unwrap();
    let odd = [&bytes[..], &other[..header.len], &bytes].concat();
    let places = places(&odd);
    assert_eq!(places.len(), 2 * count);
    assert!(places[count].0 > places[count - 1].0);
}

/// A frame whose header claims a larger length does not hide the frames after it.
#[test]
fn a_damaged_header_loses_only_its_own_frame() {
    let bytes = audio("formats/mp3_cbr_no_header.mp3");
    let whole = places(&bytes);
    let at = whole[..9].iter().map(|(_, data)| data.len()).sum::<usize>();
    for bitrate in 1..15_u8 {
        let mut damaged = bytes.clone();
        damaged[at + 2] = damaged[at + 2] & 0x0F | bitrate << 4;
        let found = places(&damaged);
        let same = found.iter().filter(|packet| whole.contains(packet)).count();
        assert!(same + 1 >= whole.len(), "bitrate {bitrate}: {same} of {}", whole.len());
    }
}

/// Noise does not lead to time stamps that go back, or to more packets than bytes allow.
#[test]
fn noise_is_read_to_its_end() {
    let mut random = fastrand::Rng::with_seed(3);
    for name in FILES {
        let bytes = audio(name);
        for _ in 0..40 {
            let mut noise = bytes.clone();
            for _ in 0..random.usize(1..200) {
                let at = random.usize(..noise.len());
                noise[at] = random.choice(*b"\xFF\xFB\xF1ID3A\0\x7FT").unwrap();
            }
            noise.truncate(random.usize(1..=noise.len()));
            let Ok(mut reader) = MpegAudioReader::open(source(&noise), FormatOptions::default()) else { continue };
            let mut last = i64::MIN;
            let mut packets = 0;
            while let Ok(Some(packet)) = reader.next_packet() {
                assert!(packet.pts.get() > last);
                last = packet.pts.get();
                packets += 1;
            }
            assert!(packets <= noise.len() / 7);
        }
    }
}
