//! Recordings with several channels: mixed, split, with inverted polarity, and with equal channels.

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use serde_json::Value;

use crate::support::test_dir::{TestDir, fixture};

/// Speech with pauses, 16-bit at 16 kHz.
pub fn speech() -> Vec<i16> {
    WavReader::open(fixture("speech/pauses.wav")).unwrap().into_samples().map(Result::unwrap).collect()
}

/// The same samples, delayed by 1.5 s.
fn delayed(speech: &[i16]) -> Vec<i16> {
    [&vec![0; 24_000], &speech[..speech.len() - 24_000]].concat()
}

/// Writes channels of equal length as a WAV file at 16 kHz.
pub fn write(dir: &TestDir, name: &str, channels: &[&[i16]]) {
    write_at(16_000, dir, name, channels);
}

/// The same at another rate.
pub fn write_at(sample_rate: u32, dir: &TestDir, name: &str, channels: &[&[i16]]) {
    let spec =
        WavSpec { channels: channels.len() as u16, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(dir.path(name), spec).unwrap();
    for n in 0..channels[0].len() {
        channels.iter().for_each(|channel| writer.write_sample(channel[n]).unwrap());
    }
    writer.finalize().unwrap();
}

/// Boundaries and hash of each segment.
fn boundaries_and_hashes(rows: &[Value]) -> Vec<[String; 3]> {
    rows.iter().map(|row| ["start_sample", "end_sample", "sha256"].map(|key| row[key].to_string())).collect()
}

/// The segments of a mono recording of these samples.
fn mono_segments(samples: &[i16]) -> Vec<[String; 3]> {
    let dir = TestDir::new();
    write(&dir, "mono.wav", &[samples]);
    dir.run(&["fetch", "mono.wav", "--quiet"]).exits(0);
    boundaries_and_hashes(&dir.segments(&[]))
}

fn warnings(dir: &TestDir) -> Value {
    dir.query_row("SELECT warnings FROM recording ORDER BY id DESC LIMIT 1")["warnings"].clone()
}

#[test]
fn split_channels_have_their_own_segments_on_one_timeline() {
    let (left, right) = (speech(), delayed(&speech()));
    let dir = TestDir::new();
    write(&dir, "call.wav", &[&left, &right]);
    dir.run(&["fetch", "call.wav", "--channels", "split", "--quiet"]).exits(0);
    let rows = dir.segments(&[]);
    for (channel, samples) in [(1, &left), (2, &right)] {
        let of: Vec<Value> = rows.iter().filter(|row| row["channel"] == channel).cloned().collect();
        assert!(of.len() >= 2);
        assert_eq!(boundaries_and_hashes(&of), mono_segments(samples), "channel {channel}");
    }
    let starts: Vec<i64> = rows.iter().map(|row| row["start_sample"].as_i64().unwrap()).collect();
    assert!(starts.is_sorted() && rows.iter().enumerate().all(|(n, row)| row["idx"] == n));
    assert_eq!(warnings(&dir), Value::Null);
    dir.run(&["verify"]).exits(0);
    let shown = dir.run(&["segments"]).exits(0).stdout;
    assert!(shown.lines().next().unwrap().contains("channel"), "{shown}");
}

#[test]
fn one_channel_can_be_selected() {
    let (left, right) = (speech(), delayed(&speech()));
    let dir = TestDir::new();
    write(&dir, "call.wav", &[&left, &right]);
    dir.run(&["fetch", "call.wav", "--channels", "2", "--quiet"]).exits(0);
    let rows = dir.segments(&[]);
    assert_eq!(boundaries_and_hashes(&rows), mono_segments(&right));
    assert!(rows.iter().all(|row| row["channel"] == 2));
    let output = dir.run(&["fetch", "call.wav", "--channels", "3", "--json"]).exits(3).json();
    assert_eq!(output["errors"]["no_such_channel"], 1, "{output}");
    for wrong in ["0", "left", "-1"] {
        let output = dir.run(&["fetch", "call.wav", &format!("--channels={wrong}")]).exits(2);
        assert!(output.stderr.contains("--channels"), "{}", output.stderr);
    }
}

/// One channel has inverted polarity, as with a wrongly wired cable, so the mean of both is silence.
#[test]
fn speech_is_detected_if_one_channel_is_inverted() {
    let voice = speech();
    let inverted: Vec<i16> = voice.iter().map(|sample| sample.saturating_neg()).collect();
    let dir = TestDir::new();
    write(&dir, "inverted.wav", &[&voice, &inverted]);
    dir.run(&["fetch", "inverted.wav", "--quiet"]).exits(0);
    assert_eq!(boundaries_and_hashes(&dir.segments(&[])), mono_segments(&voice));
    assert_eq!(warnings(&dir), r#"["phase_inverted"]"#);
    let quieter: Vec<i16> = inverted.iter().map(|sample| sample / 2).collect();
    write(&dir, "quieter.wav", &[&quieter, &voice]);
    dir.run(&["fetch", "quieter.wav", "--quiet"]).exits(0);
    let segments = boundaries_and_hashes(&dir.segments(&["quieter.wav"]));
    assert_eq!(segments, mono_segments(&voice), "the louder channel is used");
}

#[test]
fn equal_channels_are_analysed_once() {
    let voice = speech();
    let dir = TestDir::new();
    write(&dir, "dual.wav", &[&voice, &voice]);
    dir.run(&["fetch", "dual.wav", "--channels", "split", "--quiet"]).exits(0);
    let rows = dir.segments(&[]);
    assert_eq!(boundaries_and_hashes(&rows), mono_segments(&voice));
    assert!(rows.iter().all(|row| row["channel"] == 1));
    assert_eq!(warnings(&dir), r#"["dual_mono"]"#);
    let stored = dir.query_row("SELECT windows FROM probabilities");
    assert_eq!(stored["windows"], voice.len().div_ceil(512), "one channel was analysed");
}

/// `resegment` needs stored probabilities of the same channels, and then equals a fresh run.
#[test]
fn resegmenting_split_channels_equals_a_fresh_run() {
    let (left, right) = (speech(), delayed(&speech()));
    let (again, fresh) = (TestDir::new(), TestDir::new());
    for dir in [&again, &fresh] {
        write(dir, "call.wav", &[&left, &right]);
        write(dir, "dual.wav", &[&left, &left]);
    }
    let all = ["call.wav", "dual.wav", "--channels", "split", "--quiet"];
    again.run(&[&["fetch"], &all[..]].concat()).exits(0);
    for set in
        [&["--vad-speech-pad-ms", "90"][..], &["--merge-to", "4"], &["--vad-speech-pad-ms", "90", "--format", "flac"]]
    {
        again.run(&[&["resegment", "--channels", "split", "--quiet"], set].concat()).exits(0);
        fresh.run(&[&["fetch"], &all[..], set].concat()).exits(0);
        let rows = |dir: &TestDir| -> Vec<Value> {
            let recipe = dir.segments(&[]).pop().unwrap()["recipe"].clone();
            let mut rows: Vec<Value> = dir.segments(&[]).into_iter().filter(|row| row["recipe"] == recipe).collect();
            rows.iter_mut().for_each(|row| {
                let name = |key: &str| row[key].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
                let (path, source) = (name("path"), name("source"));
                (row["path"], row["source"], row["recording_id"]) = (path.into(), source.into(), Value::Null);
            });
            rows
        };
        assert!(rows(&fresh).len() >= 4);
        assert_eq!(rows(&again), rows(&fresh), "{set:?}");
    }
    let output = again.run(&["resegment", "--vad-speech-pad-ms", "91"]).exits(1);
    assert!(
        output.stderr.contains("2 done recordings unchanged"),
        "no probabilities of the mix are stored: {}",
        output.stderr
    );
}
