//! Several threads give the same samples, errors and counts as one. Chunks are small here, so that short recordings have
//! many of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::super::{TrackChoice, symphonia_decoder::SymphoniaDecoder};
use crate::LocalFile;

/// The output of a decoder: rate, channels and the bits of the samples of each block, and how it ended.
#[derive(Debug, Default, PartialEq)]
struct Output {
    blocks: Vec<(u32, usize, Vec<u32>)>,
    end: String,
}

fn decode(path: &Path, threads: usize) -> Output {
    let mut output = Output::default();
    let mut native = match SymphoniaDecoder::open(&LocalFile::new(path), 0, &TrackChoice::Default) {
        Ok(native) => native,
        Err(error) => return Output { end: error.to_string(), ..output },
    };
    if threads > 1 {
        native.decode_in_parallel(threads).unwrap();
    }
    let end = loop {
        match native.next_block() {
            Ok(Some(block)) => {
                let bits = block.samples().iter().map(|sample| sample.to_bits()).collect();
                output.blocks.push((block.rate, block.channels(), bits));
            }
            Ok(None) => break "the end".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    output.end = format!("{end}, {:?}, {:?}", native.damage(), native.info());
    output
}

/// Asserts that one thread and several give the same output. Returns the number of blocks.
fn same(path: &Path) -> usize {
    let serial = decode(path, 1);
    for threads in [2, 3] {
        let parallel = decode(path, threads);
        let differs = serial.blocks.iter().zip(&parallel.blocks).position(|(a, b)| a != b);
        assert!(differs.is_none(), "{}: block {differs:?} of {}", path.display(), serial.blocks.len());
        assert_eq!(serial.blocks.len(), parallel.blocks.len(), "{}", path.display());
        assert_eq!(serial.end, parallel.end, "{}", path.display());
    }
    serial.blocks.len()
}

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(folder);
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// Changes, removes or repeats bytes at random places.
fn damage(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    for _ in 0..random.usize(1..6) {
        let at = random.usize(bytes.len() / 50..bytes.len());
        let end = (at + random.usize(1..4000)).min(bytes.len());
        match random.u8(0..6) {
            0 => bytes[at] ^= 1 << random.u8(0..8),
            1 => bytes[at..end.min(at + 30)].fill_with(|| random.u8(..)),
            2 => bytes[at..end].fill(0),
            3 => drop(bytes.drain(at..end)),
            4 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            _ => bytes[at..end].chunks_mut(40).for_each(|part| part[0] ^= 0x10),
        }
    }
}

#[test]
fn undamaged_recordings_decode_the_same() {
    let files = ["speech", "formats", "bad", "truncated"].map(fixtures).concat();
    let blocks: usize = files.iter().map(|path| same(path)).sum();
    assert!(blocks > 3_000, "{blocks}");
}

#[test]
fn damaged_recordings_decode_the_same() {
    let names = ["mp3_44k1_stereo.mp3", "flac_44k1_stereo.flac", "vorbis_44k1_stereo.ogg", "mkv_vorbis_48k_stereo.mkv"];
    let more = ["mp3_vbr.mp3", "mp3_mpeg2_22k.mp3", "mp3_mpeg25_8k.mp3", "mp3_cbr_no_header.mp3", "mp2_48k.mp2"];
    let rest = ["flac_in_ogg.oga", "caf_alac_16k_mono.caf", "chained_vorbis.ogg", "mp3_in_mp4.mp4"];
    let files = ["speech", "formats"].map(fixtures).concat().into_iter().filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        names.contains(&name) || more.contains(&name) || rest.contains(&name)
    });
    let folder = tempfile::tempdir().unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let mut count = 0;
    for path in files {
        let whole = fs::read(&path).unwrap();
        for n in 0..mutants() {
            let mut bytes = whole.clone();
            damage(&mut bytes, &mut random);
            let damaged = folder.path().join(format!("{n}-{}", path.file_name().unwrap().display()));
            fs::write(&damaged, bytes).unwrap();
            same(&damaged);
            fs::remove_file(damaged).unwrap();
            count += 1;
        }
    }
    assert!(count >= 13 * mutants());
}

/// The number of mutants of each file; PREPARE_AUDIO_MUTANTS sets more.
fn mutants() -> usize {
    std::env::var("PREPARE_AUDIO_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(8)
}

/// A Xing header has the length of its own recording, not of one that was appended; and the length of a recording without
/// one is only an estimate.
#[test]
fn mpeg_audio_is_decoded_to_its_end() {
    let read = |name: &str| {
        let path = ["speech", "formats"].map(fixtures).concat().into_iter().find(|path| path.ends_with(name)).unwrap();
        fs::read(path).unwrap()
    };
    let (large, small) = (read("mp3_44k1_stereo.mp3"), read("mp3_cbr_no_header.mp3"));
    let mut headless = large.clone();
    let tag = headless.windows(4).position(|word| word == b"Info" || word == b"Xing").unwrap();
    headless[tag..tag + 4].fill(0);
    let folder = tempfile::tempdir().unwrap();
    let frames = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        same(&path);
        let blocks = decode(&path, 1).blocks;
        blocks.iter().map(|(_, channels, samples)| samples.len() / channels).sum::<usize>()
    };
    assert_eq!(frames("large.mp3", &large), 303_246);
    // Where two files meet, a packet may need main data of one that is missing.
    let is_whole = |found: usize, all: usize| found <= all && found + 9 * 1152 >= all;
    let more = small.repeat(9);
    assert!(is_whole(frames("more.mp3", &more), 9 * 29_952));
    assert!(is_whole(frames("behind.mp3", &[large, more.clone()].concat()), 303_246 + 9 * 29_952));
    let whole = frames("headless.mp3", &headless);
    assert!(is_whole(frames("guessed.mp3", &[headless, more].concat()), whole + 9 * 29_952));
}

#[test]
fn dropping_the_decoder_ends_its_threads() {
    let path = fixtures("speech").into_iter().find(|path| path.ends_with("mp3_44k1_stereo.mp3")).unwrap();
    let mut native = SymphoniaDecoder::open(&LocalFile::new(path), 0, &TrackChoice::Default).unwrap();
    native.decode_in_parallel(3).unwrap();
    assert!(native.next_block().unwrap().is_some());
    drop(native); // joins them
}

/// Frames lost in the middle of MP3 recordings: gaps in the preroll of a chunk, at its beginning and within it.
#[test]
fn gaps_of_mp3_decode_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for path in fixtures("long").into_iter().filter(|path| path.extension().is_some_and(|name| name == "mp3")) {
        let whole = fs::read(&path).unwrap();
        let undamaged = decode(&path, 1);
        let gaps = 24;
        for len in [60, 700, 3_000] {
            let mut bytes = whole.clone();
            let mut random = fastrand::Rng::with_seed(len as u64);
            for gap in 1..gaps {
                let at = whole.len() * gap / gaps;
                bytes[at..at + len].fill_with(|| random.u8(..));
            }
            let damaged = folder.path().join(path.file_name().unwrap());
            fs::write(&damaged, bytes).unwrap();
            same(&damaged);
            let frames = |output: &Output| output.blocks.iter().map(|(_, _, samples)| samples.len()).sum::<usize>();
            let (before, after) = (frames(&undamaged), frames(&decode(&damaged, 1)));
            assert!(before.abs_diff(after) < 4 * 1152, "{}, {len}: {after} of {before}", path.display());
        }
    }
}
