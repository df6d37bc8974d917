//! Operators' queries and changes: running recordings, cancel, retry, priorities, notifications.

use prepare_audio::store::{AfterFailure, Again, Isolation, NewRecording, Selection, State, StoreError};

use crate::support::test_database::{TestDatabase, claim_isolated, claim_one, claimed_sources, claimer, outcome};

fn of(source: &str) -> Selection {
    Selection::Source(source.to_owned())
}

pub async fn cancels_all_but_done_recordings(db: TestDatabase) {
    let store = db.with(&["pending", "failed", "quarantined", "done", "cancelled", "other"]).await;
    db.execute("UPDATE recording SET state = source WHERE source <> 'other'").await;
    db.execute("INSERT INTO recording (source, recipe) VALUES ('done', 'another')").await;
    for (source, cancelled) in
        [("pending", 1), ("failed", 1), ("quarantined", 1), ("done", 1), ("cancelled", 0), ("it's", 0)]
    {
        assert_eq!(store.cancel(&of(source)).await.unwrap(), cancelled, "{source}");
        assert_eq!(store.cancel(&of(source)).await.unwrap(), 0, "{source} again");
    }
    let left = db.query("SELECT source || ' ' || state FROM recording WHERE state <> 'cancelled' ORDER BY 1").await;
    assert_eq!(left, ["done done", "other pending"]);
    assert_eq!(claimed_sources(&store, "recipe", 9).await, ["other"]);
}

pub async fn cancels_only_pending_recordings(db: TestDatabase) {
    let store = db.with(&["a", "b", "c", "d"]).await;
    let running = claim_one(&store).await;
    let failed = claim_one(&store).await.key;
    store.fail(&failed, "code", "why", AfterFailure::GiveUp).await.unwrap();
    assert_eq!(store.matching(&Selection::Pending).await.unwrap(), 2);
    assert_eq!(store.cancel(&Selection::Pending).await.unwrap(), 2);
    let counts = store.counts().await.unwrap();
    let states: Vec<_> = counts.iter().map(|count| (count.state, count.recordings)).collect();
    assert_eq!(states, [(State::Running, 1), (State::Failed, 1), (State::Cancelled, 2)]);
    store.complete(&running.key, outcome(1)).await.unwrap();
}

/// The worker's next heartbeat does not return the claim, and its writes fail, even after another attempt has begun.
pub async fn cancelling_invalidates_the_claim(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let key = claim_one(&store).await.key;
    assert_eq!(store.cancel(&Selection::Id(key.id)).await.unwrap(), 1);
    assert_eq!(store.heartbeat(std::slice::from_ref(&key), claimer("w", "r").lease).await.unwrap(), []);
    assert_eq!(store.complete(&key, outcome(1)).await.unwrap_err(), StoreError::Lost(key.id));
    assert_eq!(store.running().await.unwrap(), []);
    assert_eq!(store.claims_of("worker").await.unwrap(), []);
    assert_eq!(store.retry(Again::These(&[key.id])).await.unwrap(), 1);
    let again = claim_one(&store).await.key;
    assert_eq!(store.complete(&key, outcome(1)).await.unwrap_err(), StoreError::Lost(key.id));
    store.complete(&again, outcome(2)).await.unwrap();
}

pub async fn retries_by_error_code(db: TestDatabase) {
    let store = db.with(&["a", "b", "c", "d", "e"]).await;
    for code in ["disk_full", "it's \"odd\"", "corrupt"] {
        store.fail(&claim_one(&store).await.key, code, "why", AfterFailure::GiveUp).await.unwrap();
    }
    db.execute("UPDATE recording SET state = 'quarantined' WHERE error_code = 'corrupt'").await;
    db.execute("UPDATE recording SET error_code = 'corrupt', state = 'cancelled' WHERE source = 'd'").await;
    db.execute("UPDATE recording SET error_code = 'corrupt' WHERE source = 'e'").await;
    let codes = |codes: &[&str]| codes.iter().map(|&code| code.to_owned()).collect::<Vec<_>>();
    assert_eq!(store.retry(Again::WithError(&[])).await.unwrap(), 0);
    assert_eq!(store.retry(Again::WithError(&codes(&["disk", "crashed"]))).await.unwrap(), 0);
    assert_eq!(store.retry(Again::WithError(&codes(&["it's \"odd\"", "corrupt"]))).await.unwrap(), 2);
    assert_eq!(claimed_sources(&store, "recipe", 9).await, ["b", "c", "e"], "the quarantined one too");
    assert_eq!(db.query("SELECT error_code FROM recording WHERE source = 'a'").await, ["disk_full"]);
}

pub async fn lists_running_recordings_by_worker(db: TestDatabase) {
    let store = db.with(&["a", "b", "c", "waits"]).await;
    let mut keys = Vec::new();
    for worker in ["host-7-ä", "host-8", "host-7-ä"] {
        keys.push(store.claim(&claimer(worker, "r"), 1, Isolation::Shared).await.unwrap().remove(0).key);
    }
    db.execute("UPDATE recording SET started_at = started_at - 5000 WHERE source = 'c'").await;
    db.expire_lease(keys[1].id).await;
    let running = store.running().await.unwrap();
    let found: Vec<_> = running.iter().map(|one| (&*one.worker, &*one.source, one.attempts)).collect();
    assert_eq!(found, [("host-7-ä", "c", 1), ("host-7-ä", "a", 1), ("host-8", "b", 1)]);
    assert!((5_000..20_000).contains(&running[0].held_ms), "{}", running[0].held_ms);
    assert!((40_000..=60_000).contains(&running[0].lease_left_ms), "{}", running[0].lease_left_ms);
    assert!(running[2].lease_left_ms < 0, "overdue");
    assert!(running.iter().all(|one| one.recipe == "r" && one.crashes == 0));
    let mut held = store.claims_of("host-7-ä").await.unwrap();
    held.sort();
    assert_eq!(held, [keys[0].clone(), keys[2].clone()]);
    assert_eq!(store.claims_of("host-9").await.unwrap(), []);
}

