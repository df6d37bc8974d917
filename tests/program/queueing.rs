//! What becomes of rows: added once, done once for each recipe, open to a user's own SQL.

use std::collections::HashSet;

use serde_json::{Map, Value};
use sqlx::{Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef, sqlite::SqliteConnectOptions};

use crate::support::desk::{Desk, fixture};

const SPEECH: &str = "speech/wav_s16_16k_mono.wav";

/// Runs a user's own SQL on the desk's database; its first row.
pub fn row(desk: &Desk, sql: &'static str) -> Value {
    let options = SqliteConnectOptions::new().filename(desk.path("prepare-audio.db"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut connection = options.connect().await.unwrap();
        let row = sqlx::query(sql).fetch_optional(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let mut values = Map::new();
        let Some(row) = row else { return Value::Null };
        for (index, column) in row.columns().iter().enumerate() {
            // The type of the value, not of the column: an expression has none.
            let kind = row.try_get_raw(index).unwrap().type_info().name().to_owned();
            let value = match kind.as_str() {
                "INTEGER" => row.get::<Option<i64>, _>(index).into(),
                "REAL" => row.get::<Option<f64>, _>(index).into(),
                _ => row.get::<Option<String>, _>(index).into(),
            };
            values.insert(column.name().to_owned(), value);
        }
        Value::Object(values)
    })
}

#[test]
fn a_second_fetch_does_only_what_is_pending() {
    let desk = Desk::new();
    desk.copy(SPEECH, "in/a.wav");
    let first = desk.run(&["fetch", "in", "--json"]).exits(0).json();
    assert_eq!((&first["done"], &first["failed"]), (&1.into(), &0.into()));
    let files = desk.files("segments");
    desk.copy("speech/pauses.wav", "in/b.wav");
    let second = desk.run(&["fetch", "in", "--json"]).exits(0).json();
    assert_eq!(second["done"], 1, "only the new one");
    assert!(files.iter().all(|file| desk.files("segments").contains(file)), "what was there is untouched");
    assert_eq!(desk.run(&["fetch", "--json"]).exits(0).json()["done"], 0);
}

#[test]
fn another_recipe_is_new_work_and_the_same_one_is_not() {
    let desk = Desk::new();
    desk.copy("speech/pauses.wav", "a.wav");
    for (args, done) in [
        (vec!["fetch", "a.wav"], 1),
        (vec!["fetch", "a.wav", "--workers", "2"], 0),
        (vec!["fetch", "a.wav", "--vad-threshold", "0.3"], 1),
        (vec!["fetch", "a.wav", "--vad-threshold", "0.3"], 0),
        (vec!["fetch"], 0),
    ] {
        let said = desk.run(&[&args[..], &["--json"]].concat()).exits(0).json();
        assert_eq!(said["done"], done, "{args:?}");
    }
    assert_eq!(desk.count("done"), 2);
    let folders: HashSet<_> =
        desk.files("segments").into_iter().map(|(path, _)| path.parent().unwrap().to_owned()).collect();
    assert_eq!(folders.len(), 2, "each recipe has its own folder");
}

#[test]
fn a_users_own_insert_is_all_it_takes() {
    let desk = Desk::new();
    desk.copy(SPEECH, "audio/a.wav");
    let said = desk.run(&["status"]).exits(4);
    assert!(said.err.contains("no such database") && !desk.path("prepare-audio.db").exists(), "looking makes nothing");
    desk.run(&["fetch"]).exits(0);
    assert!(desk.run(&["status"]).exits(0).out.contains("no recordings yet"), "the tables are made on first use");
    row(&desk, "INSERT INTO recording(source) VALUES ('audio/a.wav')");
    desk.run(&["fetch"]).exits(0);
    assert_eq!(desk.count("done"), 1);
    // Said again, it is known: nothing is done a second time, and no row is left over.
    row(&desk, "INSERT INTO recording(source) VALUES ('audio/a.wav')");
    assert_eq!(desk.run(&["fetch", "--json"]).exits(0).json()["done"], 0);
    assert_eq!((desk.count("done"), desk.count("pending")), (1, 0));
}

#[test]
fn two_recordings_of_one_name_do_not_collide() {
    let desk = Desk::new();
    let [a, b] = ["speech/a", "speech/b"].map(fixture);
    desk.run(&["fetch", a.to_str().unwrap(), b.to_str().unwrap()]).exits(0);
    let rows = desk.segments(&[]);
    let folder = |n: i64| {
        let row = rows.iter().find(|row| row["recording_id"] == n).unwrap();
        desk.path(row["path"].as_str().unwrap()).parent().unwrap().to_owned()
    };
    assert_ne!(folder(1), folder(2));
}

/// Run again and again in the folder that it writes to, it must not take its segments for recordings.
#[test]
fn segments_are_not_prepared_again() {
    let desk = Desk::new();
    desk.copy(SPEECH, "a.wav");
    for done in [1, 0, 0] {
        assert_eq!(desk.run(&["fetch", ".", "--json"]).exits(0).json()["done"], done);
    }
}

#[test]
fn relative_sources_are_read_from_the_audio_folder() {
    let desk = Desk::new();
    desk.copy(SPEECH, "store/day/a.wav");
    desk.write("list.csv", "path,text\nday/a.wav,hello\n");
    let said = desk.command(&["add", "list.csv"]).env("AUDIO_FILE_DIR", "store").output().unwrap();
    assert!(said.status.success());
    desk.command(&["fetch"]).env("AUDIO_FILE_DIR", "store").output().unwrap();
    assert_eq!(desk.count("done"), 1);
    assert_eq!(row(&desk, "SELECT source FROM recording")["source"], "day/a.wav");
}

#[test]
fn a_list_comes_on_standard_input() {
    let desk = Desk::new();
    desk.copy(SPEECH, "a.wav");
    desk.copy(SPEECH, "b.wav");
    desk.write("list", "a.wav\nb.wav\n");
    let list = std::fs::File::open(desk.path("list")).unwrap();
    let said = desk.command(&["add", "-", "--json"]).stdin(list).output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap().trim(), r#"{"inserted":2,"known":0}"#);
    assert_eq!(desk.run(&["add", "a.wav", "--json"]).exits(0).json()["known"], 1);
}

#[test]
fn a_dry_run_says_how_much_and_touches_nothing() {
    let desk = Desk::new();
    desk.copy("speech/pauses.wav", "in/a.wav");
    desk.copy("speech/mp3_44k1_stereo.mp3", "in/b.mp3");
    desk.copy("bad/empty.wav", "in/c.wav");
    let plan = desk.run(&["fetch", "in", "--dry-run", "--json"]).exits(0).json();
    assert_eq!((&plan["recordings"], &plan["new"]), (&3.into(), &3.into()));
    let hours = plan["hours"].as_f64().unwrap() * 3600.0;
    assert!((hours - 13.5).abs() < 0.5, "{hours} s of audio"); // 6.64 s and 6.88 s, see fixtures/README.md
    assert!(!desk.path("prepare-audio.db").exists() && !desk.path("segments").exists());
    desk.run(&["add", "in"]).exits(0);
    let plan = desk.run(&["fetch", "--dry-run", "--json"]).exits(0).json();
    assert_eq!((&plan["recordings"], &plan["new"]), (&3.into(), &0.into()));
    assert_eq!(desk.count("pending"), 3);
    // What is done with other parameters is work again, as it would be for fetch.
    desk.run(&["fetch"]).exits(1);
    let plan =
        |args: &[&str]| desk.run(&[&["fetch", "in/a.wav", "--dry-run", "--json"], args].concat()).exits(0).json();
    assert_eq!(plan(&[])["recordings"], 0);
    assert_eq!(plan(&["--vad-threshold", "0.3"])["recordings"], 1);
}

/// A run whose database file is moved away pauses, finds it again, and loses nothing.
#[test]
fn a_database_file_that_was_moved_is_missed() {
    let desk = Desk::new();
    desk.long_recordings("in", 6);
    desk.run(&["add", "in"]).exits(0);
    // One is kept for later, so that the run cannot be over before the file is moved.
    row(&desk, "UPDATE recording SET available_at = 99999999999999 WHERE id = 6");
    let ends = ["", "-wal", "-shm"];
    let mut child = desk.start(&["fetch", "--workers", "1", "--json"]);
    let started = std::time::Instant::now();
    while desk.count("done") == 0 {
        assert!(started.elapsed().as_secs() < 60);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for end in ends {
        let _ = std::fs::rename(desk.path(format!("prepare-audio.db{end}")), desk.path(format!("away.db{end}")));
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    for end in ends {
        let _ = std::fs::rename(desk.path(format!("away.db{end}")), desk.path(format!("prepare-audio.db{end}")));
    }
    row(&desk, "UPDATE recording SET available_at = 0 WHERE id = 6");
    let said = crate::support::desk::Said::from(child.wait_with_output().unwrap()).exits(0);
    assert!(said.err.contains("paused: the database") && said.err.contains("answers again"), "{}", said.err);
    assert_eq!(desk.count("done"), 6);
}

/// A password with a character that must be escaped is never shown as a host, a port or a name.
#[test]
fn passwords_do_not_turn_up_in_messages() {
    let desk = Desk::new();
    for address in [
        "postgres://u:s3cr/et@h:1/d",
        "postgres://u:s3cr@et/x@h/d",
        "postgres://u:s3cr?et@h/d",
        "postgres://u:s3cr et@h/d",
    ] {
        for args in
            [vec!["status"], vec!["doctor"], vec!["add", "x", "--from-database", address, "--query", "SELECT 1"]]
        {
            let said = desk.run(&[&args[..], &["--database", address]].concat());
            assert!(said.code == 2 || said.code == 4, "{}", said.err);
            assert!(!said.err.contains("s3cr") && !said.out.contains("s3cr"), "{}{}", said.err, said.out);
            assert!(said.err.contains("%XX"), "{}", said.err);
        }
    }
    desk.write(".env", "DATABASE_URL=postgres://u:s3cr et@h/x\n");
    let said = desk.run(&["status"]).exits(2);
    assert!(!said.err.contains("s3cr") && said.err.contains("DATABASE_URL"), "{}", said.err);
}

/// Two databases that write into one folder: what one knows nothing of is not rubbish.
#[test]
fn gc_leaves_what_another_database_has() {
    let desk = Desk::new();
    for (database, source) in [("a.db", "a.wav"), ("b.db", "b.wav")] {
        desk.copy(SPEECH, source);
        desk.run(&["fetch", source, "--database", database]).exits(0);
    }
    let said = desk.run(&["gc", "--older-than", "0s", "--database", "a.db"]).exits(2);
    assert!(said.err.contains("1 other database"), "{}", said.err);
    desk.run(&["verify", "--database", "b.db"]).exits(0);
}
