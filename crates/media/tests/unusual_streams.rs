//! Recordings that change their format, are joined, pause, count wrongly, are cut, or are damaged at their ends. Expected
//! lengths and samples are those of the fixtures that they are made of.

#![allow(clippy::unwrap_used)] // a test may panic

use std::{fs, ops::Range, path::Path};

use prepare_audio_media::{AudioStream, Damage, DecodeOptions, DecoderChoice, MemoryInput};

/// Samples at 16 kHz in a window of the detector. Positions are right within one.
const WINDOW: usize = 512;

const SECOND: usize = 16_000;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)).unwrap()
}

/// Decodes to 16 kHz mono. Returns the error code of a file that cannot be opened.
fn open(name: &str, bytes: &[u8]) -> Result<(Vec<f32>, Damage), &'static str> {
    let input = MemoryInput::new(name, bytes.to_vec());
    let mut stream = AudioStream::open(&input, DecoderChoice::Symphonia, DecodeOptions::default())
        .map_err(|error| error.code().as_str())?;
    let mut samples = Vec::new();
    let consume = |block: &prepare_audio_media::AudioBlock| {
        samples.extend_from_slice(&block.analysis[0]);
        Ok(())
    };
    stream.for_each_block(SECOND, false, |error| error.code().as_str(), consume)?;
    Ok((samples, stream.damage()))
}

fn decode(name: &str, bytes: &[u8]) -> (Vec<f32>, Damage) {
    open(name, bytes).unwrap_or_else(|code| panic!("{name}: {code}"))
}

fn seconds(samples: &[f32]) -> f64 {
    samples.len() as f64 / SECOND as f64
}

/// Asserts that two signals have the same length, within a window, and no damage was found.
fn assert_undamaged(name: &str, (samples, damage): &(Vec<f32>, Damage), expected_s: f64) {
    let found = seconds(samples);
    assert!((found - expected_s).abs() < 0.032, "{name}: {found} s of {expected_s} s, {damage:?}");
    let is_whole = damage.gaps.is_empty() && !damage.truncated && damage.decode_errors + damage.skipped_bytes == 0;
    assert!(is_whole, "{name}: {damage:?}");
}

/// The largest correlation of `range` in both signals when one is shifted by up to a window.
fn correlation(a: &[f32], b: &[f32], range: Range<usize>) -> f64 {
    let product = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let one = &a[range.clone()];
    let shifted = |lag: usize| {
        let other = &b[range.start + lag - WINDOW..][..range.len()];
        product(one, other) / (product(one, one) * product(other, other)).sqrt()
    };
    (0..2 * WINDOW).map(shifted).fold(-1.0, f64::max)
}

