//! Tests of the store that apply only to SQLite: processes that create the file at the same time, and dead workers, which
//! are detected at once.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use prepare_audio::store::{self, Isolation};

use crate::support::test_database::{TIMEOUT, TestDatabase, claim_isolated, claim_one, claimer, runtime};

/// Set for the processes that these tests start. They run this test binary, too.
const CHILD: &str = "PREPARE_AUDIO_TEST_DATABASE";

fn child(test: &str, db: &TestDatabase) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env(CHILD, db.url.to_string());
    command.stdout(Stdio::piped()).spawn().unwrap()
}

fn sqlite_database() -> TestDatabase {
    runtime().block_on(TestDatabase::sqlite()).unwrap()
}

#[test]
#[ignore = "runs in a process that other tests start"]
fn child_opens_the_database() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    runtime().block_on(store::connect(&url.parse().unwrap())).unwrap();
}

/// Without a lock for the creation of the tables, 160 of 480 processes failed.
#[test]
fn many_processes_create_the_database_at_the_same_time() {
    let db = sqlite_database();
    let children: Vec<_> = (0..48).map(|_| child("store::sqlite_only::child_opens_the_database", &db)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    runtime().block_on(db.with(&["a"]));
}

#[test]
#[ignore = "runs in a process that other tests start"]
fn child_holds_a_claim() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    runtime().block_on(async {
        let store = store::connect(&url.parse().unwrap()).await.unwrap();
        let _registration = store.register_worker("worker").await.unwrap();
        claim_one(&store).await;
        println!("claimed");
        tokio::time::sleep(Duration::from_secs(600)).await;
    });
}

#[test]
fn a_dead_worker_is_detected_at_once() {
    let db = sqlite_database();
    let store = runtime().block_on(db.with(&["a"]));
    drop(store);
    let mut worker = child("store::sqlite_only::child_holds_a_claim", &db);
    let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("claimed")));
    runtime().block_on(async {
        let store = db.open().await;
        assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 0, "the worker is alive");
        worker.kill().unwrap();
        worker.wait().unwrap();
        assert_eq!(lock_files(db.folder()), 1);
        assert_eq!(
            store.reap(TIMEOUT).await.unwrap().len(),
            1,
            "the worker is dead, although its lease has not expired"
        );
        assert_eq!(lock_files(db.folder()), 0, "its lock file is removed");
        let again = claim_isolated(&store).await;
        assert_eq!((again.attempts, again.crashes), (2, 1));
    });
}

#[test]
#[ignore = "a process that other tests start"]
fn works_on_one_of_three_claims() {
    let Ok(url) = std::env::var(CHILD) else {
        return;
    };
    runtime().block_on(async {
        let store = store::connect(&url.parse().unwrap()).await.unwrap();
        let registration = store.register_worker("worker").await.unwrap();
        let record = registration.work_record().expect("a file is the record");
        let claims = store.claim(&claimer("worker", "recipe"), 3, Isolation::Shared).await.unwrap();
        record.begin(0, &claims[0].key);
        record.begin(1, &claims[1].key);
        record.end(0);
        println!("claimed");
        tokio::time::sleep(Duration::from_secs(600)).await;
    });
}

#[test]
fn a_death_counts_for_what_was_worked_on_alone() {
    let db = sqlite_database();
    drop(runtime().block_on(db.with(&["over", "in work", "not begun"])));
    let mut worker = child("store::sqlite_only::works_on_one_of_three_claims", &db);
    let lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("claimed")));
    worker.kill().unwrap();
    worker.wait().unwrap();
    runtime().block_on(async {
        let store = db.open().await;
        assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 3);
        let rows = "SELECT source || ' ' || crashes || ' ' || attempts || ' ' || state FROM recording ORDER BY id";
        assert_eq!(db.query(rows).await, ["over 0 0 pending", "in work 1 1 pending", "not begun 0 0 pending"]);
    });
}

#[test]
fn a_worker_that_ends_removes_its_lock_file() {
    let db = sqlite_database();
    runtime().block_on(async {
        let store = db.open().await;
        let odd = "host/../ä\"' 1.2";
        let (first, second) = (store.register_worker("a").await.unwrap(), store.register_worker(odd).await.unwrap());
        assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 0);
        assert_eq!(lock_files(db.folder()), 2);
        drop((first, second));
        assert_eq!(lock_files(db.folder()), 0);
    });
}

fn lock_files(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("queue.db-workers")).unwrap().count()
}

#[test]
fn creates_at_most_one_folder_for_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/new/er/queue.db", folder.path().display());
    let error = runtime()
        .block_on(store::connect(&url.parse().unwrap()))
        .err()
        .expect("the disk of a missing folder may not be mounted");
    assert!(error.to_string().contains("new/er/queue.db"), "{error}");
    assert!(!folder.path().join("new").exists());
    let url = format!("sqlite://{}/new/queue.db", folder.path().display());
    runtime().block_on(store::connect(&url.parse().unwrap())).unwrap();
    let foreign = folder.path().join("notes.db");
    std::fs::write(&foreign, "notes, which are not a database. ".repeat(100)).unwrap();
    let error = runtime().block_on(store::connect(&foreign.to_str().unwrap().parse().unwrap())).err().unwrap();
    assert_eq!(error.code(), "database_error");
    assert!(error.to_string().contains("notes.db"), "{error}");
    let error = runtime().block_on(store::connect(&"/proc/queue.db".parse().unwrap())).err().unwrap();
    assert!(["database_unreachable", "database_read_only"].contains(&error.code()), "{error}");
}
