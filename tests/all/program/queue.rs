//! The queue as users see it: recordings are added once, done once per recipe, and may be inserted by plain SQL.

use std::collections::HashSet;

use crate::support::test_dir::{TestDir, fixture};

const SPEECH: &str = "speech/wav_s16_16k_mono.wav";

#[test]
fn a_second_fetch_prepares_only_new_recordings() {
    let dir = TestDir::new();
    dir.copy(SPEECH, "in/a.wav");
    let first = dir.run(&["fetch", "in", "--json"]).exits(0).json();
    assert_eq!((&first["done"], &first["failed"]), (&1.into(), &0.into()));
    let files = dir.files("segments");
    dir.copy("speech/pauses.wav", "in/b.wav");
    let second = dir.run(&["fetch", "in", "--json"]).exits(0).json();
    assert_eq!(second["done"], 1, "only the new one");
    assert!(files.iter().all(|file| dir.files("segments").contains(file)), "earlier files are unchanged");
    assert_eq!(dir.run(&["fetch", "--json"]).exits(0).json()["done"], 0);
}

#[test]
fn each_recipe_is_prepared_once() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    for (args, done) in [
        (vec!["fetch", "a.wav"], 1),
        (vec!["fetch", "a.wav", "--workers", "2"], 0),
        (vec!["fetch", "a.wav", "--vad-threshold", "0.3"], 1),
        (vec!["fetch", "a.wav", "--vad-threshold", "0.3"], 0),
        (vec!["fetch"], 0),
    ] {
        let output = dir.run(&[&args[..], &["--json"]].concat()).exits(0).json();
        assert_eq!(output["done"], done, "{args:?}");
    }
    assert_eq!(dir.count("done"), 2);
    let folders: HashSet<_> =
        dir.files("segments").into_iter().map(|(path, _)| path.parent().unwrap().to_owned()).collect();
    assert_eq!(folders.len(), 2, "each recipe has its own folder");
}

#[test]
fn recordings_can_be_added_by_plain_sql() {
    let dir = TestDir::new();
    dir.copy(SPEECH, "audio/a.wav");
    let output = dir.run(&["status"]).exits(4);
    assert!(
        output.stderr.contains("no such database") && !dir.path("prepare-audio.db").exists(),
        "status creates no database"
    );
    dir.run(&["fetch"]).exits(0);
    assert!(dir.run(&["status"]).exits(0).stdout.contains("no recordings yet"), "fetch creates the tables");
    dir.query_row("INSERT INTO recording(source) VALUES ('audio/a.wav')");
    dir.run(&["fetch"]).exits(0);
    assert_eq!(dir.count("done"), 1);
    // Inserted again, it is not prepared again, and its row is removed.
    dir.query_row("INSERT INTO recording(source) VALUES ('audio/a.wav')");
    assert_eq!(dir.run(&["fetch", "--json"]).exits(0).json()["done"], 0);
    assert_eq!((dir.count("done"), dir.count("pending")), (1, 0));
}

#[test]
fn recordings_with_the_same_file_name_have_different_folders() {
    let dir = TestDir::new();
    let [a, b] = ["speech/a", "speech/b"].map(fixture);
    dir.run(&["fetch", a.to_str().unwrap(), b.to_str().unwrap()]).exits(0);
    let rows = dir.segments(&[]);
    let folder = |n: i64| {
        let row = rows.iter().find(|row| row["recording_id"] == n).unwrap();
        dir.path(row["path"].as_str().unwrap()).parent().unwrap().to_owned()
    };
    assert_ne!(folder(1), folder(2));
}

/// If the output folder is within the input folder, segments are not added as recordings.
#[test]
fn segments_are_not_prepared_as_recordings() {
    let dir = TestDir::new();
    dir.copy(SPEECH, "a.wav");
    for done in [1, 0, 0] {
        assert_eq!(dir.run(&["fetch", ".", "--json"]).exits(0).json()["done"], done);
    }
}

#[test]
fn relative_sources_are_read_from_the_audio_folder() {
    let dir = TestDir::new();
    dir.copy(SPEECH, "store/day/a.wav");
    dir.write("list.csv", "path,text\nday/a.wav,hello\n");
    let output = dir.command(&["add", "list.csv"]).env("AUDIO_FILE_DIR", "store").output().unwrap();
    assert!(output.status.success());
    dir.command(&["fetch"]).env("AUDIO_FILE_DIR", "store").output().unwrap();
    assert_eq!(dir.count("done"), 1);
    assert_eq!(dir.query_row("SELECT source FROM recording")["source"], "day/a.wav");
}

#[test]
fn a_list_can_be_read_from_standard_input() {
    let dir = TestDir::new();
    dir.copy(SPEECH, "a.wav");
    dir.copy(SPEECH, "b.wav");
    dir.write("list", "a.wav\nb.wav\n");
    let list = std::fs::File::open(dir.path("list")).unwrap();
    let output = dir.command(&["add", "-", "--json"]).stdin(list).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), r#"{"inserted":2,"known":0}"#);
    assert_eq!(dir.run(&["add", "a.wav", "--json"]).exits(0).json()["known"], 1);
}