/// The frames of a FLAC file, after its metadata.
fn flac_frames(bytes: &[u8]) -> &[u8] {
    let mut at = 4;
    loop {
        let (kind, len) = (bytes[at], u32::from_be_bytes([0, bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        at += 4 + len as usize;
        if kind & 0x80 != 0 {
            return &bytes[at..];
        }
    }
}

#[test]
fn flac_may_change_rate_channels_and_bit_depth() {
    let speech = fixture("long/speech.flac");
    let (alone, _) = decode("speech.flac", &speech);
    for (name, len_s) in
        [("formats/flac_s24_16k_mono.flac", 10_356.0 / 16e3), ("speech/flac_44k1_stereo.flac", 96_796.0 / 44.1e3)]
    {
        let other = fixture(name);
        for joined in [[&speech[..], flac_frames(&other)].concat(), [&speech[..], &other].concat()] {
            let decoded = decode(name, &joined);
            assert_undamaged(name, &decoded, seconds(&alone) + len_s);
            let (second, _) = decode(name, &other);
            let from = decoded.0.len() - second.len();
            let same = correlation(&decoded.0[from..], &second, WINDOW..second.len() - WINDOW);
            assert!(same > 0.99, "{name}: the second part has a correlation of {same}");
        }
    }
}

#[test]
fn mp3_may_change_rate_and_channels_and_be_joined() {
    let names = ["long/cbr.mp3", "speech/mp3_44k1_stereo.mp3", "long/no_header.mp3", "long/vbr.mp3"];
    for first in names {
        for second in names {
            let (one, other) = (fixture(first), fixture(second));
            let expected: f64 = [&one, &other].map(|bytes| seconds(&decode(first, bytes).0)).iter().sum();
            assert_undamaged(&format!("{first} and {second}"), &decode("joined.mp3", &[one, other].concat()), expected);
        }
    }
}

#[test]
fn adts_may_change_its_rate() {
    let bytes = fixture("long/speech.aac");
    let mut other = bytes.clone();
    let (mut at, mut frames) = (0, 0);
    while at < other.len() {
        let len =
            usize::from(other[at + 3] & 3) << 11 | usize::from(other[at + 4]) << 3 | usize::from(other[at + 5] >> 5);
        other[at + 2] = other[at + 2] & 0xC3 | 3 << 2; // 48 kHz, whose tables are those of 44.1 kHz
        (at, frames) = (at + len, frames + 1);
    }
    let expected = f64::from(frames) * 1024.0 * (1.0 / 44_100.0 + 1.0 / 48_000.0);
    assert_undamaged("ADTS", &decode("joined.aac", &[bytes, other].concat()), expected);
}

/// AAC in ADTS is one of the streams in a transport stream. It must not be read as a file of bare ADTS frames.
#[test]
fn a_transport_stream_is_not_bare_adts() {
    let aac = fixture("long/speech.aac");
    for frames_len in [900, 2_000, 5_000, 20_000] {
        let mut bytes = Vec::new();
        for (number, part) in aac.chunks(frames_len).enumerate() {
            let header = [&[0, 0, 1, 0xC0, 0, 0, 0x80, 0x80, 5][..], &[0x21, 0, 1, 0, 1]].concat();
            let pes = [&header[..], part].concat();
            for (n, payload) in pes.chunks(184).enumerate() {
                let stuffing = 184 - payload.len();
                let start = if n == 0 { 0x40 } else { 0 };
                let has_field = if stuffing > 0 { 0x30 } else { 0x10 };
                bytes.extend([0x47, start | 1, 0, has_field | (number + n) as u8 & 15]);
                if stuffing > 0 {
                    bytes.push(stuffing as u8 - 1);
                    bytes.extend([0, 0xFF].iter().chain(std::iter::repeat(&0xFF)).take(stuffing - 1));
                }
                bytes.extend(payload);
            }
        }
        assert_eq!(bytes.len() % 188, 0);
        assert_eq!(open("t.ts", &bytes).unwrap_err(), "unsupported_format", "PES packets of {frames_len} bytes");
        assert_eq!(open("t.ts", &bytes[100..]).unwrap_err(), "unsupported_format", "beginning within a packet");
    }
}

/// The pages of an Ogg file.
fn ogg_pages(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut pages, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let segments = usize::from(bytes[at + 26]);
        let body: usize = bytes[at + 27..at + 27 + segments].iter().map(|&len| usize::from(len)).sum();
        pages.push(&bytes[at..at + 27 + segments + body]);
        at += 27 + segments + body;
    }
    pages
}

/// The file with other granule positions: `granule` computes that of a page from the frames up to its end.
fn with_granules(bytes: &[u8], frames_of_a_packet: u64, granule: impl Fn(u64) -> u64) -> Vec<u8> {
    use ogg::{PacketReader, PacketWriteEndInfo, PacketWriter};
    let mut packets = Vec::new();
    let mut reader = PacketReader::new(std::io::Cursor::new(bytes));
    while let Some(packet) = reader.read_packet().unwrap() {
        packets.push(packet.data);
    }
    let mut out = Vec::new();
    let mut writer = PacketWriter::new(&mut out);
    let last = packets.len() - 1;
    for (number, packet) in packets.into_iter().enumerate() {
        let end = match number {
            _ if number == last => PacketWriteEndInfo::EndStream,
            0 | 1 => PacketWriteEndInfo::EndPage,
            _ if number % 40 == 0 => PacketWriteEndInfo::EndPage,
            _ => PacketWriteEndInfo::NormalPacket,
        };
        let frames = (number as u64).saturating_sub(1) * frames_of_a_packet;
        writer.write_packet(packet, 7, end, granule(frames)).unwrap();
    }
    out
}

/// Granule positions that count a third of the frames, or nothing: no frame is lost (prism-media #114, mediabunny #439).
#[test]
fn granule_positions_of_opus_may_count_too_little() {
    for (name, frames) in [("long/speech.opus", 960), ("long/opus_60ms.opus", 2_880)] {
        let bytes = fixture(name);
        let (whole, _) = decode(name, &bytes);
        for (kind, granule) in [("right", (|n| n) as fn(u64) -> u64), ("a third", |n| n / 3), ("zero", |_| 0)] {
            let (samples, damage) = decode(name, &with_granules(&bytes, frames, granule));
            let more = samples.len() as i64 - whole.len() as i64;
            assert!((0..SECOND as i64 / 8).contains(&more), "{name}, {kind}: {more} samples more");
            assert!(damage.gaps.is_empty() && !damage.truncated, "{name}, {kind}: {damage:?}");
            assert!(correlation(&whole, &samples, WINDOW..whole.len() - 2 * WINDOW) > 0.999, "{name}, {kind}");
        }
    }
}

/// Without the first page of audio, there is a gap at the beginning, and the encoder's delay is not removed a second time.
#[test]
fn the_first_page_of_audio_may_be_lost() {
    for (name, headers) in [("long/speech.opus", 2), ("long/opus_60ms.opus", 2), ("long/speech.oga", 2)] {
        let bytes = fixture(name);
        let (whole, _) = decode(name, &bytes);
        let mut pages = ogg_pages(&bytes);
        pages.remove(headers);
        let (samples, damage) = decode(name, &pages.concat());
        assert!(samples.len().abs_diff(whole.len()) < 16, "{name}: {} of {}", samples.len(), whole.len());
        assert!(damage.gaps.count() == 1 && damage.gaps.lost_s() > 0.5 && !damage.truncated, "{name}: {damage:?}");
        let gap = (damage.gaps.lost_s() * SECOND as f64) as usize;
        assert!(samples[..gap - WINDOW].iter().all(|sample| sample.abs() < 1e-4), "{name}: {damage:?}");
        let from = gap + SECOND / 2;
        let same = correlation(&whole, &samples, from..from + 2 * SECOND);
        assert!(same > 0.99, "{name}: a correlation of {same}");
    }
}

/// The file with the Clusters number 4 and 5 replaced by `Void` elements.
fn without_clusters(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut clusters = Vec::new();
    for at in 0..bytes.len() - 16 {
        if bytes[at..at + 4] == [0x1F, 0x43, 0xB6, 0x75] {
            let width = bytes[at + 4].leading_zeros() as usize + 1;
            let size = bytes[at + 4..at + 4 + width].iter().fold(0, |size, &byte| size << 8 | u64::from(byte));
            clusters.push((at, 4 + width + (size & ((1 << (7 * width)) - 1)) as usize));
        }
    }
    for &(at, len) in &clusters[4..6] {
        bytes[at] = 0xEC;
        bytes[at + 1..at + 9].copy_from_slice(&((len as u64 - 9) | 1 << 56).to_be_bytes());
    }
    bytes
}

/// The file with the fragments number 4 and 5 renamed to free space.
fn without_fragments(mut bytes: Vec<u8>) -> Vec<u8> {
    for name in [b"moof", b"mdat"] {
        let found: Vec<usize> = (0..bytes.len() - 4).filter(|&at| bytes[at..at + 4] == *name).collect();
        found[4..6].iter().for_each(|&at| bytes[at..at + 4].copy_from_slice(b"free"));
    }
    bytes
}

/// Recorders that pause leave a jump in the time stamps. It becomes silence (faster-whisper #128, bigbluebutton #25259).
#[test]
fn packets_may_pause() {
    let change: fn(Vec<u8>) -> Vec<u8> = without_clusters;
    for (name, change) in
        [("opus.mka", change), ("aac.mkv", change), ("vorbis.webm", change), ("fragmented.mp4", without_fragments)]
    {
        let bytes = fixture(&format!("long/{name}"));
        let (whole, _) = decode(name, &bytes);
        let (samples, damage) = decode(name, &change(bytes));
        assert!(
            samples.len().abs_diff(whole.len()) < WINDOW,
            "{name}: {} of {}, {damage:?}",
            samples.len(),
            whole.len()
        );
        let (count, lost) = (damage.gaps.count(), damage.gaps.lost_s());
        assert!(count == 1 && (1.5..2.5).contains(&lost), "{name}: {damage:?}");
        assert!(!damage.truncated && damage.skipped_bytes + damage.decode_errors == 0, "{name}: {damage:?}");
        let same = correlation(&whole, &samples, 8 * SECOND..12 * SECOND);
        assert!(same > 0.95, "{name}: a correlation of {same} after the pause");
    }
}

fn long() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/long");
    let mut names: Vec<_> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Whether a user learns of the damage.
fn is_reported(damage: &Damage) -> bool {
    damage.truncated || !damage.gaps.is_empty() || damage.decode_errors + damage.skipped_bytes > 0
}

#[test]
fn cut_files_keep_what_they_hold() {
    for name in long() {
        let bytes = fixture(&format!("long/{name}"));
        let (whole, _) = decode(&name, &bytes);
        let cut = &bytes[..bytes.len() * 6 / 10];
        if name == "alac.m4a" {
            assert_eq!(open(&name, cut).unwrap_err(), "unsupported_format", "its index is at its end");
            continue;
        }
        let (samples, damage) = decode(&name, cut);
        let share = samples.len() as f64 / whole.len() as f64;
        assert!(damage.truncated && damage.gaps.is_empty(), "{name}: {damage:?}");
        assert!((0.5..0.65).contains(&share), "{name}: {share} of its length");
        let same = correlation(&whole, &samples, WINDOW..samples.len() - SECOND / 2);
        assert!(same > 0.999, "{name}: a correlation of {same}");
    }
}

/// Noise over the last 3,000 bytes: what comes before them is unchanged, and the loss is reported.
#[test]
fn the_end_may_be_damaged() {
    for name in long() {
        let mut bytes = fixture(&format!("long/{name}"));
        let (whole, _) = decode(&name, &bytes);
        let from = bytes.len() - 3_000;
        let mut random = fastrand::Rng::with_seed(3);
        bytes[from..].fill_with(|| random.u8(..));
        if name == "alac.m4a" {
            assert_eq!(open(&name, &bytes).unwrap_err(), "unsupported_format", "its index is at its end");
            continue;
        }
        let (samples, damage) = decode(&name, &bytes);
        assert!(is_reported(&damage), "{name}: {damage:?}");
        assert!(
            samples.len() <= whole.len() + WINDOW && samples.len() > whole.len() - 2 * SECOND,
            "{name}: {damage:?}"
        );
        let same = correlation(&whole, &samples, WINDOW..whole.len() - 3 * SECOND);
        assert!(same > 0.999, "{name}: a correlation of {same}");
    }
}

/// Noise over 3,000 bytes of the first audio: the rest keeps its position. In bare MPEG frames the position is unknown, and
/// the skipped bytes are reported.
#[test]
fn the_beginning_may_be_damaged() {
    for name in long() {
        let mut bytes = fixture(&format!("long/{name}"));
        let (whole, _) = decode(&name, &bytes);
        let find = |mark: &[u8]| bytes.windows(mark.len()).position(|found| found == mark).unwrap() + mark.len();
        let from = match name.rsplit('.').next().unwrap() {
            "mka" | "mkv" | "webm" => find(&[0x1F, 0x43, 0xB6, 0x75]) + 16,
            "m4a" | "mp4" => find(b"mdat"),
            "opus" | "oga" | "ogg" => bytes.len() - ogg_pages(&bytes)[2..].concat().len() + 300,
            "flac" => bytes.len() - flac_frames(&bytes).len() + 100,
            _ => 0,
        };
        let mut random = fastrand::Rng::with_seed(4);
        bytes[from..from + 3_000].fill_with(|| random.u8(..));
        let (samples, damage) = decode(&name, &bytes);
        assert!(is_reported(&damage) && !damage.truncated, "{name}: {damage:?}");
        if from == 0 {
            assert!(damage.skipped_bytes >= 3_000 && whole.len() - samples.len() < SECOND, "{name}: {damage:?}");
            continue;
        }
        assert!(
            samples.len().abs_diff(whole.len()) < WINDOW,
            "{name}: {} of {}, {damage:?}",
            samples.len(),
            whole.len()
        );
        let same = correlation(&whole, &samples, 4 * SECOND..10 * SECOND);
        assert!(same > 0.95, "{name}: a correlation of {same}, {damage:?}");
    }
}
