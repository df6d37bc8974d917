//! Runs that are killed, and two runs at the same time. tests/all/outages has other interruptions.
#![cfg(unix)]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::test_dir::{CommandOutput, TestDir};

/// Enough recordings to kill a run in the middle.
const RECORDINGS: usize = 24;

fn fetch(input: &TestDir) -> Vec<String> {
    ["fetch", input.path("in").to_str().unwrap(), "--workers", "4", "--json"].map(str::to_owned).to_vec()
}

fn as_strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Waits until some recordings are done and some are not.
fn wait_for_the_middle(dir: &TestDir) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !dir.path("prepare-audio.db").exists() || dir.count("done") < 3 {
        assert!(Instant::now() < give_up, "nothing is being done");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Segment rows without ids and without the directory's path, which differ from run to run.
fn rows(dir: &TestDir) -> Vec<Value> {
    let mut rows = dir.segments(&[]);
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("recording_id");
        let path = row["path"].as_str().unwrap().to_owned();
        row["path"] = path.strip_prefix(dir.path("").to_str().unwrap()).unwrap().into();
    }
    rows.sort_by_key(|row| (row["source"].to_string(), row["idx"].as_i64()));
    rows
}

fn assert_same_as_undisturbed(disturbed: &TestDir, input: &TestDir) {
    let undisturbed = TestDir::new();
    undisturbed.run(&as_strs(&fetch(input))).exits(0);
    assert_eq!(disturbed.count("done"), RECORDINGS as i64);
    assert_eq!(rows(disturbed), rows(&undisturbed));
    let (got, want) = (disturbed.files("segments"), undisturbed.files("segments"));
    let names =
        |files: &[(std::path::PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&got), names(&want), "no file is missing, and there is no other, such as a temporary one");
    assert!(got == want, "the files' bytes differ");
    assert!(names(&got).iter().all(|path| is_final(path)));
}

fn is_final(path: &Path) -> bool {
    !path.file_name().unwrap().to_str().unwrap().starts_with('.')
}

#[test]
fn after_a_kill_a_second_run_completes_the_work() {
    let (dir, input) = (TestDir::new(), TestDir::new());
    input.long_recordings("in", RECORDINGS);
    let args = fetch(&input);
    let mut child = dir.start(&as_strs(&args));
    wait_for_the_middle(&dir);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = dir.count("done");
    assert!(before < RECORDINGS as i64, "the run was killed before it was done");
    assert!(dir.count("running") > 0, "the dead run's recordings are still marked as running");
    let started = Instant::now();
    let output = dir.run(&as_strs(&args)).exits(0).json();
    assert!(started.elapsed() < Duration::from_secs(60), "the second run does not wait for the lease to expire");
    assert_eq!(output["done"].as_i64().unwrap() + before, RECORDINGS as i64, "no recording is done twice");
    assert_same_as_undisturbed(&dir, &input);
}

/// A recording whose process dies at each attempt is quarantined, and the exit code reports it.
#[test]
fn a_recording_that_crashes_too_often_is_quarantined() {
    let dir = TestDir::new();
    dir.long_recordings("in", 1);
    dir.run(&["add", "in"]).exits(0);
    dir.query_row("UPDATE recording SET attempts = 2");
    // Long enough to kill the process while it is prepared.
    let long = std::fs::read(dir.path("in/recording 000.wav")).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(dir.path("in/recording 000.wav")).unwrap();
    for _ in 0..20 {
        std::io::Write::write_all(&mut file, &long[44..]).unwrap();
    }
    let bytes = 21 * (long.len() as u32 - 44);
    use std::os::unix::fs::FileExt;
    let patch = std::fs::OpenOptions::new().write(true).open(dir.path("in/recording 000.wav")).unwrap();
    patch.write_all_at(&(bytes + 36).to_le_bytes(), 4).unwrap();
    patch.write_all_at(&bytes.to_le_bytes(), 40).unwrap();
    let mut child = dir.start(&["fetch"]);
    let give_up = Instant::now() + Duration::from_secs(30);
    while dir.count("running") == 0 {
        assert!(Instant::now() < give_up);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let output = dir.run(&["fetch"]).exits(3);
    assert!(output.stdout.contains("1 recording failed or quarantined: crashed 1"), "{}", output.stdout);
    assert_eq!(dir.count("quarantined"), 1);
    assert!(dir.files("segments").is_empty(), "no temporary file is left");
}

#[test]
fn two_simultaneous_runs_share_the_work() {
    let (dir, input) = (TestDir::new(), TestDir::new());
    input.long_recordings("in", RECORDINGS);
    let args = fetch(&input);
    let children = [dir.start(&as_strs(&args)), dir.start(&as_strs(&args))];
    let done: i64 = children
        .into_iter()
        .map(|child| CommandOutput::from(child.wait_with_output().unwrap()).exits(0).json()["done"].as_i64().unwrap())
        .sum();
    assert_eq!(done, RECORDINGS as i64, "each recording is done by one of them");
    assert_same_as_undisturbed(&dir, &input);
}
