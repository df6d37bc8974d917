//! The choice of the decoder, and limits on the input. The ffmpeg is a script, so that the tests need none.
#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

use crate::support::test_dir::{CommandOutput, TestDir, fixture};

const AMR: &str = "#!AMR\nand whatever follows";

/// Writes a script named `ffmpeg` into the folder that is the program's PATH.
fn ffmpeg(dir: &TestDir, script: &str) {
    let file = dir.write("bin/ffmpeg", format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn fetch(dir: &TestDir, args: &[&str]) -> CommandOutput {
    let args = [&["fetch", "a.amr", "--json"], args].concat();
    dir.command(&args).env("PATH", dir.path("bin")).output().unwrap().into()
}

#[test]
fn ffmpeg_decodes_formats_that_are_not_built_in() {
    let dir = TestDir::new();
    dir.write("a.amr", AMR);
    let speech = fixture("speech/wav_f32_16k_mono.wav");
    let log = "echo \"[info] Input #0, amr, from 'a'\" >&2; echo '[info]   Stream #0:0: Audio: amr_nb' >&2";
    ffmpeg(&dir, &format!("{log}; exec /bin/cat '{}'", speech.display()));
    fetch(&dir, &[]).exits(0);
    let row = dir.query_row("SELECT container, codec, sample_rate, segments FROM recording");
    assert_eq!((&row["container"], &row["codec"]), (&"amr".into(), &"ffmpeg:amr_nb".into()));
    assert_eq!((&row["sample_rate"], &row["segments"]), (&16_000.into(), &1.into()));
}

#[test]
fn without_ffmpeg_the_error_names_the_format_and_the_remedy() {
    let dir = TestDir::new();
    dir.write("a.amr", AMR);
    let output = fetch(&dir, &[]).exits(3).json();
    assert_eq!(output["errors"]["unsupported_format"], 1, "{output}");
    let error = dir.status()["failures"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("AMR") && error.contains("ffmpeg"), "{error}");
    let refused = fetch(&dir, &["--decoder", "ffmpeg"]).exits(2);
    assert!(refused.stderr.contains("no ffmpeg on the PATH"), "{}", refused.stderr);
    // If ffmpeg cannot decode the file either, the error stays the same.
    ffmpeg(&dir, "echo '[error] Invalid data found' >&2; exit 1");
    dir.run(&["retry", "--all"]).exits(0);
    assert_eq!(fetch(&dir, &["--decoder", "auto"]).exits(3).json()["errors"]["unsupported_format"], 1);
}

#[test]
fn the_timeout_ends_an_ffmpeg_without_output() {
    let dir = TestDir::new();
    dir.write("a.amr", AMR);
    let pid = dir.path("pid");
    ffmpeg(&dir, &format!("echo $$ > '{}'; exec /bin/sleep 300", pid.display()));
    let started = Instant::now();
    let output = fetch(&dir, &["--timeout", "3s"]).exits(3).json();
    assert_eq!(output["errors"]["timeout"], 1, "{output}");
    assert!(started.elapsed().as_secs() < 20);
    let pid = fs::read_to_string(pid).unwrap();
    assert!(!fs::exists(format!("/proc/{}", pid.trim())).unwrap(), "ffmpeg was ended");
}

#[test]
fn each_input_limit_has_its_own_error_code() {
    for (source, flags, code) in [
        ("truncated/cut_in_the_middle.flac", &["--strict"][..], "damaged"),
        ("speech/pauses.wav", &["--max-duration", "5s"], "too_long"),
        ("speech/pauses.wav", &["--max-bytes", "10K"], "too_large"),
    ] {
        let dir = TestDir::new();
        let source = fixture(source);
        let output = dir.run(&[&["fetch", "--json", source.to_str().unwrap()], flags].concat()).exits(3).json();
        assert_eq!(output["errors"][code], 1, "{output}");
    }
    let dir = TestDir::new();
    let source = fixture("speech/pauses.wav");
    dir.run(&["fetch", source.to_str().unwrap(), "--strict", "--max-duration", "7s", "--max-bytes", "1M"]).exits(0);
}