pub async fn keeps_priority_and_metadata(db: TestDatabase) {
    let store = db.open().await;
    let metadata = r#"{"speaker":"Zoë \"Z\"","n":1.50,"nested":{"a":[null]}}"#;
    let new = |source: &str, priority, metadata: Option<&str>| NewRecording {
        source: source.to_owned(),
        priority,
        metadata: metadata.map(str::to_owned),
    };
    let rows = [new("last", 7, None), new("plain", 0, None), new("first", -3, Some(metadata))];
    assert_eq!(store.add(&rows, None).await.unwrap().inserted, 3);
    assert_eq!(store.add(&[new("first", 9, Some("{}"))], None).await.unwrap().known, 1);
    let rows = db.query("SELECT source || ' ' || priority || COALESCE(metadata, '-') FROM recording ORDER BY id").await;
    assert_eq!(rows, ["last 7-", "plain 0-", &format!("first -3{metadata}")], "a known recording does not change");
    let claim = claim_one(&store).await;
    assert_eq!(claim.source, "first");
    store.complete(&claim.key, outcome(1)).await.unwrap();
    let segment = store.segments(&Selection::All, None, 9).await.unwrap().remove(0);
    assert_eq!(segment.metadata.as_deref(), Some(metadata));
    let line = serde_json::to_value(&segment).unwrap();
    assert_eq!((&line["metadata"]["speaker"], &line["metadata"]["n"]), (&"Zoë \"Z\"".into(), &1.5.into()));
    // Metadata belong to the source, so rows of other recipes have them, too.
    store.add(&["first".into()], Some("other")).await.unwrap();
    store.resegment(&Selection::All, "third", "model").await.unwrap();
    let stored = db.query("SELECT metadata FROM recording WHERE source = 'first'").await;
    assert_eq!(stored, [metadata; 3]);
    db.execute("UPDATE recording SET metadata = 'no JSON'").await;
    let segment = store.segments(&Selection::All, None, 9).await.unwrap().remove(0);
    assert_eq!(serde_json::to_value(&segment).unwrap()["metadata"], "no JSON", "text that is not JSON is not an error");
}

pub async fn lists_quarantined_recordings(db: TestDatabase) {
    let store = db.with(&["fails", "crashes"]).await;
    store.fail(&claim_one(&store).await.key, "corrupt", "why", AfterFailure::GiveUp).await.unwrap();
    for time in 0..3 {
        let key = if time == 0 { claim_one(&store).await } else { claim_isolated(&store).await }.key;
        db.expire_lease(key.id).await;
        store.reap(crate::support::test_database::TIMEOUT).await.unwrap();
    }
    let listed = store.failures(true, 9).await.unwrap();
    assert_eq!(listed.len(), 1);
    let one = &listed[0];
    assert_eq!((&*one.source, &*one.state, &*one.error_code), ("crashes", "quarantined", "crashed"));
    assert_eq!((one.attempts, one.crashes), (3, 3));
    assert!(one.finished_at > 0);
    assert_eq!(store.failures(false, 9).await.unwrap().len(), 2);
    assert_eq!(store.failures(true, 0).await.unwrap(), []);
}

pub async fn reports_how_long_an_isolated_recording_waits(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    assert_eq!(store.isolated_wait().await.unwrap(), None);
    let id = claim_one(&store).await.key.id;
    db.expire_lease(id).await;
    store.reap(crate::support::test_database::TIMEOUT).await.unwrap();
    let waits = store.isolated_wait().await.unwrap().unwrap();
    assert!(waits.as_secs() < 20, "{waits:?}");
    db.execute("UPDATE recording SET finished_at = finished_at - 60000 WHERE crashes > 0").await;
    let waits = store.isolated_wait().await.unwrap().unwrap();
    assert!((60..90).contains(&waits.as_secs()), "{waits:?}");
    db.execute("UPDATE recording SET finished_at = 99999999999999 WHERE crashes > 0").await;
    assert!(
        store.isolated_wait().await.unwrap().unwrap().is_zero(),
        "a clock that was set back gives no negative time"
    );
    db.execute("UPDATE recording SET available_at = 99999999999999 WHERE crashes > 0").await;
    assert_eq!(store.isolated_wait().await.unwrap(), None, "it is not available yet");
    db.execute("UPDATE recording SET available_at = 0 WHERE crashes > 0").await;
    claim_isolated(&store).await;
    assert_eq!(store.isolated_wait().await.unwrap(), None, "it is running");
}

/// Recordings are added by another process, and by plain SQL. A notification takes up to a second, or longer if the machine
/// is busy with other tests, so the time limit is long.
pub async fn notifies_of_added_recordings(db: TestDatabase) {
    use std::time::Duration;
    use tokio::time::timeout;
    const AT_MOST: Duration = Duration::from_secs(5);
    let store = db.with(&["a"]).await;
    let notifications = store.notifications();
    let other = db.open().await;
    // Consume the notifications of the start.
    while timeout(Duration::from_millis(700), notifications.next()).await.is_ok() {}
    for number in 0..3 {
        other.add(&[format!("{number}").into()], None).await.unwrap();
        timeout(AT_MOST, notifications.next()).await.expect("a notification");
        db.execute(&format!("INSERT INTO recording (source) VALUES ('own {number}')")).await;
        timeout(AT_MOST, notifications.next()).await.expect("a notification of plain SQL");
    }
}
