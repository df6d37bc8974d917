//! MP4 files as encoders and editors write them, made from fixtures. The edit lists and delays are checked against slices of the
//! whole decode; what ffmpeg decodes of the same files, in frames, is noted where it differs from them by a part of a packet.

#![allow(clippy::unwrap_used)] // a test may panic

use std::{fs, path::Path};

use prepare_audio_media::{AudioError, Damage, Decoder, DecoderChoice, MemoryInput, SourceInfo};

/// Frames in a packet of AAC.
const PACKET: usize = 1_024;

/// The sample rate of the fixture, Hz.
const RATE: usize = 44_100;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)).unwrap()
}

/// A recording of stereo AAC with the movie after the data.
fn aac() -> Mp4 {
    Mp4(fixture("speech/aac_44k1_stereo.m4a"))
}

fn try_decode(bytes: &[u8]) -> Result<(Vec<f32>, SourceInfo, Damage), AudioError> {
    let mut decoder = Decoder::open(&MemoryInput::new("recording.m4a", bytes), DecoderChoice::Symphonia)?;
    let mut mix = Vec::new();
    while let Some(block) = decoder.next_block()? {
        mix.extend(block.samples().chunks_exact(block.channels()).map(|frame| frame.iter().sum::<f32>()));
    }
    Ok((mix, decoder.info().clone(), decoder.damage()))
}

/// The sum of the channels of a recording that is not damaged.
fn decode(mp4: &Mp4) -> Vec<f32> {
    let (samples, _, damage) = try_decode(&mp4.0).unwrap();
    assert!(!damage.truncated && damage.decode_errors == 0 && damage.gaps.is_empty(), "{damage:?}");
    samples
}

/// A file, whose boxes can be changed.
#[derive(Clone)]
struct Mp4(Vec<u8>);

fn number(bytes: &[u8]) -> usize {
    u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize
}

fn framed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes()[..], name, content].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

impl Mp4 {
    /// The offsets of the first box at each step of `path`.
    fn find(&self, path: &[&[u8; 4]]) -> Option<Vec<usize>> {
        let (mut at, mut end, mut found) = (0, self.0.len(), Vec::new());
        for name in path {
            while at + 8 <= end && &self.0[at + 4..at + 8] != *name {
                at += number(&self.0[at..]);
            }
            if at + 8 > end {
                return None;
            }
            found.push(at);
            end = at + number(&self.0[at..]);
            at += 8;
        }
        Some(found)
    }

    fn hide(mut self, path: &[&[u8; 4]]) -> Self {
        if let Some(found) = self.find(path) {
            let at = found.last().unwrap() + 4;
            self.0[at..at + 4].copy_from_slice(b"free");
        }
        self
    }

    /// Inserts `content` at `at`, within the boxes at `parents`. The data lie before.
    fn insert(mut self, parents: &[usize], at: usize, content: &[u8]) -> Self {
        for parent in parents {
            let len = number(&self.0[*parent..]) + content.len();
            self.0[*parent..parent + 4].copy_from_slice(&(len as u32).to_be_bytes());
        }
        self.0.splice(at..at, content.iter().copied());
        self
    }

    /// Replaces the edit list: durations in milliseconds, and starts in frames.
    fn with_edits(self, edits: &[(u32, i32)]) -> Self {
        let entries: Vec<u32> = edits.iter().flat_map(|&(duration, start)| [duration, start as u32, 0x10000]).collect();
        let list = framed(b"elst", &[numbers(&[0, edits.len() as u32]), numbers(&entries)].concat());
        let movie = self.hide(&[b"moov", b"trak", b"edts"]);
        let media = movie.find(&[b"moov", b"trak", b"mdia"]).unwrap();
        movie.insert(&media[..2], media[2], &framed(b"edts", &list))
    }

