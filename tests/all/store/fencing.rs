//! A write under a claim that is no longer valid changes nothing, and fails.

use std::{slice, sync::Arc, time::Duration};

use prepare_audio::store::{AfterFailure, Again, ClaimKey, Ended, Ending, Isolation, State, Store, StoreError};

use crate::support::test_database::{TIMEOUT, TestDatabase, claim_one, claimer, outcome, stale_keys};

const MINUTE: Duration = Duration::from_secs(60);

fn lost<T: std::fmt::Debug>(result: Result<T, StoreError>, id: i64) {
    let error = result.unwrap_err();
    assert_eq!(error, StoreError::Lost(id));
    assert_eq!((error.code(), error.is_retryable()), ("claim_lost", false));
}

/// Tries every write under a claim that is lost, and checks that none changes anything.
async fn all_writes_are_lost(db: &TestDatabase, store: &Arc<Store>, key: &ClaimKey) {
    let before = db.snapshot().await;
    lost(store.complete(key, outcome(2)).await, key.id);
    lost(store.fail(key, "code", "message", AfterFailure::GiveUp).await, key.id);
    lost(store.fail(key, "code", "message", AfterFailure::RetryIn(MINUTE)).await, key.id);
    assert_eq!(store.release(slice::from_ref(key)).await.unwrap(), 0);
    assert_eq!(store.heartbeat(slice::from_ref(key), MINUTE).await.unwrap(), []);
    assert_eq!(db.snapshot().await, before);
}

pub async fn a_lost_claim_changes_nothing(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    let key = claim_one(&store).await.key;
    claim_one(&store).await;
    for wrong in stale_keys(&key) {
        all_writes_are_lost(&db, &store, &wrong).await;
    }
    store.complete(&key, outcome(2)).await.unwrap();
}

pub async fn a_cancelled_recording_stays_cancelled(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    db.execute("UPDATE recording SET state = 'cancelled', lease_until = NULL").await;
    all_writes_are_lost(&db, &store, &key).await;
    assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 0);
    assert_eq!(store.retry(Again::Unsuccessful).await.unwrap(), 0);
    assert_eq!(db.field(key.id, "state").await, "cancelled");
}

pub async fn a_recording_is_completed_once(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    store.complete(&key, outcome(3)).await.unwrap();
    let before = db.snapshot().await;
    assert_eq!(before.len(), 1 + 3);
    store.complete(&key, outcome(2)).await.expect("a repeated write succeeds, because the first answer may be lost");
    assert_eq!(db.snapshot().await, before, "nothing is written a second time");
    lost(store.fail(&key, "code", "message", AfterFailure::GiveUp).await, key.id);
    for wrong in stale_keys(&key) {
        all_writes_are_lost(&db, &store, &wrong).await;
    }
}

pub async fn a_group_may_be_ended_twice(db: TestDatabase) {
    let store = db.with(&["a", "b", "c"]).await;
    let claims = store.claim(&claimer("w", "r"), 9, Isolation::Shared).await.unwrap();
    let endings = [
        Ending::Done(Arc::new(outcome(3))),
        Ending::Failed { code: "x".to_owned(), message: "y".to_owned(), after: AfterFailure::GiveUp },
        Ending::Done(Arc::new(outcome(1))),
    ];
    let attempts: Vec<_> = claims.iter().map(|claim| claim.key.clone()).zip(endings).collect();
    // The first answer may have got lost, and the group that is sent again may be a larger one.
    store.end(attempts[..2].to_vec()).await.unwrap();
    let ended = store.end(attempts.clone()).await.unwrap();
    assert_eq!(ended, [Ended::Done, Ended::Failed(State::Failed), Ended::Done]);
    let before = db.snapshot().await;
    assert_eq!(before.len(), 3 + 3 + 1);
    assert_eq!(store.end(attempts).await.unwrap(), ended);
    assert_eq!(db.snapshot().await, before);
}

pub async fn a_reserved_claim_is_begun_once(db: TestDatabase) {
    let store = db.with(&["a", "b", "c"]).await;
    let claims = store.reserve(&claimer("w", "r"), 9, Isolation::Shared).await.unwrap();
    let keys: Vec<_> = claims.into_iter().map(|claim| claim.key).collect();
    assert_eq!(keys.iter().map(|key| key.id).collect::<Vec<_>>(), [1, 2, 3], "in order");
    assert_eq!(db.field(keys[0].id, "started_at").await, "-");
    store.release(&keys[..1]).await.unwrap();
    store.claim(&claimer("other", "r"), 1, Isolation::Shared).await.unwrap();
    let mut begun = store.begin("w", &keys).await.unwrap();
    begun.sort();
    assert_eq!(begun, keys[1..], "the first one is another's now");
    assert!(db.number(keys[1].id, "started_at").await >= db.number(keys[1].id, "created_at").await);
    assert_eq!(store.begin("w", &[]).await.unwrap(), []);
    store.complete(&keys[1], outcome(1)).await.unwrap();
}

pub async fn a_failure_may_be_reported_twice(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    let keys: Vec<_> = store
        .claim(&claimer("w", "r"), 2, Isolation::Shared)
        .await
        .unwrap()
        .into_iter()
        .map(|claim| claim.key)
        .collect();
    for (key, after, state) in
        [(&keys[0], AfterFailure::GiveUp, State::Failed), (&keys[1], AfterFailure::RetryIn(MINUTE), State::Pending)]
    {
        assert_eq!(store.fail(key, "code", "message", after).await.unwrap(), state);
        let before = db.snapshot().await;
        assert_eq!(store.fail(key, "code", "message", after).await.unwrap(), state);
        lost(store.fail(key, "another", "message", after).await, key.id);
        assert_eq!(db.snapshot().await, before);
    }
}

pub async fn release_skips_lost_claims(db: TestDatabase) {
    let store = db.with(&["a", "b", "c"]).await;
    let keys: Vec<_> = store
        .claim(&claimer("w", "r"), 3, Isolation::Shared)
        .await
        .unwrap()
        .into_iter()
        .map(|claim| claim.key)
        .collect();
    assert_eq!(store.fail(&keys[1], "code", "message", AfterFailure::GiveUp).await.unwrap(), State::Failed);
    assert_eq!(store.release(&keys).await.unwrap(), 2);
    assert_eq!(db.field(keys[1].id, "state").await, "failed");
    assert_eq!(store.release(&keys).await.unwrap(), 0, "released twice");
    assert_eq!(db.number(keys[0].id, "attempts").await, 0);
}

pub async fn a_heartbeat_returns_the_valid_claims(db: TestDatabase) {
    let store = db.with(&["a", "b", "c"]).await;
    let mut keys: Vec<_> = store
        .claim(&claimer("w", "r"), 3, Isolation::Shared)
        .await
        .unwrap()
        .into_iter()
        .map(|claim| claim.key)
        .collect();
    keys.sort();
    store.release(&keys[1..2]).await.unwrap();
    let mut valid = store.heartbeat(&keys, 2 * MINUTE).await.unwrap();
    valid.sort();
    assert_eq!(valid, [keys[0].clone(), keys[2].clone()]);
    let lease = db.number(keys[0].id, "lease_until").await - db.number(keys[0].id, "started_at").await;
    assert!((120_000..150_000).contains(&lease), "two minutes from the heartbeat: {lease}");
    assert_eq!(store.heartbeat(&[], MINUTE).await.unwrap(), []);
}
