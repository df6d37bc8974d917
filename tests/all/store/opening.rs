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
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, 'of a later version', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let error = store::connect(&db.url).await.err().expect("it is refused");
    assert_eq!((error.code(), error.is_retryable()), ("database_schema", false));
    let message = format!("{error} {error:?}");
    assert!(message.contains("newer") && message.contains("9999"), "{message}");
    assert!(!message.contains(PASSWORD), "{message}");
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
