//! Recordings of dead workers go back into the queue.

use std::time::Duration;

use prepare_audio::store::{Again, Isolation, StoreError};

use crate::support::test_database::{TIMEOUT, TestDatabase, claim_isolated, claim_one, claimed_sources, claimer, outcome};

pub async fn takes_back_what_lapsed(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    let (dead, alive) = (claim_one(&store).await, claim_one(&store).await);
    db.expire_lease(dead.key.id).await;
    assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 1);
    assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 0);
    assert_eq!(db.field(dead.key.id, "state").await, "pending");
    assert_eq!(db.field(alive.key.id, "state").await, "running");
    let late = store.complete(&dead.key, outcome(1)).await.unwrap_err();
    assert_eq!(late, StoreError::Lost(dead.key.id), "the worker was only slow");
    assert_eq!(claimed_sources(&store, "recipe", 9).await, [""; 0], "not beside others");
    assert_eq!(db.number(dead.key.id, "available_at").await, 0, "no clock that is set later makes it wait");
    let again = claim_isolated(&store).await;
    assert_eq!((again.key.id, again.crashes, again.attempts), (dead.key.id, 1, 2));
    assert!(again.key.token > dead.key.token + 1, "the reaping counts, and so does the claim");
    assert_eq!(db.field(dead.key.id, "error_code").await, "-", "a new attempt starts clean");
}

pub async fn leaves_live_workers_alone(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    claim_one(&store).await;
    let before = db.snapshot().await;
    assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 0);
    assert_eq!(db.snapshot().await, before);
}

pub async fn quarantines_what_crashes_too_often(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let mut id = 0;
    for time in 0..3 {
        id = if time == 0 { claim_one(&store).await } else { claim_isolated(&store).await }.key.id;
        db.expire_lease(id).await;
        assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 1);
    }
    assert_eq!(claimed_sources(&store, "recipe", 1).await, [""; 0]);
    for (column, value) in [("state", "quarantined"), ("crashes", "3"), ("error_code", "crashed"), ("lease_until", "-")]
    {
        assert_eq!(db.field(id, column).await, value, "{column}");
    }
    let message = db.field(id, "error").await;
    assert!(message.contains("worker") && message.contains(&format!("`prepare-audio retry {id}`")), "{message}");
    assert_eq!(store.failures(false, 9).await.unwrap()[0].state, "quarantined");
    assert_eq!(store.retry(Again::These(&[id])).await.unwrap(), 1);
    let again = claim_one(&store).await;
    assert_eq!((again.attempts, again.crashes), (1, 0));
}

/// A worker that claims ahead holds recordings that cannot have caused its death.
pub async fn what_was_only_claimed_has_not_crashed(db: TestDatabase) {
    let store = db.with(&["a", "b", "c"]).await;
    let claims = store.reserve(&claimer("w", "recipe"), 9, Isolation::Shared).await.unwrap();
    store.begin("w", &[claims[0].key.clone()]).await.unwrap();
    for claim in &claims {
        db.expire_lease(claim.key.id).await;
    }
    let reaped = store.reap(TIMEOUT).await.unwrap();
    let errors = |empty| reaped.iter().filter(|lost| lost.error.is_empty() == empty).count();
    assert_eq!((errors(false), errors(true)), (1, 2));
    for (claim, crashes, attempts, code) in
        [(&claims[0], 1, 1, "crashed"), (&claims[1], 0, 0, "-"), (&claims[2], 0, 0, "-")]
    {
        let id = claim.key.id;
        assert_eq!((db.number(id, "crashes").await, db.number(id, "attempts").await), (crashes, attempts));
        assert_eq!((db.field(id, "state").await, db.field(id, "error_code").await), ("pending".into(), code.into()));
        assert_eq!(store.complete(&claim.key, outcome(1)).await.unwrap_err(), StoreError::Lost(id), "it was only slow");
    }
    assert_eq!(claimed_sources(&store, "recipe", 9).await, ["b", "c"], "they need not run alone");
}

pub async fn a_heartbeat_keeps_it(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    db.expire_lease(key.id).await;
    // Nobody has taken it yet: a beat that comes late, but before the reaper, still counts.
    let keys = [key.clone()];
    let standing = store.heartbeat(&keys, Duration::from_secs(60)).await.unwrap();
    assert_eq!(standing, keys);
    assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 0);
    store.complete(&key, outcome(1)).await.unwrap();
}

pub async fn a_registered_live_worker_is_left_alone(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let _registration = store.register_worker("worker").await.unwrap();
    let key = claim_one(&store).await.key;
    let other = db.open().await;
    assert_eq!(other.reap(TIMEOUT).await.unwrap().len(), 0);
    store.complete(&key, outcome(1)).await.unwrap();
}
