//! Bad recordings fail with a code in their rows, the others are done, and the exit code reports it.

use std::{collections::BTreeMap, fs};

use serde_json::Value;

use crate::support::test_dir::{TestDir, fixture};

/// The error code of each failure, by the name of its file.
fn codes(status: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let failures = status["failures"].as_array().unwrap();
    failures
        .iter()
        .map(|f| {
            let name = text(&f["source"]).rsplit('/').next().unwrap().to_owned();
            assert!(text(&f["error"]).contains(&name), "the message names the file: {f}");
            (name, text(&f["error_code"]))
        })
        .collect()
}

#[test]
fn five_bad_recordings_among_two_hundred_fail_alone() {
    let dir = TestDir::new();
    for n in 0..195 {
        let from = ["speech/wav_s16_16k_mono.wav", "speech/flac_48k_stereo.flac", "speech/a/same.wav"][n % 3];
        let extension = from.rsplit('.').next().unwrap();
        dir.copy(from, &format!("in/{n:03}.{extension}"));
    }
    dir.copy("bad/empty.wav", "in/bad_1.wav");
    dir.copy("bad/garbage.mp3", "in/bad_2.mp3");
    dir.copy("bad/rate_4294967295.wav", "in/bad_3.wav");
    dir.copy("bad/no_audio.mkv", "in/bad_4.mkv");
    dir.write("list.txt", "in/bad_5.wav\n"); // a file that does not exist
    let output = dir.run(&["fetch", "in", "list.txt", "--workers", "4", "--json"]).exits(1).json();
    assert_eq!((&output["done"], &output["failed"]), (&195.into(), &5.into()));
    let status = dir.status();
    let want = [
        ("bad_1.wav", "empty_file"),
        ("bad_2.mp3", "unsupported_format"),
        ("bad_3.wav", "implausible_header"),
        ("bad_4.mkv", "no_audio_track"),
        ("bad_5.wav", "not_found"),
    ];
    assert_eq!(codes(&status), want.map(|(name, code)| (name.to_owned(), code.to_owned())).into());

    // After a retry, the file that exists now is done, the four others fail again, and earlier results do not change.
    let (files, rows) = (dir.files("segments"), dir.segments(&[]));
    dir.copy("speech/wav_s16_16k_mono.wav", "in/bad_5.wav");
    assert_eq!(dir.run(&["retry", "--all", "--json"]).exits(0).json()["retried"], 5);
    assert_eq!((dir.count("pending"), dir.count("done")), (5, 195));
    let again = dir.run(&["fetch", "--json"]).exits(1).json();
    assert_eq!((&again["done"], &again["failed"]), (&1.into(), &4.into()));
    let (files_now, rows_now) = (dir.files("segments"), dir.segments(&[]));
    assert!(files.iter().all(|file| files_now.contains(file)));
    assert!(rows.iter().all(|row| rows_now.contains(row)));
    assert_eq!(rows_now.len(), rows.len() + 1);
}

#[test]
fn the_exit_code_is_3_if_all_recordings_fail() {
    let dir = TestDir::new();
    let bad = fixture("bad");
    let output = dir.run(&["fetch", bad.to_str().unwrap()]).exits(3);
    assert!(output.stdout.contains("failed: ") && output.stdout.contains("prepare-audio status"), "{}", output.stdout);
    assert_eq!(dir.count("done"), 0);
    assert!(dir.files("segments").is_empty(), "failures leave no files");
}

#[test]
fn a_recording_without_speech_is_done() {
    let dir = TestDir::new();
    dir.run(&["fetch", fixture("quiet").to_str().unwrap()]).exits(0);
    assert_eq!(dir.count("done"), 2);
    assert!(dir.segments(&[]).is_empty());
}

#[test]
fn truncated_files_are_prepared_as_far_as_they_go() {
    let dir = TestDir::new();
    dir.run(&["fetch", fixture("truncated").to_str().unwrap()]).exits(0);
    let row = dir.query_row("SELECT COUNT(*) AS n, SUM(truncated) AS truncated, MIN(speech_s) AS speech FROM recording WHERE state = 'done'",
    );
    assert_eq!((&row["n"], &row["truncated"]), (&2.into(), &2.into()), "{row}");
    assert!(row["speech"].as_f64().unwrap() > 0.3, "{row}");
}

#[cfg(unix)]
#[test]
fn folders_pipes_and_devices_have_their_own_codes() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TestDir::new();
    fs::create_dir(dir.path("folder.wav")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(dir.path("pipe.wav")).status().unwrap().success());
    let secret = dir.copy("speech/wav_s16_16k_mono.wav", "secret.wav");
    fs::set_permissions(secret, fs::Permissions::from_mode(0o000)).unwrap();
    dir.write("list.txt", "folder.wav\npipe.wav\n/dev/zero\nsecret.wav\n");
    dir.run(&["add", "list.txt"]).exits(0);
    let output = dir.run(&["fetch", "--json"]).json();
    let want_secret = if fs::read(dir.path("secret.wav")).is_ok() { 0 } else { 1 }; // root may read every file
    for code in ["is_a_folder", "is_a_pipe", "is_a_device"] {
        assert_eq!(output["errors"][code], 1, "{output}");
    }
    assert_eq!(output["errors"]["permission_denied"].as_i64().unwrap_or(0), want_secret, "{output}");
}

#[test]
fn a_run_refuses_an_output_folder_that_cannot_be_written() {
    let dir = TestDir::new();
    dir.copy("speech/wav_s16_16k_mono.wav", "a.wav");
    dir.write("segments", "a file in the place of the folder");
    dir.run(&["add", "a.wav"]).exits(0);
    dir.query_row("UPDATE recording SET max_attempts = 1");
    let output = dir.run(&["fetch", "--json"]).exits(2);
    assert!(
        output.stderr.contains("cannot write to the output folder") && output.stderr.contains("segments"),
        "{}",
        output.stderr
    );
    assert_eq!(dir.count("pending"), 1, "no attempt was made");
    fs::remove_file(dir.path("segments")).unwrap();
    dir.run(&["fetch"]).exits(0);
    assert_eq!(dir.count("done"), 1);
}

/// A NaN must not reach the detector's state, where it would turn every later probability into NaN.
#[test]
fn non_finite_samples_do_not_affect_the_rest_of_a_recording() {
    let dir = TestDir::new();
    let mut reader = hound::WavReader::open(fixture("speech/pauses.wav")).unwrap();
    let spec = hound::WavSpec { bits_per_sample: 32, sample_format: hound::SampleFormat::Float, ..reader.spec() };
    let mut writer = hound::WavWriter::create(dir.path("a.wav"), spec).unwrap();
    for (n, sample) in reader.samples::<i16>().map(Result::unwrap).enumerate() {
        let bad = [(100, f32::NAN), (200, f32::INFINITY), (300, f32::MAX)];
        let replaced = bad.iter().find(|(at, _)| *at == n).map(|(_, value)| *value);
        writer.write_sample(replaced.unwrap_or(f32::from(sample) / 32_768.0)).unwrap();
    }
    writer.finalize().unwrap();
    dir.run(&["fetch", "a.wav"]).exits(0);
    assert_eq!(dir.segments(&[]).len(), 3);
}
