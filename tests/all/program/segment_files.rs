//! Segment files: formats, sample rates, channels, and rows without files.

use std::fs;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use prepare_audio::media::{Decoder, DecoderChoice, LocalFile};
use serde_json::Value;

use crate::{
    program::channels::{speech, write},
    support::test_dir::TestDir,
};

/// A file's rate, channels and samples.
fn decoded(dir: &TestDir, path: &Value) -> (u32, usize, Vec<f32>) {
    let input = LocalFile::new(dir.path(path.as_str().unwrap()));
    let mut decoder = Decoder::open(&input, DecoderChoice::Symphonia).unwrap();
    let (mut rate, mut channels, mut samples) = (0, 0, Vec::new());
    while let Some(block) = decoder.next_block().unwrap() {
        (rate, channels) = (block.rate, block.channels());
        samples.extend_from_slice(block.samples());
    }
    (rate, channels, samples)
}

/// Writes a stereo recording with `rate` and `bits`, and returns its interleaved samples. The channels differ. It lasts as
/// long as the speech, whose samples are repeated to the rate.
fn write_stereo(dir: &TestDir, name: &str, rate: u32, bits: u16) -> Vec<i32> {
    let spec = WavSpec { channels: 2, sample_rate: rate, bits_per_sample: bits, sample_format: SampleFormat::Int };
    let speech = speech();
    let times = rate as usize / 16_000;
    let mut writer = WavWriter::create(dir.path(name), spec).unwrap();
    let mut samples = Vec::new();
    for n in 0..speech.len() * times {
        let left = i32::from(speech[n / times]) << (bits - 16);
        let right = (left / 3) ^ (n % 5) as i32;
        samples.extend([left, right]);
    }
    samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
    samples
}

fn bounds(row: &Value) -> (usize, usize) {
    (row["start_sample"].as_u64().unwrap() as usize, row["end_sample"].as_u64().unwrap() as usize)
}

/// What is measured of a segment. It does not depend on the file.
fn measured(row: &Value) -> [&Value; 8] {
    let names =
        ["level_dbfs", "peak_dbfs", "loudness_lufs", "clipped", "dc_offset", "snr_db", "bandwidth_hz", "speech_ratio"];
    let values = names.map(|name| &row[name]);
    assert!(values.iter().all(|value| value.is_number()), "{row}");
    values
}

#[test]
fn flac_segments_equal_wav_segments() {
    let dir = TestDir::new();
    write(&dir, "a.wav", &[&speech()]);
    dir.run(&["fetch", "a.wav", "--quiet"]).exits(0);
    let wav = dir.segments(&[]);
    dir.run(&["fetch", "a.wav", "--format", "flac", "--quiet"]).exits(0);
    let flac = dir.segments(&[]).split_off(wav.len());
    assert_eq!(wav.len(), flac.len());
    for (wav, flac) in wav.iter().zip(&flac) {
        assert_eq!((bounds(wav), measured(wav)), (bounds(flac), measured(flac)));
        assert!(flac["path"].as_str().unwrap().ends_with(".flac"));
        assert_eq!(decoded(&dir, &wav["path"]), decoded(&dir, &flac["path"]));
        assert!(flac["bytes"].as_u64() < wav["bytes"].as_u64());
    }
    dir.run(&["verify"]).exits(0);
    assert_eq!(dir.run(&["gc", "--older-than", "0s", "--json"]).exits(0).json()["segment_files"], 0);
}

#[test]
fn opus_segments_have_the_same_length_in_fewer_bytes() {
    let dir = TestDir::new();
    write(&dir, "a.wav", &[&speech()]);
    dir.run(&["fetch", "a.wav", "--format", "opus", "--quiet"]).exits(0);
    for segment in dir.segments(&[]) {
        let (start, end) = bounds(&segment);
        let (rate, channels, samples) = decoded(&dir, &segment["path"]);
        assert_eq!((rate, channels, samples.len()), (48_000, 1, (end - start) * 3));
        assert!(segment["bytes"].as_u64().unwrap() < (end - start) as u64 / 3, "{segment}");
        assert_eq!(segment["sample_rate"], 16_000);
    }
    dir.run(&["verify"]).exits(0);
    let small = dir.files("segments").iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    dir.run(&["fetch", "a.wav", "--format", "opus", "--opus-bitrate", "64000", "--output", "large", "--quiet"])
        .exits(0);
    assert!(dir.files("large").iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 3 * small / 2);
    let output = dir.run(&["fetch", "a.wav", "--format", "opus", "--segment-rate", "44100"]).exits(2);
    assert!(output.stderr.contains("48000"), "{}", output.stderr);
}

