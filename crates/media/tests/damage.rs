//! Overwrites bytes in the middle of recordings and checks that the audio after them keeps its position. The undamaged file
//! is the reference.

#![allow(clippy::unwrap_used)] // a test may panic

use std::{
    fs,
    path::{Path, PathBuf},
};

use prepare_audio_media::{AudioStream, Damage, DecodeOptions, DecoderChoice, LocalFile};

/// One window of the detector: 32 ms at 16 kHz.
const WINDOW: usize = 512;

/// The longest time, in samples, after which a decoder's output must be that of the undamaged file again.
const SETTLING: usize = 8_000;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/long").join(name)
}

/// Decodes to 16 kHz mono. Returns the damage, too.
fn decode(path: &Path) -> (Vec<f32>, Damage) {
    let mut stream =
        AudioStream::open(&LocalFile::new(path), DecoderChoice::Symphonia, DecodeOptions::default()).unwrap();
    let mut samples = Vec::new();
    let read = stream.for_each_block(
        16_000,
        false,
        |error| error,
        |block| {
            samples.extend_from_slice(&block.analysis[0]);
            Ok(())
        },
    );
    read.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (samples, stream.damage())
}

/// Deterministic noise.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..len).map(|_| random.u8(..)).collect()
}

/// The correlation of two signals of the same length, from -1 to 1.
fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let product = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

/// The largest correlation when one signal is shifted by up to a window.
fn correlation_within_a_window(a: &[f32], b: &[f32]) -> f64 {
    let (middle, lags) = (&a[WINDOW..a.len() - WINDOW], 0..2 * WINDOW);
    lags.map(|lag| correlation(middle, &b[lag..lag + middle.len()])).fold(-1.0, f64::max)
}

/// Overwrites `len` bytes of the recording at `share` of its length. Returns the samples of the undamaged recording, and the
/// damage and samples of the damaged one.
fn overwrite(name: &str, share: f64, len: usize) -> (Vec<f32>, Damage, Vec<f32>) {
    let path = fixture(name);
    let (whole, undamaged) = decode(&path);
    assert!(undamaged.gaps.is_empty(), "{name}: {:?}", undamaged.gaps);
    let mut bytes = fs::read(&path).unwrap();
    let at = (bytes.len() as f64 * share) as usize;
    bytes[at..at + len].copy_from_slice(&noise(len, 7));
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join(path.file_name().unwrap());
    fs::write(&damaged, bytes).unwrap();
    let (samples, damage) = decode(&damaged);
    (whole, damage, samples)
}

/// Overwrites bytes, and checks the audio before and after them.
fn check(name: &str, share: f64, len: usize) {
    let (whole, damage, samples) = overwrite(name, share, len);
    let what = format!("{name}, {len} bytes at {share}: {damage:?}");
    assert!(!damage.truncated, "{what}: it is reported to end early");
    assert!(!damage.gaps.is_empty(), "{what}: no gap is reported");
    assert!(samples.len().abs_diff(whole.len()) <= WINDOW, "{what}: {} of {} samples", samples.len(), whole.len());
    let spans: Vec<(f64, f64)> = serde_json::from_str(&damage.gaps.to_json().unwrap()).unwrap();
    let end = spans.last().unwrap().1;
    let from = (end * 16_000.0) as usize + SETTLING;
    let to = samples.len().min(whole.len());
    assert!(to > from + 16_000, "{what}: too little is left to compare");
    let to = to.min(from + 2 * 16_000);
    let similarity = correlation_within_a_window(&whole[from..to], &samples[from..to]);
    assert!(
        similarity > 0.9,
        "{what}: after the damage it is displaced, its correlation with the whole recording {similarity}"
    );
    let before = (spans[0].0 * 16_000.0) as usize;
    let similarity = correlation(&whole[..before - WINDOW], &samples[..before - WINDOW]);
    assert!(similarity > 0.99, "{what}: it differs before the damage, correlation {similarity}");
}

/// Bare AAC has no time stamps, and its frames differ in length: the number of lost frames is an estimate.
#[test]
fn bare_aac() {
    for share in [0.2, 0.5, 0.7] {
        let (whole, damage, samples) = overwrite("speech.aac", share, 4_000);
        let what = format!("4,000 bytes at {share}: {damage:?}");
        assert!(!damage.truncated && damage.gaps.count() == 1, "{what}");
        assert!(samples.len().abs_diff(whole.len()) < 8_000, "{what}: {} of {} samples", samples.len(), whole.len());
    }
}

/// Recorders that do not rewrite the header leave placeholder lengths that mean "up to the end".
#[test]
fn placeholder_lengths_of_wav() {
    let path = fixture("../speech/pauses.wav");
    let (whole, _) = decode(&path);
    let bytes = fs::read(&path).unwrap();
    let data = bytes.windows(4).position(|name| name == b"data").unwrap() + 4;
    let folder = tempfile::tempdir().unwrap();
    let none = u32::MAX;
    for (riff, length) in [(0, 0), (none, none), (none, none - 36), (0x7FFF_FFFF, 0x7FFF_FFFF), (1_000, 1)] {
        let mut changed = bytes.clone();
        changed[4..8].copy_from_slice(&u32::to_le_bytes(riff));
        if riff != 1_000 {
            changed[data..data + 4].copy_from_slice(&u32::to_le_bytes(length));
        }
        let file = folder.path().join(format!("{length}.wav"));
        fs::write(&file, changed).unwrap();
        let (samples, damage) = decode(&file);
        assert_eq!((samples == whole, damage.truncated), (true, false), "RIFF {riff}, data {length}");
    }
}

macro_rules! overwritten {
    ($($test:ident = $name:literal, $len:literal;)*) => {$(
        #[test]
        fn $test() {
            for share in [0.2, 0.5, 0.7] {
                check($name, share, $len);
            }
        }
    )*};
}

overwritten! {
    flac = "speech.flac", 8_000;
    flac_in_ogg = "speech.oga", 8_000;
    vorbis = "speech.ogg", 4_000;
    vorbis_in_webm = "vorbis.webm", 4_000;
    opus = "speech.opus", 2_000;
    opus_in_packets_of_60_ms = "opus_60ms.opus", 2_000;
    opus_in_matroska = "opus.mka", 2_000;
    aac_in_matroska = "aac.mkv", 4_000;
    aac_in_mp4 = "speech.m4a", 4_000;
    aac_in_fragments = "fragmented.mp4", 4_000;
    alac_in_mp4 = "alac.m4a", 8_000;
    mp3 = "cbr.mp3", 8_000;
    mp3_without_a_header = "no_header.mp3", 4_000;
    mp3_of_variable_bitrate = "vbr.mp3", 4_000;
    mp2 = "speech.mp2", 8_000;
}
