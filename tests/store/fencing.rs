//! A write under a claim that no longer stands changes nothing, and says so.

use std::{slice, sync::Arc, time::Duration};

use prepare_audio::store::{AfterFailure, Again, ClaimKey, Company, State, Store, StoreError};

use crate::support::place::{PATIENCE, Place, claim_one, claimer, outcome, stale};

const MINUTE: Duration = Duration::from_secs(60);

fn lost<T: std::fmt::Debug>(result: Result<T, StoreError>, id: i64) {
    let error = result.unwrap_err();
    assert_eq!(error, StoreError::Lost(id));
    assert_eq!((error.code(), error.is_retryable()), ("claim_lost", false));
}

/// Tries every write under a claim that is lost, and sees that nothing comes of it.
async fn all_writes_are_lost(place: &Place, store: &Arc<dyn Store>, key: &ClaimKey) {
    let before = place.snapshot().await;
    lost(store.complete(key, &outcome(2)).await, key.id);
    lost(store.fail(key, "code", "message", AfterFailure::GiveUp).await, key.id);
    lost(store.fail(key, "code", "message", AfterFailure::RetryIn(MINUTE)).await, key.id);
    assert_eq!(store.release(slice::from_ref(key)).await.unwrap(), 0);
    assert_eq!(store.heartbeat(slice::from_ref(key), MINUTE).await.unwrap(), []);
    assert_eq!(place.snapshot().await, before);
}

pub async fn a_lost_claim_changes_nothing(place: Place) {
    let store = place.with(&["a", "b"]).await;
    let key = claim_one(&store).await.key;
    claim_one(&store).await;
    for wrong in stale(&key) {
        all_writes_are_lost(&place, &store, &wrong).await;
    }
    store.complete(&key, &outcome(2)).await.unwrap();
}

pub async fn a_cancelled_recording_stays_cancelled(place: Place) {
    let store = place.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    place.execute("UPDATE recording SET state = 'cancelled', lease_until = NULL").await;
    all_writes_are_lost(&place, &store, &key).await;
    assert_eq!(store.reap(PATIENCE).await.unwrap().len(), 0);
    assert_eq!(store.retry(Again::Unsuccessful).await.unwrap(), 0);
    assert_eq!(place.field(key.id, "state").await, "cancelled");
}

pub async fn a_recording_is_completed_once(place: Place) {
    let store = place.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    store.complete(&key, &outcome(3)).await.unwrap();
    let before = place.snapshot().await;
    assert_eq!(before.len(), 1 + 3);
    store.complete(&key, &outcome(2)).await.expect("the first answer may have got lost");
    assert_eq!(place.snapshot().await, before, "but nothing is written a second time");
    lost(store.fail(&key, "code", "message", AfterFailure::GiveUp).await, key.id);
    for wrong in stale(&key) {
        all_writes_are_lost(&place, &store, &wrong).await;
    }
}

pub async fn a_failure_may_be_told_twice(place: Place) {
    let store = place.with(&["a", "b"]).await;
    let keys: Vec<_> =
        store.claim(&claimer("w", "r"), 2, Company::Many).await.unwrap().into_iter().map(|claim| claim.key).collect();
    for (key, after, state) in
        [(&keys[0], AfterFailure::GiveUp, State::Failed), (&keys[1], AfterFailure::RetryIn(MINUTE), State::Pending)]
    {
        assert_eq!(store.fail(key, "code", "message", after).await.unwrap(), state);
        let before = place.snapshot().await;
        assert_eq!(store.fail(key, "code", "message", after).await.unwrap(), state);
        lost(store.fail(key, "another", "message", after).await, key.id);
        assert_eq!(place.snapshot().await, before);
    }
}

pub async fn release_passes_over_lost_claims(place: Place) {
    let store = place.with(&["a", "b", "c"]).await;
    let keys: Vec<_> =
        store.claim(&claimer("w", "r"), 3, Company::Many).await.unwrap().into_iter().map(|claim| claim.key).collect();
    assert_eq!(store.fail(&keys[1], "code", "message", AfterFailure::GiveUp).await.unwrap(), State::Failed);
    assert_eq!(store.release(&keys).await.unwrap(), 2);
    assert_eq!(place.field(keys[1].id, "state").await, "failed");
    assert_eq!(store.release(&keys).await.unwrap(), 0, "released twice");
    assert_eq!(place.number(keys[0].id, "attempts").await, 0);
}

pub async fn a_heartbeat_tells_the_standing_from_the_lost(place: Place) {
    let store = place.with(&["a", "b", "c"]).await;
    let mut keys: Vec<_> =
        store.claim(&claimer("w", "r"), 3, Company::Many).await.unwrap().into_iter().map(|claim| claim.key).collect();
    keys.sort();
    store.release(&keys[1..2]).await.unwrap();
    let mut standing = store.heartbeat(&keys, 2 * MINUTE).await.unwrap();
    standing.sort();
    assert_eq!(standing, [keys[0].clone(), keys[2].clone()]);
    let lease = place.number(keys[0].id, "lease_until").await - place.number(keys[0].id, "started_at").await;
    assert!((120_000..150_000).contains(&lease), "two minutes from the beat: {lease}");
    assert_eq!(store.heartbeat(&[], MINUTE).await.unwrap(), []);
}
