//! Runs that are cut off by kill -9, and a second run beside one. tests/outages.rs has what else may come between.
#![cfg(unix)]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::desk::{Desk, Said};

/// Enough work to be caught in the middle of it.
const RECORDINGS: usize = 24;

fn fetch(input: &Desk) -> Vec<String> {
    ["fetch", input.path("in").to_str().unwrap(), "--workers", "4", "--json"].map(str::to_owned).to_vec()
}

fn as_strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Waits until some recordings are done and some are not.
fn wait_for_the_middle(desk: &Desk) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !desk.path("prepare-audio.db").exists() || desk.count("done") < 3 {
        assert!(Instant::now() < give_up, "nothing is being done");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Rows without what must differ from run to run.
fn rows(desk: &Desk) -> Vec<Value> {
    let mut rows = desk.segments(&[]);
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("recording_id");
        let path = row["path"].as_str().unwrap().to_owned();
        row["path"] = path.strip_prefix(desk.path("").to_str().unwrap()).unwrap().into();
    }
    rows.sort_by_key(|row| (row["source"].to_string(), row["idx"].as_i64()));
    rows
}

fn assert_same_as_undisturbed(disturbed: &Desk, input: &Desk) {
    let undisturbed = Desk::new();
    undisturbed.run(&as_strs(&fetch(input))).exits(0);
    assert_eq!(disturbed.count("done"), RECORDINGS as i64);
    assert_eq!(rows(disturbed), rows(&undisturbed));
    let (got, want) = (disturbed.files("segments"), undisturbed.files("segments"));
    let names =
        |files: &[(std::path::PathBuf, Vec<u8>)]| files.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&got), names(&want), "no file too many (a temporary one, say), none too few");
    assert!(got == want, "the files' bytes differ");
    assert!(names(&got).iter().all(|path| is_final(path)));
}

fn is_final(path: &Path) -> bool {
    !path.file_name().unwrap().to_str().unwrap().starts_with('.')
}

#[test]
fn after_kill_9_a_second_run_ends_where_one_would_have() {
    let (desk, input) = (Desk::new(), Desk::new());
    input.long_recordings("in", RECORDINGS);
    let args = fetch(&input);
    let mut child = desk.start(&as_strs(&args));
    wait_for_the_middle(&desk);
    child.kill().unwrap();
    child.wait().unwrap();
    let before = desk.count("done");
    assert!(before < RECORDINGS as i64, "killed too late to show anything");
    assert!(desk.count("running") > 0, "what ran still looks as if it did");
    let started = Instant::now();
    let said = desk.run(&as_strs(&args)).exits(0).json();
    assert!(started.elapsed() < Duration::from_secs(60), "the dead worker's lease was waited for");
    assert_eq!(said["done"].as_i64().unwrap() + before, RECORDINGS as i64, "nothing is done twice");
    assert_same_as_undisturbed(&desk, &input);
}

/// A recording whose process dies again and again is put aside, and the exit code says so.
#[test]
fn what_crashes_too_often_is_quarantined_and_told() {
    let desk = Desk::new();
    desk.long_recordings("in", 1);
    desk.run(&["add", "in"]).exits(0);
    crate::queueing::row(&desk, "UPDATE recording SET attempts = 2");
    // Long enough to be killed in.
    let long = std::fs::read(desk.path("in/recording 000.wav")).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(desk.path("in/recording 000.wav")).unwrap();
    for _ in 0..20 {
        std::io::Write::write_all(&mut file, &long[44..]).unwrap();
    }
    let bytes = 21 * (long.len() as u32 - 44);
    use std::os::unix::fs::FileExt;
    let patch = std::fs::OpenOptions::new().write(true).open(desk.path("in/recording 000.wav")).unwrap();
    patch.write_all_at(&(bytes + 36).to_le_bytes(), 4).unwrap();
    patch.write_all_at(&bytes.to_le_bytes(), 40).unwrap();
    let mut child = desk.start(&["fetch"]);
    let give_up = Instant::now() + Duration::from_secs(30);
    while desk.count("running") == 0 {
        assert!(Instant::now() < give_up);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = desk.run(&["fetch"]).exits(3);
    assert!(said.out.contains("1 recording failed or quarantined: crashed 1"), "{}", said.out);
    assert_eq!(desk.count("quarantined"), 1);
    assert!(desk.files("segments").is_empty(), "no temporary file is left");
}

#[test]
fn two_runs_side_by_side_share_the_work() {
    let (desk, input) = (Desk::new(), Desk::new());
    input.long_recordings("in", RECORDINGS);
    let args = fetch(&input);
    let children = [desk.start(&as_strs(&args)), desk.start(&as_strs(&args))];
    let done: i64 = children
        .into_iter()
        .map(|child| Said::from(child.wait_with_output().unwrap()).exits(0).json()["done"].as_i64().unwrap())
        .sum();
    assert_eq!(done, RECORDINGS as i64, "each recording by one of the two");
    assert_same_as_undisturbed(&desk, &input);
}
