//! The ways in which an attempt ends.

use std::{sync::Arc, time::Duration};

use prepare_audio::{
    store::{AfterFailure, Again, Ended, Ending, Isolation, Selection, State},
    types::PreparedRecording,
};

use crate::support::test_database::{TestDatabase, claim_one, claimed_sources, claimer, outcome};

pub async fn completes_with_all_columns_and_segments(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    let outcome = outcome(1234);
    store.complete(&key, outcome.clone()).await.unwrap();
    for (column, value) in [
        ("state", "done"),
        ("lease_until", "-"),
        ("error", "-"),
        ("recipe", "recipe"),
        ("parameters", r#"{"threshold":0.5}"#),
        ("model", "silero 6.2"),
        ("container", "wav"),
        ("codec", "pcm_s16le"),
        ("sample_rate", "44100"),
        ("channels", "2"),
        ("bytes", "5000000000"),
        ("samples", "160000"),
        ("duration_s", "10.1"),
        ("decode_errors", "3"),
        ("truncated", "1"),
        ("segments", "1234"),
        ("total_ms", "0"),
    ] {
        let found = db.field(key.id, column).await;
        assert_eq!(found.trim_end_matches(".0"), value, "{column}");
    }
    assert!(db.number(key.id, "finished_at").await >= db.number(key.id, "started_at").await);
    let rows = store.segments(&Selection::All, None, 5000).await.unwrap();
    assert!(rows.iter().all(|row| row.recording_id == key.id && row.source == "a" && row.recipe == "recipe"));
    // Floating-point numbers are stored without rounding.
    assert!(rows.iter().map(|row| &row.segment).eq(&outcome.segments));
    let tokens = db.query("SELECT DISTINCT CAST(token AS TEXT) FROM segment").await;
    assert_eq!(tokens, [key.token.to_string()]);
}

pub async fn replaces_old_segments(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    for claim in store.claim(&claimer("w", "r"), 2, Isolation::Shared).await.unwrap() {
        store.complete(&claim.key, outcome(5)).await.unwrap();
    }
    db.execute("UPDATE recording SET state = 'pending' WHERE source = 'a'").await;
    assert_eq!(store.segments(&Selection::Source("a".to_owned()), None, 9).await.unwrap(), [], "no longer done");
    let again = store.claim(&claimer("w", "r"), 2, Isolation::Shared).await.unwrap().remove(0);
    store.complete(&again.key, PreparedRecording::default()).await.unwrap();
    assert_eq!(db.field(again.key.id, "state").await, "done", "a recording without speech is done");
    let left = db.query(&format!("SELECT CAST(idx AS TEXT) FROM segment WHERE recording_id = {}", again.key.id)).await;
    assert_eq!(left, [""; 0]);
    assert_eq!(store.segments(&Selection::All, None, 99).await.unwrap().len(), 5, "the segments of b");
}

pub async fn completes_all_or_nothing(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    let before = db.snapshot().await;
    let mut broken = outcome(700);
    broken.segments[650].end_sample = 0;
    for _ in 0..3 {
        store.complete(&key, broken.clone()).await.unwrap_err();
        assert_eq!(db.snapshot().await, before);
    }
    store.complete(&key, outcome(700)).await.expect("the claim is still valid, and the store still works");
}

pub async fn ends_several_at_once(db: TestDatabase) {
    let store = db.with(&["done", "failed", "later", "released", "lost", "silent"]).await;
    let claims = store.claim(&claimer("w", "r"), 9, Isolation::Shared).await.unwrap();
    let key = |source: &str| claims.iter().find(|claim| claim.source == source).unwrap().key.clone();
    let failed = |after| Ending::Failed { code: "x".to_owned(), message: "y".to_owned(), after };
    store.cancel(&Selection::Source("lost".to_owned())).await.unwrap();
    // In another order than that of the ids, in which they are written.
    let attempts = [
        (key("silent"), Ending::Done(Arc::default())),
        (key("released"), Ending::Released),
        (key("lost"), Ending::Done(Arc::new(outcome(2)))),
        (key("later"), failed(AfterFailure::RetryIn(Duration::from_secs(60)))),
        (key("failed"), failed(AfterFailure::GiveUp)),
        (key("done"), Ending::Done(Arc::new(outcome(700)))),
    ];
    let ended = store.end(attempts).await.unwrap();
    use Ended::{Done, Failed, Lost, Released};
    assert_eq!(ended, [Done, Released, Lost, Failed(State::Pending), Failed(State::Failed), Done]);
    for (source, state) in [
        ("done", "done"),
        ("silent", "done"),
        ("failed", "failed"),
        ("later", "pending"),
        ("released", "pending"),
        ("lost", "cancelled"),
    ] {
        assert_eq!(db.field(key(source).id, "state").await, state, "{source}");
    }
    let rows = store.segments(&Selection::All, None, 5000).await.unwrap();
    assert!(rows.iter().all(|row| row.recording_id == key("done").id));
    assert!(rows.iter().map(|row| &row.segment).eq(&outcome(700).segments));
    assert_eq!(store.end([]).await.unwrap(), []);
}

pub async fn a_group_is_written_whole_or_not_at_all(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    let claims = store.claim(&claimer("w", "r"), 9, Isolation::Shared).await.unwrap();
    let mut broken = outcome(3);
    broken.segments[2].end_sample = 0;
    let before = db.snapshot().await;
    let attempts = [Ending::Done(Arc::new(outcome(2))), Ending::Done(Arc::new(broken))];
    let attempts: Vec<_> = claims.iter().map(|claim| claim.key.clone()).zip(attempts).collect();
    store.end(attempts).await.unwrap_err();
    assert_eq!(db.snapshot().await, before);
    store.complete(&claims[0].key, outcome(2)).await.expect("the claim still stands");
}

pub async fn fails_without_another_attempt(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    let state = store.fail(&key, "no_audio", "it's no \"audio\" → ✗", AfterFailure::GiveUp).await.unwrap();
    assert_eq!(state, State::Failed);
    for (column, value) in [
        ("state", "failed"),
        ("error_code", "no_audio"),
        ("error", "it's no \"audio\" → ✗"),
        ("attempts", "1"),
        ("lease_until", "-"),
    ] {
        assert_eq!(db.field(key.id, column).await, value, "{column}");
    }
    assert_eq!(claimed_sources(&store, "recipe", 9).await, [""; 0]);
}

pub async fn retries_later_while_attempts_are_left(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let later = AfterFailure::RetryIn(Duration::from_secs(3600));
    for attempt in 1..=3 {
        let claim = claim_one(&store).await;
        assert_eq!((claim.attempts, claim.key.token), (attempt, attempt));
        let state = store.fail(&claim.key, "io", "disk", later).await.unwrap();
        assert_eq!(state, if attempt < 3 { State::Pending } else { State::Failed });
        assert_eq!(claimed_sources(&store, "recipe", 9).await, [""; 0], "not before an hour is over");
        if attempt < 3 {
            let delay = db.number(claim.key.id, "available_at").await - db.number(claim.key.id, "started_at").await;
            assert!((3_600_000..3_660_000).contains(&delay), "an hour: {delay}");
            db.execute("UPDATE recording SET available_at = 0").await;
        }
    }
    let store = db.with(&["b"]).await;
    let key = claim_one(&store).await.key;
    store.fail(&key, "io", "disk", AfterFailure::RetryIn(Duration::ZERO)).await.unwrap();
    assert_eq!(claimed_sources(&store, "recipe", 9).await, ["b"], "a delay of zero");
    let forever = AfterFailure::RetryIn(Duration::MAX);
    let store = db.with(&["c"]).await;
    let key = claim_one(&store).await.key;
    assert_eq!(store.fail(&key, "io", "disk", forever).await.unwrap(), State::Pending, "no overflow");
}

pub async fn release_does_not_count_the_attempt(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let first = claim_one(&store).await;
    assert_eq!(store.release(std::slice::from_ref(&first.key)).await.unwrap(), 1);
    assert_eq!(
        (db.field(first.key.id, "state").await, db.number(first.key.id, "attempts").await),
        ("pending".to_owned(), 0)
    );
    let second = claim_one(&store).await;
    assert_eq!((second.attempts, second.key.token), (1, 2), "the token never decreases, because it is the fence");
    assert_eq!(second.crashes, 0);
    assert_ne!(first.key.claim_id, second.key.claim_id);
}

pub async fn retry_resets_attempts_and_errors(db: TestDatabase) {
    let store = db.with(&["failed", "quarantined", "done", "cancelled", "untouched"]).await;
    db.execute(
        "UPDATE recording SET state = source, attempts = 3, crashes = 2, token = 5, error_code = 'x', error = 'x', \
         available_at = 99999999999999 WHERE source <> 'untouched'",
    )
    .await;
    db.execute("UPDATE recording SET state = 'failed' WHERE source = 'untouched'").await;
    let ids: Vec<i64> = db
        .query("SELECT CAST(id AS TEXT) FROM recording WHERE source <> 'untouched' ORDER BY id")
        .await
        .iter()
        .map(|id| id.parse().unwrap())
        .collect();
    assert_eq!(store.retry(Again::These(&[])).await.unwrap(), 0);
    assert_eq!(store.retry(Again::These(&ids)).await.unwrap(), 3, "the named ones that are not done");
    for id in &ids[..2] {
        for (column, value) in [
            ("state", "pending"),
            ("attempts", "0"),
            ("crashes", "0"),
            ("error_code", "-"),
            ("error", "-"),
            ("available_at", "0"),
            ("token", "5"),
        ] {
            assert_eq!(db.field(*id, column).await, value, "{column}");
        }
    }
    assert_eq!(store.retry(Again::Unsuccessful).await.unwrap(), 1, "the one that was not named");
    assert_eq!(claimed_sources(&store, "recipe", 9).await, ["cancelled", "failed", "quarantined", "untouched"]);
    assert_eq!(store.retry(Again::EvenDone(&ids)).await.unwrap(), 1, "a done one only with EvenDone");
    assert_eq!(claimed_sources(&store, "recipe", 9).await, ["done"]);
}
