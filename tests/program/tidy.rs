//! `gc` and `verify`: files against rows, in both directions.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    queueing::row,
    support::desk::{Desk, Said},
};

const GC: [&str; 4] = ["gc", "--older-than", "0s", "--json"];

/// Two recordings, done: `in/a.wav` and `in/b.wav`, of a few segments each.
fn prepared() -> Desk {
    let desk = Desk::new();
    desk.copy("speech/pauses.wav", "in/a.wav");
    desk.copy("speech/wav_s16_16k_mono.wav", "in/b.wav");
    desk.run(&["fetch", "in"]).exits(0);
    desk
}

/// The files of a recording, by its rows.
fn files_of(desk: &Desk, id: &str) -> Vec<PathBuf> {
    desk.segments(&[id]).iter().map(|row| row["path"].as_str().unwrap().into()).collect()
}

fn counts(said: &Value, names: &[&str]) -> Vec<i64> {
    names.iter().map(|name| said[name].as_i64().unwrap_or_else(|| panic!("{name} in {said}"))).collect()
}

#[test]
fn gc_removes_what_no_row_speaks_of() {
    let desk = prepared();
    let kept = desk.files("segments");
    let folder = files_of(&desk, "1")[0].parent().unwrap().to_owned();
    fs::write(folder.join("00000-0123456789ab.wav"), "orphan").unwrap();
    fs::write(folder.join(".tmp.dead.00000"), "left by a crash").unwrap();
    desk.write("segments/gone-0123456789ab/00000-0123456789ab.wav", "orphan");
    let foreign = ["segments/notes.txt", "segments/mine/00000-0123456789ab.wav"];
    foreign.iter().for_each(|name| drop(desk.write(name, "somebody else's")));
    let before = desk.files("");
    let said = desk.run(&["gc"]).exits(0);
    assert!(said.out.starts_with("removed 0 segment files") && said.out.contains("3 files too young"), "{}", said.out);
    let plan = desk.run(&[&GC[..], &["--dry-run"]].concat()).exits(0).json();
    assert_eq!(counts(&plan, &["segment_files", "temporary_files", "folders", "bytes"]), [2, 1, 1, 27]);
    assert_eq!(plan["paths"].as_array().unwrap().len(), 3);
    assert_eq!(desk.files("segments"), before_below(&before, "segments"), "a plan touches nothing");
    let said = desk.run(&GC).exits(0).json();
    assert_eq!(counts(&said, &["segment_files", "temporary_files", "folders", "bytes"]), [2, 1, 1, 27]);
    assert_eq!(said["referenced"], kept.len());
    let left: Vec<_> = desk.files("segments").into_iter().filter(|file| !kept.contains(file)).collect();
    assert_eq!(left.len(), foreign.len(), "{left:?}");
    assert!(kept.iter().all(|file| desk.files("segments").contains(file)));
    // A deleted row gives its files free.
    row(&desk, "DELETE FROM recording WHERE id = 1");
    let said = desk.run(&["gc", "--older-than", "0s"]).exits(0);
    assert!(said.out.starts_with("removed 3 segment files"), "{}", said.out); // pauses.wav has 3, see fixtures/README.md
    assert!(!folder.exists());
    desk.run(&["verify"]).exits(0);
}

fn before_below(files: &[(PathBuf, Vec<u8>)], folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let below = files.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(folder).ok()?, bytes)));
    below.map(|(path, bytes)| (path.to_owned(), bytes.clone())).collect()
}

/// What was put back to pending has its rows and files still; what runs may be about to write its rows.
#[test]
fn gc_leaves_alone_what_may_be_needed() {
    let desk = prepared();
    let kept = desk.files("segments");
    row(&desk, "UPDATE recording SET state = 'pending' WHERE id = 1");
    let temporary = files_of(&desk, "2")[0].with_file_name(".tmp.claim.00000");
    fs::write(&temporary, "being written").unwrap();
    row(&desk, "DELETE FROM segment WHERE recording_id = 2");
    row(&desk, "UPDATE recording SET state = 'running', lease_until = 99999999999999 WHERE id = 2");
    let said = desk.run(&GC).exits(0).json();
    assert_eq!(counts(&said, &["segment_files", "temporary_files", "busy_folders"]), [0, 0, 1], "{said}");
    assert_eq!(desk.files("segments").len(), kept.len() + 1);
    // Nobody runs it any more, and no row speaks of its files.
    row(&desk, "UPDATE recording SET state = 'failed', lease_until = NULL WHERE id = 2");
    let said = desk.run(&GC).exits(0).json();
    assert_eq!(counts(&said, &["temporary_files", "folders", "busy_folders"]), [1, 1, 0], "{said}");
}

#[test]
fn gc_refuses_an_output_that_it_knows_nothing_of() {
    let (desk, other) = (prepared(), prepared());
    let theirs = other.path("segments");
    let args = [&GC[..], &["--output", theirs.to_str().unwrap()]].concat();
    desk.run(&args).exits(2);
    row(&desk, "DELETE FROM segment");
    for args in [&args[..], &GC[..]] {
        let said = desk.run(args).exits(2);
        assert!(said.err.contains("wrong one") && said.err.contains("--force"), "{}", said.err);
    }
    other.run(&["verify"]).exits(0);
    assert!(desk.run(&[&GC[..], &["--force"]].concat()).exits(0).json()["segment_files"].as_i64().unwrap() > 0);
    assert!(desk.files("segments").is_empty());
    let said = desk.run(&["gc", "--output", "nowhere"]).exits(2);
    assert!(said.err.contains("nowhere: no such folder"), "{}", said.err);
    let said = desk.run(&["gc", "--database", "sqlite://nowhere.db"]).exits(4);
    assert!(said.err.contains("no such database") && !desk.path("nowhere.db").exists(), "{}", said.err);
}

