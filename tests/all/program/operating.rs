//! Commands for operators: `cancel`, `requeue`, `quarantine`, `workers`, `status`, and priorities.

use std::io::{BufRead, BufReader};

use serde_json::Value;
use sqlx::{ConnectOptions, Connection};

use crate::support::{
    postgres::unprivileged_user,
    test_dir::{CommandOutput, TestDir, count_in},
};

const SPEECH: &str = "speech/wav_s16_16k_mono.wav";

/// A directory with pending recordings of these names.
fn pending(names: &[&str]) -> TestDir {
    let dir = TestDir::new();
    for name in names {
        dir.copy(SPEECH, name);
        dir.run(&["add", name]).exits(0);
    }
    dir
}

#[test]
fn cancelled_recordings_are_not_prepared() {
    let dir = pending(&["done.wav", "a.wav", "in/b.wav", "in/c.wav", "d.wav"]);
    dir.query_row("UPDATE recording SET state = 'done' WHERE id = 1");
    let output = dir.run(&["cancel", "in", "2", "--json"]).exits(0).json();
    assert_eq!(output, serde_json::json!({ "cancelled": 3, "unknown": [], "ended": [] }));
    let output = dir.run(&["cancel", "d.wav", "done.wav", "gone.wav", "99", "2"]).exits(2);
    assert!(output.stdout.contains("1 recording cancelled"), "{}", output.stdout);
    assert!(output.stderr.contains("gone.wav, 99: no recording has this id or source"), "{}", output.stderr);
    assert!(output.stderr.contains("done.wav, 2: done or cancelled already"), "{}", output.stderr);
    assert_eq!(dir.run(&["fetch", "--json"]).exits(0).json()["done"], 0);
    // `retry` with an id makes a cancelled recording pending again.
    dir.run(&["retry", "2"]).exits(0);
    assert_eq!(dir.run(&["fetch", "--json"]).exits(0).json()["done"], 1);
    assert_eq!((dir.count("cancelled"), dir.count("done")), (3, 2));
}

#[test]
fn all_pending_recordings_can_be_cancelled() {
    let dir = pending(&["a.wav", "b.wav", "c.wav"]);
    dir.query_row("UPDATE recording SET state = 'failed', error_code = 'corrupt' WHERE id = 1");
    assert_eq!(dir.run(&["cancel", "--all-pending", "--json"]).exits(0).json()["cancelled"], 2);
    assert!(dir.run(&["cancel", "--all-pending"]).exits(0).stdout.contains("no recording is pending"));
    assert_eq!((dir.count("cancelled"), dir.count("failed")), (2, 1));
}

#[test]
fn requeue_selects_recordings_by_error_code() {
    let dir = pending(&["a.wav", "b.wav", "c.wav"]);
    dir.query_row(
        "UPDATE recording SET state = 'failed', error_code = CASE id WHEN 1 THEN 'corrupt' ELSE 'disk_full' END",
    );
    dir.query_row("UPDATE recording SET state = 'quarantined', error_code = 'crashed' WHERE id = 3");
    let output = dir.run(&["requeue", "--where-error", "read_error"]).exits(0);
    assert!(output.stdout.contains("no recording failed with read_error"), "{}", output.stdout);
    // If one code is misspelt, nothing is changed.
    let output = dir.run(&["requeue", "--where-error", "disk_ful", "--where-error", "corrupt"]).exits(2);
    for words in [
        "unknown code disk_ful;",
        "failed with corrupt (1), crashed (1), disk_full (1)",
        "empty_file, encrypted, ffmpeg_error",
    ] {
        assert!(output.stderr.contains(words), "{words} is missing in {}", output.stderr);
    }
    assert_eq!(dir.count("pending"), 0);
    let output = dir.run(&["requeue", "--where-error", "disk_full", "--where-error", "crashed", "--json"]).exits(0);
    assert_eq!(output.json()["requeued"], 2);
    assert_eq!((dir.count("pending"), dir.count("failed")), (2, 1));
}

