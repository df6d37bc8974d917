//! Recordings of dead workers return to the queue.

use std::time::Duration;

use prepare_audio::store::{Again, Isolation, StoreError};

use crate::support::test_database::{
    TIMEOUT, TestDatabase, claim_isolated, claim_one, claimed_sources, claimer, outcome,
};

pub async fn reclaims_recordings_with_expired_leases(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    let (dead, alive) = (claim_one(&store).await, claim_one(&store).await);
    db.expire_lease(dead.key.id).await;
    assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 1);
    assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 0);
    assert_eq!(db.field(dead.key.id, "state").await, "pending");
    assert_eq!(db.field(alive.key.id, "state").await, "running");
    let late = store.complete(&dead.key, outcome(1)).await.unwrap_err();
    assert_eq!(late, StoreError::Lost(dead.key.id), "the late write of a slow worker fails");
    assert_eq!(claimed_sources(&store, "recipe", 9).await, [""; 0], "it must run isolated");
    assert_eq!(db.number(dead.key.id, "available_at").await, 0, "it does not depend on a clock");
    let again = claim_isolated(&store).await;
    assert_eq!((again.key.id, again.crashes, again.attempts), (dead.key.id, 1, 2));
    assert!(again.key.token > dead.key.token + 1, "both reaping and claiming increase the token");
    assert_eq!(db.field(dead.key.id, "error_code").await, "-", "a new attempt has no error");
}

pub async fn keeps_claims_of_live_workers(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    claim_one(&store).await;
    let before = db.snapshot().await;
    assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 0);
    assert_eq!(db.snapshot().await, before);
}

pub async fn quarantines_after_too_many_crashes(db: TestDatabase) {
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

pub async fn a_late_heartbeat_renews_an_expired_lease(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    db.expire_lease(key.id).await;
    // The lease has expired, but the recording was not reaped yet, so the heartbeat renews the lease.
    let keys = [key.clone()];
    let valid = store.heartbeat(&keys, Duration::from_secs(60)).await.unwrap();
    assert_eq!(valid, keys);
    assert_eq!(store.reap(TIMEOUT).await.unwrap().len(), 0);
    store.complete(&key, outcome(1)).await.unwrap();
}

pub async fn keeps_claims_of_registered_workers(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let _registration = store.register_worker("worker").await.unwrap();
    let key = claim_one(&store).await.key;
    let other = db.open().await;
    assert_eq!(other.reap(TIMEOUT).await.unwrap().len(), 0);
    store.complete(&key, outcome(1)).await.unwrap();
}
