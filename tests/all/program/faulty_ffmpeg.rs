//! An ffmpeg, replaced by a script, that hangs, writes too much, writes wrong data, or crashes. In each case the recording
//! ends with a code, within limits of time and memory, and no process is left.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::{
    peak_memory::wait_with_peak,
    test_dir::{TestDir, fixture},
};

/// The memory limit of a run with one worker, kB.
const MAX_KB: u64 = (120 + 40) * 1024;

/// A WAV header for 32-bit floats at 8 kHz with an unknown length, as an argument of printf.
const HEADER: &str =
    r"RIFF\377\377\377\377WAVEfmt \020\0\0\0\003\0\001\0\100\037\0\0\0\175\0\0\004\0\040\0data\377\377\377\377";

/// Runs `fetch` on an AMR file with `script` as ffmpeg. Returns how the recording ended, and the time of the run.
fn end(script: &str, flags: &[&str]) -> (String, Duration) {
    let dir = TestDir::new();
    dir.write("a.amr", "#!AMR\nand more");
    let pids = dir.path("pids");
    let script = format!("#!/bin/sh\nPATH=/bin:/usr/bin\necho $$ >>'{}'\n{script}\n", pids.display());
    let script = script.replace("PIDS", pids.to_str().unwrap());
    let file = dir.write("bin/ffmpeg", script.replace("HEADER", &format!("printf '{HEADER}'")));
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    dir.run(&["add", "a.amr"]).exits(0);
    dir.query_row("UPDATE recording SET max_attempts = 1");
    let args = [&["fetch", "--workers", "1", "--log-level", "error"], flags].concat();
    let log = fs::File::create(dir.path("log")).unwrap();
    let begun = Instant::now();
    let mut command = dir.command(&args);
    let mut process = command.env("PATH", dir.path("bin")).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let (code, peak) = wait_with_peak(&mut process, Duration::from_secs(90));
    let took = begun.elapsed();
    assert!(peak < MAX_KB, "{peak} kB");
    assert!(code.is_some(), "the run ends");
    let log = fs::read_to_string(dir.path("log")).unwrap();
    assert!(!log.contains("panic"), "{log}");
    for pid in fs::read_to_string(pids).unwrap().lines() {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "process {pid} was not ended: {state}");
    }
    let row = dir.query_row("SELECT state, error_code, truncated FROM recording");
    let end = match row["state"].as_str() {
        Some("done") if row["truncated"] == 1 => "truncated",
        Some("done") => "done",
        _ => row["error_code"].as_str().unwrap_or("no code"),
    };
    println!("{end}, {:.2} s, {} MB: {script}", took.as_secs_f64(), peak / 1024);
    (end.to_owned(), took)
}

#[track_caller]
fn ends(script: &str, flags: &[&str], code: &str, seconds: u64) {
    let (end, took) = end(script, flags);
    assert_eq!(end, code, "{script}");
    assert!(took < Duration::from_secs(seconds), "{took:?}: {script}");
}

#[test]
fn an_ffmpeg_that_hangs_is_ended_with_its_child_processes() {
    ends("sleep 300", &["--timeout", "1s"], "timeout", 20);
    ends("sleep 300 & echo $! >>PIDS; wait", &["--timeout", "1s"], "timeout", 20);
    ends("HEADER; head -c 32000 /dev/zero; sleep 300", &["--timeout", "1s"], "timeout", 20);
    // It closes its output, and does not end.
    ends("HEADER; head -c 32000 /dev/zero; exec >&-; sleep 300", &[], "truncated", 20);
    // It ends, and its child process keeps its standard error open.
    ends("HEADER; head -c 32000 /dev/zero; sleep 300 >/dev/null & echo $! >>PIDS; exit 0", &[], "done", 20);
}

#[test]
fn an_ffmpeg_that_writes_without_end_is_stopped() {
    ends("HEADER; cat /dev/zero", &[], "corrupt", 80);
    ends("HEADER; cat /dev/zero", &["--max-duration", "10s"], "too_long", 20);
    ends("cat /dev/zero >&2", &["--timeout", "2s"], "timeout", 20);
    ends("cat /dev/zero", &[], "ffmpeg_error", 20);
    ends("yes '[error] no' | head -c 20000000 >&2; exit 1", &[], "unsupported_format", 20);
}

#[test]
fn wrong_output_of_ffmpeg_has_a_code() {
    ends("echo '<html>this is not audio</html>'", &[], "ffmpeg_error", 20);
    ends("exit 0", &[], "unsupported_format", 20);
    ends(
        r"printf 'RIFF....WAVEfmt \020\0\0\0\003\0\001\0\0\0\0\0\0\0\0\0\004\0\040\0data....'",
        &[],
        "implausible_header",
        20,
    );
    ends(
        r"printf 'RIFF....WAVEfmt \020\0\0\0\003\0\377\377\100\037\0\0\0\0\0\0\004\0\040\0data....'",
        &[],
        "implausible_header",
        20,
    );
    // A chunk of 4 GB before the samples.
    ends(r"printf 'RIFF....WAVEjunk\377\377\377\377'; cat /dev/zero", &[], "ffmpeg_error", 20);
    // Samples that are NaN.
    ends(r"HEADER; yes | head -c 64000 | tr '\n' '\377' | tr 'y' '\377'", &[], "done", 20);
}

#[test]
fn the_output_of_an_ffmpeg_that_crashes_is_used() {
    let speech = fixture("speech/wav_f32_16k_mono.wav");
    let speech = speech.display();
    ends("kill -SEGV $$", &[], "unsupported_format", 20);
    ends(&format!("head -c 20000 '{speech}'; kill -SEGV $$"), &[], "truncated", 20);
    ends(&format!("head -c 20000 '{speech}'; kill -SEGV $$"), &["--strict"], "damaged", 20);
    ends(&format!("cat '{speech}'; exit 0"), &["--strict"], "done", 20);
    ends(&format!("cat '{speech}'; exit 1"), &[], "truncated", 20);
    ends("kill -KILL $$", &["--decoder", "ffmpeg"], "ffmpeg_error", 20);
}