#[test]
fn requeue_by_id_prepares_done_recordings_again() {
    let dir = pending(&["a.wav"]);
    dir.run(&["fetch"]).exits(0);
    let (files, rows) = (dir.files("segments"), dir.segments(&[]));
    assert!(dir.run(&["retry", "1"]).exits(2).stderr.contains("are not failed"));
    let output = dir.run(&["requeue", "1", "1", "7"]).exits(2);
    assert!(
        output.stdout.contains("1 recording back") && output.stderr.contains("1 of the ids"),
        "{}{}",
        output.stdout,
        output.stderr
    );
    assert_eq!(dir.files("segments"), files, "files stay until the recording is done again");
    assert_eq!(dir.run(&["fetch", "--json"]).exits(0).json()["done"], 1);
    assert_eq!(dir.segments(&[]), rows);
}

#[test]
fn quarantined_recordings_are_listed_and_released() {
    let dir = pending(&["a.wav", "b.wav", "c.wav"]);
    assert!(dir.run(&["quarantine", "list"]).exits(0).stdout.contains("no recording is quarantined"));
    dir.query_row(
        "UPDATE recording SET state = 'quarantined', attempts = 3, crashes = 2, error_code = 'crashed',
                error = 'the worker vanished', finished_at = 1700000000000 + id * 1000 WHERE id > 1",
    );
    let output = dir.run(&["quarantine", "list", "--limit", "1"]).exits(0);
    for words in ["c.wav", "2023-11-14T22:13:23Z", "the worker vanished", "the newest 1 of 2", "prepare-audio retry ID"]
    {
        assert!(output.stdout.contains(words), "{words} is missing in\n{}", output.stdout);
    }
    let output = dir.run(&["quarantine", "list", "--json"]).exits(0).json();
    assert_eq!((&output["recordings"], &output["quarantined"][1]["crashes"]), (&2.into(), &2.into()));
    dir.run(&["retry", "2"]).exits(0);
    assert_eq!(dir.run(&["quarantine", "list", "--json"]).exits(0).json()["recordings"], 1);
}

#[test]
fn workers_are_listed_with_their_recordings() {
    let dir = pending(&["a.wav", "b.wav"]);
    assert!(dir.run(&["workers"]).exits(0).stdout.contains("no worker holds a recording"));
    dir.query_row(
        "UPDATE recording SET state = 'running', worker = 'host-7-0a1b2c3d', attempts = 1, recipe = 'r',
                started_at = unixepoch() * 1000 - 90000, lease_until = unixepoch() * 1000 + (id * 2 - 3) * 60000",
    );
    let output = dir.run(&["workers"]).exits(0).stdout;
    for words in ["host-7-0a1b2c3d", "a.wav", "b.wav", "1 min 3", "overdue", "2 recordings held by 1 worker"] {
        assert!(output.contains(words), "{words} is missing in\n{output}");
    }
    let output = dir.run(&["workers", "--json"]).exits(0).json();
    let held = &output["workers"][0]["recordings"];
    assert!(held[0]["lease_left_ms"].as_i64().unwrap() < 0 && held[1]["lease_left_ms"].as_i64().unwrap() > 30_000);
}

#[test]
fn the_lowest_priority_is_prepared_first() {
    let dir = TestDir::new();
    for (name, priority) in [("late.wav", "5"), ("first.wav", "-5"), ("plain.wav", "0")] {
        dir.copy(SPEECH, name);
        dir.run(&["add", name, "--priority", priority]).exits(0);
    }
    dir.copy("speech/pauses.wav", "urgent.wav");
    dir.run(&["add", "late.wav", "--priority", "-9"]).exits(0); // a known recording keeps its priority
    dir.run(&["fetch", "urgent.wav", "--priority", "-7", "--workers", "1"]).exits(0);
    let order = dir.query_row(
        "SELECT group_concat(replace(source, rtrim(source, replace(source, '/', '')), ''), ' ') AS names
         FROM (SELECT source FROM recording ORDER BY started_at, priority)",
    );
    assert_eq!(order["names"], "urgent.wav first.wav plain.wav late.wav");
}

