//! What symphonia leaves to ffmpeg, and which recordings are wanted. The ffmpeg is a script, so that none is needed.
#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

use crate::support::desk::{Desk, Said, fixture};

const AMR: &str = "#!AMR\nand whatever follows";

/// Puts a program of that name on the desk's own PATH.
fn ffmpeg(desk: &Desk, script: &str) {
    let file = desk.write("bin/ffmpeg", format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn fetch(desk: &Desk, args: &[&str]) -> Said {
    let args = [&["fetch", "a.amr", "--json"], args].concat();
    desk.command(&args).env("PATH", desk.path("bin")).output().unwrap().into()
}

#[test]
fn what_symphonia_cannot_decode_goes_through_ffmpeg() {
    let desk = Desk::new();
    desk.write("a.amr", AMR);
    let speech = fixture("speech/wav_f32_16k_mono.wav");
    let says = "echo \"[info] Input #0, amr, from 'a'\" >&2; echo '[info]   Stream #0:0: Audio: amr_nb' >&2";
    ffmpeg(&desk, &format!("{says}; exec /bin/cat '{}'", speech.display()));
    fetch(&desk, &[]).exits(0);
    let row = crate::queueing::row(&desk, "SELECT container, codec, sample_rate, segments FROM recording");
    assert_eq!((&row["container"], &row["codec"]), (&"amr".into(), &"ffmpeg:amr_nb".into()));
    assert_eq!((&row["sample_rate"], &row["segments"]), (&16_000.into(), &1.into()));
}

#[test]
fn without_ffmpeg_the_row_says_what_it_is_and_what_to_do() {
    let desk = Desk::new();
    desk.write("a.amr", AMR);
    let said = fetch(&desk, &[]).exits(3).json();
    assert_eq!(said["errors"]["unsupported_format"], 1, "{said}");
    let error = desk.status()["failures"][0]["error"].as_str().unwrap().to_owned();
    assert!(error.contains("AMR") && error.contains("ffmpeg"), "{error}");
    let refused = fetch(&desk, &["--decoder", "ffmpeg"]).exits(2);
    assert!(refused.err.contains("no ffmpeg on the PATH"), "{}", refused.err);
    // One that fails as well leaves the message as it was; symphonia alone asks nobody.
    ffmpeg(&desk, "echo '[error] Invalid data found' >&2; exit 1");
    desk.run(&["retry", "--all"]).exits(0);
    assert_eq!(fetch(&desk, &["--decoder", "auto"]).exits(3).json()["errors"]["unsupported_format"], 1);
}

#[test]
fn a_silent_ffmpeg_outlives_no_timeout() {
    let desk = Desk::new();
    desk.write("a.amr", AMR);
    let pid = desk.path("pid");
    ffmpeg(&desk, &format!("echo $$ > '{}'; exec /bin/sleep 300", pid.display()));
    let started = Instant::now();
    let said = fetch(&desk, &["--timeout", "3s"]).exits(3).json();
    assert_eq!(said["errors"]["timeout"], 1, "{said}");
    assert!(started.elapsed().as_secs() < 20);
    let pid = fs::read_to_string(pid).unwrap();
    assert!(!fs::exists(format!("/proc/{}", pid.trim())).unwrap(), "ffmpeg lives on");
}

#[test]
fn what_is_not_wanted_fails_with_its_own_code() {
    for (source, flags, code) in [
        ("truncated/cut_in_the_middle.flac", &["--strict"][..], "damaged"),
        ("speech/pauses.wav", &["--max-duration", "5s"], "too_long"),
        ("speech/pauses.wav", &["--max-bytes", "10K"], "too_large"),
    ] {
        let desk = Desk::new();
        let source = fixture(source);
        let said = desk.run(&[&["fetch", "--json", source.to_str().unwrap()], flags].concat()).exits(3).json();
        assert_eq!(said["errors"][code], 1, "{said}");
    }
    let desk = Desk::new();
    let source = fixture("speech/pauses.wav");
    desk.run(&["fetch", source.to_str().unwrap(), "--strict", "--max-duration", "7s", "--max-bytes", "1M"]).exits(0);
}