#[test]
fn a_dry_run_reports_the_work_and_changes_nothing() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "in/a.wav");
    dir.copy("speech/mp3_44k1_stereo.mp3", "in/b.mp3");
    dir.copy("bad/empty.wav", "in/c.wav");
    let plan = dir.run(&["fetch", "in", "--dry-run", "--json"]).exits(0).json();
    assert_eq!((&plan["recordings"], &plan["new"]), (&3.into(), &3.into()));
    let hours = plan["hours"].as_f64().unwrap() * 3600.0;
    assert!((hours - 13.5).abs() < 0.5, "{hours} s of audio"); // 6.64 s and 6.88 s, see fixtures/README.md
    assert!(!dir.path("prepare-audio.db").exists() && !dir.path("segments").exists());
    dir.run(&["add", "in"]).exits(0);
    let plan = dir.run(&["fetch", "--dry-run", "--json"]).exits(0).json();
    assert_eq!((&plan["recordings"], &plan["new"]), (&3.into(), &0.into()));
    assert_eq!(dir.count("pending"), 3);
    // Recordings that are done with other parameters count as work.
    dir.run(&["fetch"]).exits(1);
    let plan = |args: &[&str]| dir.run(&[&["fetch", "in/a.wav", "--dry-run", "--json"], args].concat()).exits(0).json();
    assert_eq!(plan(&[])["recordings"], 0);
    assert_eq!(plan(&["--vad-threshold", "0.3"])["recordings"], 1);
}

/// A run whose database file is moved away pauses, and resumes when the file is back.
#[test]
fn a_run_waits_for_a_database_file_that_was_moved() {
    let dir = TestDir::new();
    dir.long_recordings("in", 6);
    dir.run(&["add", "in"]).exits(0);
    // One recording becomes available later, so that the run does not end before the file is moved.
    dir.query_row("UPDATE recording SET available_at = 99999999999999 WHERE id = 6");
    let suffixes = ["", "-wal", "-shm"];
    let mut child = dir.start(&["fetch", "--workers", "1", "--json"]);
    let started = std::time::Instant::now();
    while dir.count("done") == 0 {
        assert!(started.elapsed().as_secs() < 60);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for suffix in suffixes {
        let _ = std::fs::rename(dir.path(format!("prepare-audio.db{suffix}")), dir.path(format!("moved.db{suffix}")));
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(child.try_wait().unwrap().is_none(), "the run waits");
    for suffix in suffixes {
        let _ = std::fs::rename(dir.path(format!("moved.db{suffix}")), dir.path(format!("prepare-audio.db{suffix}")));
    }
    dir.query_row("UPDATE recording SET available_at = 0 WHERE id = 6");
    let output = crate::support::test_dir::CommandOutput::from(child.wait_with_output().unwrap()).exits(0);
    assert!(
        output.stderr.contains("paused: the database") && output.stderr.contains("answers again"),
        "{}",
        output.stderr
    );
    assert_eq!(dir.count("done"), 6);
}

/// A password with an unescaped special character must not be shown as a host, a port or a name.
#[test]
fn messages_contain_no_passwords() {
    let dir = TestDir::new();
    for address in [
        "postgres://u:s3cr/et@h:1/d",
        "postgres://u:s3cr@et/x@h/d",
        "postgres://u:s3cr?et@h/d",
        "postgres://u:s3cr et@h/d",
    ] {
        for args in
            [vec!["status"], vec!["doctor"], vec!["add", "x", "--from-database", address, "--query", "SELECT 1"]]
        {
            let output = dir.run(&[&args[..], &["--database", address]].concat());
            assert!(output.code == 2 || output.code == 4, "{}", output.stderr);
            assert!(
                !output.stderr.contains("s3cr") && !output.stdout.contains("s3cr"),
                "{}{}",
                output.stderr,
                output.stdout
            );
            assert!(output.stderr.contains("%XX"), "{}", output.stderr);
        }
    }
    dir.write(".env", "DATABASE_URL=postgres://u:s3cr et@h/x\n");
    let output = dir.run(&["status"]).exits(2);
    assert!(!output.stderr.contains("s3cr") && output.stderr.contains("DATABASE_URL"), "{}", output.stderr);
}

/// Two databases use one output folder. `gc` refuses it, because it would remove the other database's files.
#[test]
fn gc_refuses_a_folder_with_files_of_another_database() {
    let dir = TestDir::new();
    for (database, source) in [("a.db", "a.wav"), ("b.db", "b.wav")] {
        dir.copy(SPEECH, source);
        dir.run(&["fetch", source, "--database", database]).exits(0);
    }
    let output = dir.run(&["gc", "--older-than", "0s", "--database", "a.db"]).exits(2);
    assert!(output.stderr.contains("1 other database"), "{}", output.stderr);
    dir.run(&["verify", "--database", "b.db"]).exits(0);
}