#[test]
fn status_watch_reports_rates() {
    let dir = pending(&["a.wav", "b.wav", "c.wav"]);
    assert_eq!(dir.status()["rates"], Value::Null, "rates need two samples");
    let mut watch = dir.start(&["status", "--watch", "--json"]);
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut next_status = || -> Value { serde_json::from_str(&lines.next().unwrap()).unwrap() };
    assert_eq!(next_status()["rates"], Value::Null);
    dir.query_row("UPDATE recording SET state = 'done', duration_s = 100 WHERE id < 3");
    // The second status may have been read before that.
    let rates = (0..3).map(|_| next_status()["rates"].clone()).last().unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    let [minute, real, left] = ["recordings_per_minute", "audio_x_real_time", "left_s"].map(|key| rates[key].as_f64());
    let over = rates["over_s"].as_f64().unwrap();
    assert!((minute.unwrap() - 120.0 / over).abs() < 1e-6, "{rates}");
    assert!((real.unwrap() - 200.0 / over).abs() < 1e-6 && (left.unwrap() - over / 2.0).abs() < 1e-6, "{rates}");
}

#[test]
fn manual_and_completions_cover_the_commands() {
    let manual = TestDir::new().run(&["man"]).exits(0).stdout;
    for page in ["cancel", "requeue", "quarantine", "quarantine\\-list", "workers"] {
        assert!(manual.contains(&format!("prepare\\-audio\\-{page} ")), "{page}");
    }
    let completions = TestDir::new().run(&["completions", "bash"]).exits(0).stdout;
    assert!(completions.contains("--all-pending") && completions.contains("--from-database"));
}

/// Runs `program` with permission to read the directory but not to write. If the tests run as root, it runs as another user.
#[cfg(target_os = "linux")]
fn as_reader(program: &std::path::Path, dir: &TestDir, args: &[&str]) -> CommandOutput {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    let mut command = std::process::Command::new(program);
    command.args(args).current_dir(dir.path("")).env_clear().stdin(std::process::Stdio::null());
    if let Some((uid, gid)) = unprivileged_user() {
        command.uid(uid).gid(gid);
    }
    let allow = |rights: [u32; 2]| {
        for entry in walkdir::WalkDir::new(dir.path("")).into_iter().map(Result::unwrap) {
            let rights = rights[usize::from(entry.file_type().is_file())];
            std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(rights)).unwrap();
        }
    };
    allow([0o555, 0o444]);
    let output = command.output().unwrap().into();
    allow([0o755, 0o644]);
    output
}

/// Neither the file nor its folder is writable. It works whether another process has the database open or not.
#[cfg(target_os = "linux")]
#[test]
fn commands_that_only_read_need_no_permission_to_write() {
    use std::os::unix::fs::PermissionsExt;
    let dir = pending(&["a.wav", "b.wav"]);
    dir.run(&["fetch"]).exits(0);
    // A folder that the other user can reach.
    let reachable = TestDir::new();
    std::fs::set_permissions(reachable.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = reachable.path("prepare-audio");
    std::fs::copy(env!("CARGO_BIN_EXE_prepare-audio"), &program).unwrap();
    let as_reader = |args: &[&str]| as_reader(&program, &dir, args);
    let check_done = |done: i64| {
        let status = as_reader(&["status", "--json"]).exits(0).json();
        assert_eq!(count_in(&status, "done"), done);
        assert_eq!(as_reader(&["segments", "--json"]).exits(0).json_lines().len() as i64, done);
        as_reader(&["workers"]).exits(0);
    };
    check_done(2);
    assert!(!dir.path("prepare-audio.db-wal").exists(), "no file was created beside it");
    let output = as_reader(&["retry", "1"]).exits(4);
    assert!(output.stderr.contains("cannot be written") && output.stderr.contains("rights"), "{}", output.stderr);
    as_reader(&["add", "a.wav"]).exits(4);
    // While another connection is open, new rows are in the write-ahead log beside the file.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.path("prepare-audio.db"));
    crate::support::test_database::runtime().block_on(async {
        let mut open = options.connect().await.unwrap();
        sqlx::query("UPDATE recording SET state = 'failed' WHERE id = 2").execute(&mut open).await.unwrap();
        assert!(dir.path("prepare-audio.db-wal").exists());
        check_done(1);
        open.close().await.unwrap();
    });
    // Tables of another version are not read as if they were ours.
    dir.query_row("DELETE FROM prepare_audio_migrations WHERE version > 1");
    let output = as_reader(&["status"]).exits(4);
    assert!(output.stderr.contains("another version"), "{}", output.stderr);
}