#[cfg(unix)]
#[test]
fn gc_knows_its_files_by_whatever_path() {
    let desk = Desk::new();
    fs::create_dir(desk.path("disk")).unwrap();
    std::os::unix::fs::symlink(desk.path("disk"), desk.path("segments")).unwrap();
    desk.copy("speech/pauses.wav", "a.wav");
    desk.run(&["fetch", "a.wav"]).exits(0);
    let kept = desk.files("disk");
    for output in ["segments", "disk", "./disk/../segments/"] {
        let said = desk.run(&[&GC[..], &["--output", output]].concat()).exits(0).json();
        assert_eq!(counts(&said, &["segment_files", "referenced"]), [0, kept.len() as i64], "{output}");
    }
    assert_eq!(desk.files("disk"), kept);
}

/// With no time to wait and --force, beside a run that prepares everything twice: nothing that a row speaks of is lost.
#[test]
fn gc_beside_a_run_loses_nothing() {
    let desk = Desk::new();
    desk.long_recordings("in", 12);
    let reckless = [&GC[..], &["--force"]].concat();
    for args in [vec!["fetch", "in", "--workers", "4"], vec!["fetch", "--workers", "4"]] {
        let mut child = desk.start(&args);
        let give_up = Instant::now() + Duration::from_secs(120);
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < give_up);
            if desk.path("segments").exists() {
                desk.run(&reckless).exits(0);
            }
        }
        Said::from(child.wait_with_output().unwrap()).exits(0);
        desk.run(&["verify"]).exits(0);
        desk.run(&reckless).exits(0);
        desk.run(&["verify"]).exits(0);
        assert_eq!(desk.count("done"), 12);
        row(&desk, "UPDATE recording SET state = 'pending', attempts = 0");
    }
}

#[test]
fn verify_says_what_differs_and_has_it_made_anew() {
    let desk = prepared();
    let before = desk.files("segments");
    let said = desk.run(&["verify"]).exits(0);
    assert!(said.out.contains("all as their rows say"), "{}", said.out);
    let [cut, changed, gone] = <[PathBuf; 3]>::try_from(files_of(&desk, "1")).unwrap();
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 2]).unwrap();
    let mut bytes = fs::read(&changed).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&changed, bytes).unwrap();
    fs::remove_file(&gone).unwrap();
    let problems = |args: &[&str]| {
        let lines = desk.run(&[&["verify", "--json"], args].concat()).exits(1).json_lines();
        let (summary, lines) = lines.split_last().unwrap();
        assert_eq!(summary["summary"]["different"], lines.len());
        let told = lines.iter().map(|line| (line["path"].as_str().unwrap().into(), line["problem"].clone()));
        told.collect::<Vec<(PathBuf, Value)>>()
    };
    let [cut, changed, gone] = [(cut, "length"), (changed, "content"), (gone, "missing")].map(|(p, w)| (p, w.into()));
    assert_eq!(problems(&["--quick"]), [cut.clone(), gone.clone()]);
    assert_eq!(problems(&[]), [cut.clone(), changed.clone(), gone.clone()]);
    assert_eq!(problems(&["1"]), [cut, changed, gone]);
    desk.run(&["verify", "in/b.wav"]).exits(0);
    let said = desk.run(&["verify"]).exits(1);
    assert!(said.out.contains("(recording 1, segment 2)") && said.out.contains("verify --requeue"), "{}", said.out);
    let said = desk.run(&["verify", "--requeue"]).exits(1);
    assert!(said.out.contains("1 recording back to pending"), "{}", said.out);
    assert_eq!((desk.count("pending"), desk.count("done")), (1, 1));
    desk.run(&["fetch"]).exits(0);
    desk.run(&["verify"]).exits(0);
    assert_eq!(desk.files("segments"), before);
}

#[test]
fn verify_puts_nothing_back_for_a_disk_that_is_not_mounted() {
    let desk = prepared();
    fs::rename(desk.path("segments"), desk.path("unmounted")).unwrap();
    let refused = || {
        let said = desk.run(&["verify", "--requeue"]).exits(2);
        assert!(said.err.contains("mounted") && said.err.contains("--force"), "{}", said.err);
        assert_eq!(desk.count("done"), 2);
    };
    refused();
    fs::create_dir(desk.path("segments")).unwrap();
    refused();
    fs::remove_dir(desk.path("segments")).unwrap();
    fs::rename(desk.path("unmounted"), desk.path("segments")).unwrap();
    desk.run(&["verify"]).exits(0);
    fs::remove_dir_all(desk.path("segments")).unwrap();
    desk.run(&["verify", "--requeue", "--force"]).exits(1);
    assert_eq!(desk.count("pending"), 2);
    desk.run(&["fetch"]).exits(0);
    desk.run(&["verify"]).exits(0);
}

#[test]
fn verify_finds_its_words_on_other_commands() {
    let desk = Desk::new();
    let said = desk.run(&["verify"]).exits(4);
    assert!(said.err.contains("no such database"), "{}", said.err);
    desk.run(&["fetch"]).exits(0);
    desk.run(&["verify"]).exits(0);
    desk.run(&["verify", "7"]).exits(2);
    desk.run(&["verify", "--force"]).exits(2);
    assert!(Path::new(&desk.path("prepare-audio.db")).exists());
}
