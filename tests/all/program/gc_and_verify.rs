//! `gc` compares files with rows, and `verify` rows with files.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::test_dir::{CommandOutput, TestDir};

const GC: [&str; 4] = ["gc", "--older-than", "0s", "--json"];

/// A directory with two done recordings, `in/a.wav` and `in/b.wav`, of a few segments each.
fn prepared() -> TestDir {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "in/a.wav");
    dir.copy("speech/wav_s16_16k_mono.wav", "in/b.wav");
    dir.run(&["fetch", "in"]).exits(0);
    dir
}

/// The files of a recording, according to its rows.
fn files_of(dir: &TestDir, id: &str) -> Vec<PathBuf> {
    dir.segments(&[id]).iter().map(|row| row["path"].as_str().unwrap().into()).collect()
}

fn counts(output: &Value, names: &[&str]) -> Vec<i64> {
    names.iter().map(|name| output[name].as_i64().unwrap_or_else(|| panic!("{name} in {output}"))).collect()
}

#[test]
fn gc_removes_files_without_a_row() {
    let dir = prepared();
    let kept = dir.files("segments");
    let folder = files_of(&dir, "1")[0].parent().unwrap().to_owned();
    fs::write(folder.join("00000-0123456789ab.wav"), "orphan").unwrap();
    fs::write(folder.join(".tmp.dead.00000"), "left by a crash").unwrap();
    dir.write("segments/gone-0123456789ab/00000-0123456789ab.wav", "orphan");
    let foreign = ["segments/notes.txt", "segments/mine/00000-0123456789ab.wav"];
    foreign.iter().for_each(|name| drop(dir.write(name, "foreign")));
    let before = dir.files("");
    let output = dir.run(&["gc"]).exits(0);
    assert!(
        output.stdout.starts_with("removed 0 segment files") && output.stdout.contains("3 files too new"),
        "{}",
        output.stdout
    );
    let plan = dir.run(&[&GC[..], &["--dry-run"]].concat()).exits(0).json();
    assert_eq!(counts(&plan, &["segment_files", "temporary_files", "folders", "bytes"]), [2, 1, 1, 27]);
    assert_eq!(plan["paths"].as_array().unwrap().len(), 3);
    assert_eq!(dir.files("segments"), files_below(&before, "segments"), "a dry run changes nothing");
    let output = dir.run(&GC).exits(0).json();
    assert_eq!(counts(&output, &["segment_files", "temporary_files", "folders", "bytes"]), [2, 1, 1, 27]);
    assert_eq!(output["referenced"], kept.len());
    let left: Vec<_> = dir.files("segments").into_iter().filter(|file| !kept.contains(file)).collect();
    assert_eq!(left.len(), foreign.len(), "{left:?}");
    assert!(kept.iter().all(|file| dir.files("segments").contains(file)));
    // The files of a deleted row are removed.
    dir.query_row("DELETE FROM recording WHERE id = 1");
    let output = dir.run(&["gc", "--older-than", "0s"]).exits(0);
    assert!(output.stdout.starts_with("removed 3 segment files"), "{}", output.stdout); // pauses.wav has 3, see fixtures/README.md
    assert!(!folder.exists());
    dir.run(&["verify"]).exits(0);
}

fn files_below(files: &[(PathBuf, Vec<u8>)], folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let below = files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(folder).ok()?, bytes)));
    below.map(|(path, bytes)| (path.to_owned(), bytes.clone())).collect()
}

/// A recording that was put back to pending still has its rows and files. A running one may be about to write its rows.
#[test]
fn gc_keeps_the_files_of_pending_and_running_recordings() {
    let dir = prepared();
    let kept = dir.files("segments");
    dir.query_row("UPDATE recording SET state = 'pending' WHERE id = 1");
    let temporary = files_of(&dir, "2")[0].with_file_name(".tmp.claim.00000");
    fs::write(&temporary, "being written").unwrap();
    dir.query_row("DELETE FROM segment WHERE recording_id = 2");
    dir.query_row("UPDATE recording SET state = 'running', lease_until = 99999999999999 WHERE id = 2");
    let output = dir.run(&GC).exits(0).json();
    assert_eq!(counts(&output, &["segment_files", "temporary_files", "busy_folders"]), [0, 0, 1], "{output}");
    assert_eq!(dir.files("segments").len(), kept.len() + 1);
    // It runs no longer, and no row refers to its files.
    dir.query_row("UPDATE recording SET state = 'failed', lease_until = NULL WHERE id = 2");
    let output = dir.run(&GC).exits(0).json();
    assert_eq!(counts(&output, &["temporary_files", "folders", "busy_folders"]), [1, 1, 0], "{output}");
}

#[test]
fn gc_refuses_an_output_folder_of_which_no_row_has_a_file() {
    let (dir, other) = (prepared(), prepared());
    let foreign = other.path("segments");
    let args = [&GC[..], &["--output", foreign.to_str().unwrap()]].concat();
    dir.run(&args).exits(2);
    dir.query_row("DELETE FROM segment");
    for args in [&args[..], &GC[..]] {
        let output = dir.run(args).exits(2);
        assert!(output.stderr.contains("right database") && output.stderr.contains("--force"), "{}", output.stderr);
    }
    other.run(&["verify"]).exits(0);
    assert!(dir.run(&[&GC[..], &["--force"]].concat()).exits(0).json()["segment_files"].as_i64().unwrap() > 0);
    assert!(dir.files("segments").is_empty());
    let output = dir.run(&["gc", "--output", "nowhere"]).exits(2);
    assert!(output.stderr.contains("nowhere: no such folder"), "{}", output.stderr);
    let output = dir.run(&["gc", "--database", "sqlite://nowhere.db"]).exits(4);
    assert!(output.stderr.contains("no such database") && !dir.path("nowhere.db").exists(), "{}", output.stderr);
}