    /// Replaces the tags by one that declares a delay of the encoder, after the tracks or before them.
    fn with_itunes_delay(self, frames: u32, before_tracks: bool) -> Self {
        let text = format!(" 00000000 {frames:08X} 000001CA 00000000003F31F6");
        let value = [
            framed(b"mean", b"\0\0\0\0com.apple.iTunes"),
            framed(b"name", b"\0\0\0\0iTunSMPB"),
            framed(b"data", &[b"\0\0\0\x01\0\0\0\0", text.as_bytes()].concat()),
        ];
        let handler = framed(b"hdlr", b"\0\0\0\0\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0");
        let list = framed(b"ilst", &framed(b"----", &value.concat()));
        let tags = framed(b"udta", &framed(b"meta", &[&[0; 4], &handler[..], &list].concat()));
        let movie = self.hide(&[b"moov", b"udta"]);
        let tracks = movie.find(&[b"moov", b"trak"]).unwrap();
        let at = if before_tracks { tracks[1] } else { movie.0.len() };
        movie.insert(&tracks[..1], at, &tags)
    }

    /// The same with the movie before the data.
    fn with_movie_in_front(self) -> Self {
        let (movie, data) = (self.find(&[b"moov"]).unwrap()[0], self.find(&[b"mdat"]).unwrap()[0]);
        let len = number(&self.0[movie..]);
        let table = self.find(&[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco"]).unwrap()[5];
        let mut bytes = self.0;
        for entry in 0..number(&bytes[table + 12..]) {
            let at = table + 16 + 4 * entry;
            let place = (number(&bytes[at..]) + len) as u32;
            bytes[at..at + 4].copy_from_slice(&place.to_be_bytes());
        }
        Self([&bytes[..data], &bytes[movie..movie + len], &bytes[data..movie], &bytes[movie + len..]].concat())
    }

    fn with_len(mut self, name: &[u8; 4], len: u32) -> Self {
        let at = self.find(&[name]).unwrap()[0];
        self.0[at..at + 4].copy_from_slice(&len.to_be_bytes());
        self
    }
}

/// All packets, the encoder's delay included.
fn whole() -> Vec<f32> {
    decode(&aac().hide(&[b"moov", b"trak", b"edts"]))
}

#[test]
fn the_delay_that_itunes_declares_is_skipped() {
    let whole = whole();
    for frames in [1_024, 2_112, 2_624] {
        let mp4 = aac().hide(&[b"moov", b"trak", b"edts"]).with_itunes_delay(frames, false);
        assert!(decode(&mp4) == whole[frames as usize..], "{frames}");
        // It goes before the edit list.
        let mp4 = aac().with_edits(&[(60_000, 1_024)]).with_itunes_delay(frames, false);
        assert!(decode(&mp4) == whole[frames as usize..], "{frames}");
    }
    // ffmpeg ignores it before the tracks, and if it is 0.
    let front = aac().hide(&[b"moov", b"trak", b"edts"]).with_itunes_delay(2_112, true).with_movie_in_front();
    assert!(decode(&front) == whole);
    assert!(decode(&aac().hide(&[b"moov", b"trak", b"edts"]).with_itunes_delay(0, false)) == whole);
}

/// `ffmpeg -ss 7 -t 10 -c copy` keeps the media from the previous key frame of the video on, and writes an edit list.
#[test]
fn a_part_that_was_cut_out_is_not_truncated() {
    let whole = whole();
    for start in [0, 512, 1_024, 2_112, 5_000, 100_000] {
        assert!(decode(&aac().with_edits(&[(60_000, start)])) == whole[start as usize..], "{start}");
    }
    for (start, milliseconds) in [(1_024, 3_000), (100_000, 2_000)] {
        let end = start + RATE * milliseconds / 1_000;
        let packets = end.div_ceil(PACKET) * PACKET; // the last packet is kept whole, as in ffmpeg
        let mp4 = aac().with_edits(&[(milliseconds as u32, start as i32)]);
        assert!(decode(&mp4) == whole[start..packets], "{start}");
    }
    // An empty edit delays the audio, which is the start offset.
    let mp4 = aac().with_edits(&[(1_000, -1), (3_000, 1_024)]);
    assert!(decode(&mp4) == whole[1_024..(1_024 + 3 * RATE).div_ceil(PACKET) * PACKET]);
}

/// The frames of `got` from `at` on are those of `whole` from `from` on: no other lag fits better. They are not equal to the
/// bit, since the decoder's noise substitution depends on the packets before.
fn assert_same(got: &[f32], at: usize, whole: &[f32], from: usize, len: usize) {
    let want = &whole[from + 2 * PACKET..from + len - PACKET];
    let error = |lag: usize| -> f64 {
        let start = at + 2 * PACKET + lag - 20;
        got[start..start + want.len()].iter().zip(want).map(|(a, b)| f64::from(a - b).powi(2)).sum()
    };
    let best = (0..40).min_by(|a, b| error(*a).total_cmp(&error(*b)));
    assert_eq!(best, Some(20), "at {at}");
}

#[test]
fn several_edits_are_played_one_after_the_other() {
    let (whole, second) = (whole(), RATE);
    let (first, later) = (1_024, 1_024 + 3 * second);
    // Two parts, in order and swapped, and a part twice. ffmpeg decodes whole packets: 177,152 frames of the first.
    for (a, b) in [(first, later), (later, first), (first, first)] {
        let got = decode(&aac().with_edits(&[(2_000, a as i32), (2_000, b as i32)]));
        assert!(got.len().abs_diff(4 * second) < 2 * PACKET, "{}", got.len());
        assert_same(&got, 0, &whole, a, 2 * second);
        assert_same(&got, 2 * second, &whole, b, 2 * second);
    }
    // The second begins where the first ends.
    let got = decode(&aac().with_edits(&[(2_000, first as i32), (2_000, (first + 2 * second) as i32)]));
    assert!(got == whole[first..(first + 4 * second).div_ceil(PACKET) * PACKET]);
    // A pause of a second.
    let paused = aac().with_edits(&[(2_000, first as i32), (1_000, -1), (2_000, (first + 2 * second) as i32)]);
    let (got, _, damage) = try_decode(&paused.0).unwrap();
    assert_same(&got, 0, &whole, first, 2 * second);
    assert_same(&got, 3 * second, &whole, first + 2 * second, 2 * second);
    assert!(got[2 * second + PACKET..3 * second - PACKET].iter().all(|sample| *sample == 0.0));
    assert!(!damage.truncated && damage.gaps.count() == 1, "{damage:?}");
}

#[test]
fn data_longer_than_the_file_are_read_to_its_end() {
    let usual = decode(&aac());
    let len = aac().0.len() as u32;
    assert!(decode(&aac().with_movie_in_front()) == usual);
    assert!(decode(&aac().with_movie_in_front().with_len(b"mdat", 2 * len)) == usual);
    assert!(decode(&aac().with_len(b"mdat", 2 * len)) == usual, "the movie lies in the data");
}

/// Audiobooks end with tags, of which a part is missing.
#[test]
fn a_movie_that_ends_early_is_used() {
    let usual = decode(&aac());
    let tags = number(&aac().0[*aac().find(&[b"moov", b"udta"]).unwrap().last().unwrap()..]);
    for missing in [1, 10, 30, tags - 20] {
        let mut mp4 = aac();
        mp4.0.truncate(mp4.0.len() - missing);
        assert!(decode(&mp4) == usual, "{missing}");
    }
    let movie = aac().find(&[b"moov"]).unwrap()[0];
    let len = number(&aac().0[movie..]) as u32;
    assert!(decode(&aac().with_len(b"moov", len + 5_000)) == usual);
    // Without a whole track there is no recording.
    let mut mp4 = aac();
    mp4.0.truncate(movie + 300);
    assert!(matches!(try_decode(&mp4.0), Err(AudioError::UnsupportedFormat(_))));
}

/// An MP4 file of 48 kHz stereo whose packets are `frames` of MPEG audio.
fn mpeg_audio(frames: &[&[u8]], samples: u32) -> Vec<u8> {
    let data = framed(b"mdat", &frames.concat());
    let count = frames.len() as u32;
    let config = [&[0x04, 13, 0x6B, 0x15][..], &[0; 11]].concat();
    let stream = [&[0x03, 21, 0, 0, 0][..], &config, &[0x06, 1, 2]].concat();
    let entry = [&[0; 6][..], &[0, 1], &[0; 8], &[0, 2, 0, 16, 0, 0, 0, 0, 0xBB, 0x80, 0, 0]].concat();
    let entry = framed(b"mp4a", &[&entry[..], &framed(b"esds", &[&[0; 4], &stream[..]].concat())].concat());
    let sizes: Vec<u32> = frames.iter().map(|frame| frame.len() as u32).collect();
    let head = framed(b"ftyp", b"isom\0\0\x02\0isom");
    let table = [
        framed(b"stsd", &[numbers(&[0, 1]), entry].concat()),
        framed(b"stts", &numbers(&[0, 1, count, samples])),
        framed(b"stsc", &numbers(&[0, 1, 1, count, 1])),
        framed(b"stsz", &[numbers(&[0, 0, count]), numbers(&sizes)].concat()),
        framed(b"stco", &numbers(&[0, 1, head.len() as u32 + 8])),
    ];
    let link = framed(b"dinf", &framed(b"dref", &[numbers(&[0, 1]), framed(b"url ", &[0, 0, 0, 1])].concat()));
    let info = [framed(b"smhd", &[0; 8]), link, framed(b"stbl", &table.concat())];
    let media = [
        framed(b"mdhd", &[numbers(&[0, 0, 0, 48_000, count * samples]), vec![0x55, 0xC4, 0, 0]].concat()),
        framed(b"hdlr", &[&[0; 8][..], b"soun", &[0; 13]].concat()),
        framed(b"minf", &info.concat()),
    ];
    let header = [numbers(&[7, 0, 0, 1, 0, count]), vec![0; 60]].concat();
    let track = [framed(b"tkhd", &header), framed(b"mdia", &media.concat())];
    let movie = [numbers(&[0, 0, 0, 48_000, count * samples, 0x10000]), vec![0; 72], numbers(&[2])].concat();
    let movie = [framed(b"mvhd", &movie), framed(b"trak", &track.concat())];
    [head, data, framed(b"moov", &movie.concat())].concat()
}

/// MP4 does not distinguish the layers of MPEG audio.
#[test]
fn layer_2_is_decoded() {
    let stream = fixture("formats/mp2_48k.mp2");
    let len = stream[2..].windows(2).position(|pair| pair == &stream[..2]).unwrap() + 2;
    let frames: Vec<&[u8]> = stream.chunks_exact(len).collect();
    assert!(frames.len() > 20 && frames.iter().all(|frame| frame[..2] == stream[..2]));
    let (samples, info, damage) = try_decode(&mpeg_audio(&frames, 1_152)).unwrap();
    let (want, ..) = try_decode(&stream).unwrap();
    assert!(samples == want);
    assert_eq!((info.codec.as_str(), info.tracks[0].codec.as_str(), damage.decode_errors), ("mp2", "mp2", 0));
}

/// Files for old players declare plain AAC-LC, and HE-AAC in an extension (ISO/IEC 14496-3, 1.6.5.2).
#[test]
fn he_aac_declared_by_an_extension_is_recognised() {
    let explicit = fixture("formats/he_aac_48k.m4a");
    let config = [0x2B, 0x11, 0x88, 0x00, 0x00];
    let at = explicit.windows(5).position(|bytes| bytes == config).unwrap();
    let mut extended = explicit.clone();
    extended[at..at + 5].copy_from_slice(&[0x13, 0x10, 0x56, 0xE5, 0x98]);
    let (want, ..) = try_decode(&explicit).unwrap();
    let (samples, info, _) = try_decode(&extended).unwrap();
    assert!(samples == want && info.sample_rate == 24_000, "the core");
}
