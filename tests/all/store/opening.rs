//! Opening a database, for the first time and again.

use std::{future::Future, pin::pin, task::Context, task::Waker, time::Duration};

use prepare_audio::store;

use crate::support::{postgres::PASSWORD, test_database::TestDatabase};

pub async fn opening_again_keeps_the_rows(db: TestDatabase) {
    let first = db.with(&["a"]).await;
    let second = db.with(&["b"]).await;
    assert_eq!(first.counts().await.unwrap(), second.counts().await.unwrap());
    assert_eq!(db.snapshot().await.len(), 2);
}

pub async fn refuses_tables_of_a_newer_version(db: TestDatabase) {
    db.open().await;
    db.execute(
        "INSERT INTO prepare_audio_migrations (version, description, checksum, applied_at) \
         SELECT 9999, 'of tomorrow', checksum, 0 FROM prepare_audio_migrations WHERE version = 1",
    )
    .await;
    let error = store::connect(&db.url).await.err().expect("it is refused");
    assert_eq!((error.code(), error.is_retryable()), ("database_schema", false));
    let message = format!("{error} {error:?}");
    assert!(message.contains("newer") && message.contains("9999"), "{message}");
    assert!(!message.contains(PASSWORD), "{message}");
}

/// Makes a database look as version 0.1 left it, with the list of migrations under sqlx's name.
async fn with_list_of_sqlx(db: &TestDatabase) {
    db.with(&["a"]).await.close().await;
    let (bytes, decoded) = match &db.url {
        store::DatabaseUrl::Sqlite(_) => ("BLOB", "unhex(checksum)"),
        _ => ("BYTEA", "decode(checksum, 'hex')"),
    };
    db.execute(&format!(
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
         installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum {bytes} NOT NULL, \
         execution_time BIGINT NOT NULL)"
    ))
    .await;
    db.execute(&format!(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT version, description, TRUE, {decoded}, 0 FROM prepare_audio_migrations"
    ))
    .await;
    db.execute("DROP TABLE prepare_audio_migrations").await;
}

async fn versions(db: &TestDatabase, table: &str) -> Vec<i64> {
    let versions = db.query(&format!("SELECT CAST(version AS TEXT) FROM {table} ORDER BY {table}.version")).await;
    versions.iter().map(|version| version.parse().unwrap()).collect()
}

pub async fn takes_over_what_sqlx_listed(db: TestDatabase) {
    with_list_of_sqlx(&db).await;
    let known = versions(&db, "_sqlx_migrations").await;
    db.with(&["b"]).await;
    assert_eq!(db.snapshot().await.len(), 2);
    assert_eq!(versions(&db, "prepare_audio_migrations").await, known);
    // Version 0.1 refuses a list with a number that it does not know.
    assert_eq!(versions(&db, "_sqlx_migrations").await, [&known[..], &[10_000]].concat());
}

pub async fn leaves_rows_of_others_alone(db: TestDatabase) {
    with_list_of_sqlx(&db).await;
    db.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 20260101, 'of another program', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let listed = versions(&db, "_sqlx_migrations").await;
    db.with(&["b"]).await;
    assert_eq!(db.snapshot().await.len(), 2);
    assert_eq!(versions(&db, "_sqlx_migrations").await, listed);
    assert_eq!(versions(&db, "prepare_audio_migrations").await, listed[..listed.len() - 1]);
}

pub async fn names_tables_of_others(db: TestDatabase) {
    if matches!(db.url, store::DatabaseUrl::Sqlite(_)) {
        std::fs::write(db.folder().join("queue.db"), []).unwrap();
    }
    db.execute("CREATE TABLE segment (id BIGINT)").await;
    db.execute("CREATE TABLE recording (name TEXT)").await;
    let error = store::connect(&db.url).await.err().expect("it is refused");
    assert_eq!((error.code(), error.is_retryable()), ("database_schema", false));
    let message = error.to_string();
    assert!(message.contains("by the same names: recording, segment. Nothing was changed"), "{message}");
    assert!(message.contains("sqlite://") || message.contains("CREATE SCHEMA"), "{message}");
    let tables = match &db.url {
        store::DatabaseUrl::Sqlite(_) => "SELECT name FROM sqlite_master ORDER BY name",
        _ => "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
    };
    assert_eq!(db.query(tables).await, ["recording", "segment"]);
    // A list of sqlx that knows nothing of ours is no reason to take the tables for ours.
    db.execute("DROP TABLE segment").await;
    let error = store::connect(&db.url).await.err().expect("it is refused");
    assert!(error.to_string().contains("by the same names: recording. "), "{error}");
}

pub async fn many_connections_open_at_the_same_time(db: TestDatabase) {
    let opens: Vec<_> = (0..24)
        .map(|_| {
            tokio::spawn({
                let url = db.url.clone();
                async move { store::connect(&url).await.map(drop) }
            })
        })
        .collect();
    for open in opens {
        open.await.unwrap().unwrap();
    }
    db.with(&["a"]).await;
}

/// This happens when a `select!` takes another branch during a write.
pub async fn a_dropped_future_does_not_stop_the_write(db: TestDatabase) {
    let store = db.open().await;
    for number in 0..20 {
        let source = [format!("{number}.wav").into()];
        let mut add = pin!(store.add(&source, None));
        let mut context = Context::from_waker(Waker::noop());
        assert!(add.as_mut().poll(&mut context).is_pending());
    }
    for _ in 0..300 {
        if db.snapshot().await.len() == 20 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} of 20 rows were written", db.snapshot().await.len());
}