#[cfg(unix)]
#[test]
fn gc_recognises_files_by_any_path_to_the_output_folder() {
    let dir = TestDir::new();
    fs::create_dir(dir.path("disk")).unwrap();
    std::os::unix::fs::symlink(dir.path("disk"), dir.path("segments")).unwrap();
    dir.copy("speech/pauses.wav", "a.wav");
    dir.run(&["fetch", "a.wav"]).exits(0);
    let kept = dir.files("disk");
    for output in ["segments", "disk", "./disk/../segments/"] {
        let output = dir.run(&[&GC[..], &["--output", output]].concat()).exits(0).json();
        assert_eq!(counts(&output, &["segment_files", "referenced"]), [0, kept.len() as i64], "{output}");
    }
    assert_eq!(dir.files("disk"), kept);
}

/// `gc` with --force and without an age limit removes no file of a row while a run prepares everything twice.
#[test]
fn gc_during_a_run_removes_no_file_of_a_row() {
    let dir = TestDir::new();
    dir.long_recordings("in", 12);
    let forced = [&GC[..], &["--force"]].concat();
    for args in [vec!["fetch", "in", "--workers", "4"], vec!["fetch", "--workers", "4"]] {
        let mut child = dir.start(&args);
        let give_up = Instant::now() + Duration::from_secs(120);
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < give_up);
            if dir.path("segments").exists() {
                dir.run(&forced).exits(0);
            }
        }
        CommandOutput::from(child.wait_with_output().unwrap()).exits(0);
        dir.run(&["verify"]).exits(0);
        dir.run(&forced).exits(0);
        dir.run(&["verify"]).exits(0);
        assert_eq!(dir.count("done"), 12);
        dir.query_row("UPDATE recording SET state = 'pending', attempts = 0");
    }
}

#[test]
fn verify_lists_differences_and_requeues_their_recordings() {
    let dir = prepared();
    let before = dir.files("segments");
    let output = dir.run(&["verify"]).exits(0);
    assert!(output.stdout.contains("all match their rows"), "{}", output.stdout);
    let [truncated, changed, missing] = <[PathBuf; 3]>::try_from(files_of(&dir, "1")).unwrap();
    let bytes = fs::read(&truncated).unwrap();
    fs::write(&truncated, &bytes[..bytes.len() - 2]).unwrap();
    let mut bytes = fs::read(&changed).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&changed, bytes).unwrap();
    fs::remove_file(&missing).unwrap();
    let problems = |args: &[&str]| {
        let lines = dir.run(&[&["verify", "--json"], args].concat()).exits(1).json_lines();
        let (summary, lines) = lines.split_last().unwrap();
        assert_eq!(summary["summary"]["different"], lines.len());
        let listed = lines.iter().map(|line| (line["path"].as_str().unwrap().into(), line["problem"].clone()));
        listed.collect::<Vec<(PathBuf, Value)>>()
    };
    let [truncated, changed, missing] = [(truncated, "length"), (changed, "content"), (missing, "missing")]
        .map(|(path, problem)| (path, problem.into()));
    assert_eq!(problems(&["--quick"]), [truncated.clone(), missing.clone()]);
    assert_eq!(problems(&[]), [truncated.clone(), changed.clone(), missing.clone()]);
    assert_eq!(problems(&["1"]), [truncated, changed, missing]);
    dir.run(&["verify", "in/b.wav"]).exits(0);
    let output = dir.run(&["verify"]).exits(1);
    assert!(
        output.stdout.contains("(recording 1, segment 2)") && output.stdout.contains("verify --requeue"),
        "{}",
        output.stdout
    );
    let output = dir.run(&["verify", "--requeue"]).exits(1);
    assert!(output.stdout.contains("1 recording back to pending"), "{}", output.stdout);
    assert_eq!((dir.count("pending"), dir.count("done")), (1, 1));
    dir.run(&["fetch"]).exits(0);
    dir.run(&["verify"]).exits(0);
    assert_eq!(dir.files("segments"), before);
}

#[test]
fn verify_requeues_nothing_if_the_disk_is_not_mounted() {
    let dir = prepared();
    fs::rename(dir.path("segments"), dir.path("unmounted")).unwrap();
    let refused = || {
        let output = dir.run(&["verify", "--requeue"]).exits(2);
        assert!(output.stderr.contains("mounted") && output.stderr.contains("--force"), "{}", output.stderr);
        assert_eq!(dir.count("done"), 2);
    };
    refused();
    fs::create_dir(dir.path("segments")).unwrap();
    refused();
    fs::remove_dir(dir.path("segments")).unwrap();
    fs::rename(dir.path("unmounted"), dir.path("segments")).unwrap();
    dir.run(&["verify"]).exits(0);
    fs::remove_dir_all(dir.path("segments")).unwrap();
    dir.run(&["verify", "--requeue", "--force"]).exits(1);
    assert_eq!(dir.count("pending"), 2);
    dir.run(&["fetch"]).exits(0);
    dir.run(&["verify"]).exits(0);
}

#[test]
fn verify_needs_a_database_and_rejects_unknown_ids() {
    let dir = TestDir::new();
    let output = dir.run(&["verify"]).exits(4);
    assert!(output.stderr.contains("no such database"), "{}", output.stderr);
    dir.run(&["fetch"]).exits(0);
    dir.run(&["verify"]).exits(0);
    dir.run(&["verify", "7"]).exits(2);
    dir.run(&["verify", "--force"]).exits(2);
    assert!(Path::new(&dir.path("prepare-audio.db")).exists());
}
