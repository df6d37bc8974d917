//! Folders of recordings that are away, as one that is not mounted.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use crate::support::test_dir::{CommandOutput, TestDir};

/// Recordings in a folder that is about to be away, and in one that stays.
fn directory() -> TestDir {
    let dir = TestDir::new();
    for name in ["mnt/nas/a.wav", "mnt/nas/sub/b.wav", "here/c.wav"] {
        dir.copy("speech/wav_s16_16k_mono.wav", name);
    }
    dir.write("mnt/other", "a second mount point");
    dir.run(&["add", "mnt", "here"]).exits(0);
    dir
}

fn attempts(dir: &TestDir) -> i64 {
    dir.query_row("SELECT SUM(attempts) AS n FROM recording")["n"].as_i64().unwrap()
}

/// A run that is to end prepares what it can, waits, and ends with a code of its own. The next one goes on.
#[test]
fn a_folder_that_is_away_fails_nothing() {
    for is_mount_point in [false, true] {
        let dir = directory();
        fs::rename(dir.path("mnt/nas"), dir.path("away")).unwrap();
        if is_mount_point {
            fs::create_dir(dir.path("mnt/nas")).unwrap();
        }
        let output = dir.run(&["fetch", "--source-wait", "1s", "--no-audio", "--json"]).exits(5);
        let report = output.json();
        assert_eq!((&report["done"], &report["failed"]), (&1.into(), &0.into()), "{report}");
        assert_eq!(report["unavailable_folders"], 1);
        let lines = output.stderr.lines().filter(|line| line.contains("mnt/nas is missing or empty")).count();
        assert_eq!(lines, 1, "{}", output.stderr);
        assert_eq!((dir.count("pending"), attempts(&dir)), (2, 1));
        let text = dir.run(&["fetch", "--source-wait", "1s", "--no-audio"]).exits(5).stdout;
        assert!(text.contains("1 folder of recordings not there: 2 recordings stay pending"), "{text}");
        if is_mount_point {
            fs::remove_dir(dir.path("mnt/nas")).unwrap();
        }
        fs::rename(dir.path("away"), dir.path("mnt/nas")).unwrap();
        dir.run(&["fetch", "--no-audio"]).exits(0);
        assert_eq!((dir.count("done"), attempts(&dir)), (3, 3));
    }
}

/// A run that watches goes on by itself. Relative sources are recognised by the folder that they are relative to.
#[test]
fn a_run_goes_on_when_the_folder_is_back() {
    let dir = TestDir::new();
    dir.copy("speech/wav_s16_16k_mono.wav", "away/a.wav");
    dir.copy("speech/wav_s16_16k_mono.wav", "here/c.wav");
    dir.write("mnt/other", "a second mount point");
    dir.write("list.txt", "a.wav\nb/c.wav\n");
    dir.run(&["add", "list.txt", "--audio-dir", "mnt/nas"]).exits(0);
    assert_eq!(dir.query_row("SELECT MIN(source) AS s FROM recording")["s"], "a.wav");
    let watching = dir.start(&["fetch", "--watch", "--audio-dir", "mnt/nas", "--no-audio", "--workers", "2"]);
    std::thread::sleep(Duration::from_millis(1500));
    dir.run(&["add", dir.path("here/c.wav").to_str().unwrap()]).exits(0);
    wait(&dir, "done", 1);
    assert_eq!((dir.count("failed"), attempts(&dir)), (0, 1));
    fs::rename(dir.path("away"), dir.path("mnt/nas")).unwrap();
    wait(&dir, "done", 2);
    // The folder `b` of the other one is still missing.
    assert_eq!((dir.count("failed"), dir.count("pending")), (0, 1));
    dir.copy("speech/wav_s16_16k_mono.wav", "mnt/nas/b/other.wav");
    wait(&dir, "failed", 1);
    let kill = Command::new("kill").args(["-INT", &watching.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = CommandOutput::from(watching.wait_with_output().unwrap());
    assert!(output.stderr.contains("nas is back after"), "{}", output.stderr);
}

fn wait(dir: &TestDir, state: &str, number: i64) {
    let begun = Instant::now();
    while dir.count(state) != number {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", dir.status());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Of many failures of one kind the first are logged, and the others counted.
#[test]
fn failures_of_one_kind_are_summed_up() {
    let dir = TestDir::new();
    dir.write("in/here.txt", "");
    dir.write("list.txt", (0..100).map(|n| format!("in/{n}.wav\n")).collect::<String>());
    let output = dir.run(&["fetch", "list.txt"]).exits(3);
    let lines = output.stderr.lines().filter(|line| line.contains("no such file")).count();
    assert!((1..50).contains(&lines), "{lines}");
    assert!(output.stderr.contains("more recordings failed in the same way"), "{}", output.stderr);
    assert!(output.stdout.contains("not_found 100"), "{}", output.stdout);
}