/// Segments for a TTS corpus have the original samples, with all bits and channels.
#[test]
fn segments_at_the_source_rate_have_the_sources_samples() {
    for (rate, bits, format) in [(48_000, 16, "wav"), (32_000, 24, "wav"), (48_000, 24, "flac"), (16_000, 16, "wav")] {
        let dir = TestDir::new();
        let samples = write_stereo(&dir, "a.wav", rate, bits);
        let source = ["--segment-rate", "source", "--segment-channels", "source", "--format", format];
        dir.run(&[&["fetch", "a.wav", "--quiet"], &source[..]].concat()).exits(0);
        let rows = dir.segments(&[]);
        assert!(rows.len() >= 3, "{rate} {bits}");
        for row in rows {
            let (start, end) = bounds(&row);
            let frame = |sample: usize| (sample * rate as usize + 8_000) / 16_000;
            let want = &samples[2 * frame(start)..2 * frame(end).min(samples.len() / 2)];
            let (found_rate, channels, found) = decoded(&dir, &row["path"]);
            assert_eq!((found_rate, channels), (rate, 2));
            let scale = f64::from(1 << (bits - 1));
            let found: Vec<i32> = found.iter().map(|&sample| (f64::from(sample) * scale) as i32).collect();
            assert!(found == want, "{rate} {bits} {format}: {start} to {end}");
            assert_eq!((&row["sample_rate"], &row["channels"]), (&rate.into(), &2.into()));
            if format == "wav" {
                let header = WavReader::open(dir.path(row["path"].as_str().unwrap())).unwrap().spec();
                assert_eq!(header.bits_per_sample, bits);
            }
        }
        dir.run(&["verify"]).exits(0);
    }
}

#[test]
fn split_channels_at_the_source_rate_have_the_channels_samples() {
    let dir = TestDir::new();
    let samples = write_stereo(&dir, "a.wav", 48_000, 16);
    dir.run(&["fetch", "a.wav", "--quiet", "--channels", "split", "--segment-rate", "source"]).exits(0);
    let rows = dir.segments(&[]);
    assert!([1, 2].iter().all(|channel| rows.iter().any(|row| row["channel"] == *channel)));
    for row in rows {
        let (start, end) = bounds(&row);
        let side = row["channel"].as_u64().unwrap() as usize - 1;
        let one: Vec<i32> = samples.iter().skip(side).step_by(2).copied().collect();
        let file = WavReader::open(dir.path(row["path"].as_str().unwrap())).unwrap();
        assert_eq!((file.spec().channels, file.spec().sample_rate), (1, 48_000));
        let found: Vec<i32> = file.into_samples().map(Result::unwrap).collect();
        assert!(found == one[start * 3..(end * 3).min(one.len())], "channel {} {start} to {end}", side + 1);
    }
}

#[test]
fn segments_can_be_resampled() {
    let dir = TestDir::new();
    write_stereo(&dir, "a.wav", 48_000, 16);
    dir.run(&["fetch", "a.wav", "--quiet", "--segment-rate", "22050"]).exits(0);
    for row in dir.segments(&[]) {
        let (start, end) = bounds(&row);
        let file = WavReader::open(dir.path(row["path"].as_str().unwrap())).unwrap();
        let frame = |sample: usize| (sample * 22_050 + 8_000) / 16_000;
        assert_eq!((file.spec().sample_rate, file.duration() as usize), (22_050, frame(end) - frame(start)));
    }
}

#[test]
fn no_audio_writes_rows_only() {
    let dir = TestDir::new();
    write(&dir, "a.wav", &[&speech()]);
    dir.run(&["fetch", "a.wav", "--quiet"]).exits(0);
    let with = dir.segments(&[]);
    dir.run(&["fetch", "a.wav", "--no-audio", "--output", "none", "--quiet"]).exits(0);
    let without = dir.segments(&[]).split_off(with.len());
    assert_eq!(with.len(), without.len());
    for (with, without) in with.iter().zip(&without) {
        assert_eq!((bounds(with), measured(with)), (bounds(without), measured(without)));
        assert_eq!((&without["path"], &without["sha256"]), (&Value::Null, &Value::Null));
    }
    assert!(dir.files("none").is_empty());
    dir.run(&["segments"]).exits(0);
    dir.run(&["verify"]).exits(0);
    dir.run(&["gc", "--older-than", "0s"]).exits(0);
    // Resegmenting without files decodes nothing, because the levels are stored.
    fs::remove_file(dir.path("a.wav")).unwrap();
    dir.run(&["resegment", "--no-audio", "--vad-neg-threshold", "0.34", "--quiet"]).exits(0);
    assert_eq!(dir.query_row("SELECT decode_ms FROM recording ORDER BY id DESC LIMIT 1")["decode_ms"], 0.0);
}

#[test]
fn the_error_of_an_unsupported_segment_format_has_a_hint() {
    let dir = TestDir::new();
    let voice = speech();
    write(&dir, "three.wav", &[&voice, &voice, &voice]);
    let output =
        dir.run(&["fetch", "three.wav", "--format", "opus", "--segment-channels", "source", "--json"]).exits(3);
    assert_eq!(output.json()["errors"]["unsupported_segment"], 1);
    let failure = dir.run(&["status", "--json"]).exits(0).json()["failures"][0]["error"].to_string();
    assert!(failure.contains("--segment-channels mono"), "{failure}");
}
