//! Figures that are written after a recording was done: the same on each database.

use prepare_audio::{pipeline::RecordingQuality, store::Selection};

use crate::support::{
    downgrade,
    test_database::{TestDatabase, claim_one, outcome},
};

/// Done recordings `a` and `b`.
async fn done(db: &TestDatabase) -> std::sync::Arc<prepare_audio::store::Store> {
    let store = db.with(&["a", "b"]).await;
    for _ in 0..2 {
        store.complete(&claim_one(&store).await.key, outcome(4)).await.unwrap();
    }
    store
}

pub async fn figures_are_written_once_they_are_known(db: TestDatabase) {
    let store = done(&db).await;
    assert!(store.unmeasured(&Selection::All, false, i64::MIN, 9).await.unwrap().is_empty());
    // The segment with index 1 has no scores.
    let unscored = store.unmeasured(&Selection::All, true, i64::MIN, 9).await.unwrap();
    let sources: Vec<&str> = unscored.iter().map(|(_, source)| source.as_str()).collect();
    assert_eq!(sources, ["a", "b"]);
    assert_eq!(store.unmeasured(&Selection::All, true, unscored[0].0, 9).await.unwrap(), unscored[1..]);
    let counts = store.quality_counts(&Selection::Source("a".into())).await.unwrap();
    assert_eq!((counts.segments, counts.measured, counts.scored), (4, 4, 3));
    assert_eq!((counts.unmeasured_recordings, counts.unscored_recordings), (0, 1));

    let id = unscored[0].0;
    let recording = store.measurable(id).await.unwrap().unwrap();
    assert_eq!(recording.segments, outcome(4).segments);
    assert_eq!(recording.probabilities, outcome(4).probabilities);
    assert_eq!((recording.samples, recording.codec.as_str()), (160_000, "pcm_s16le"));
    let mut segments = recording.segments;
    segments[1].dnsmos_overall = Some(1.25);
    segments[1].snr_db = None;
    segments[2].path = Some("not a figure".into());
    let means = RecordingQuality { snr_db: Some(1.5), dnsmos_overall: Some(2.5), ..RecordingQuality::default() };
    let stale = store.set_quality(id, recording.token - 1, means, segments.clone()).await.unwrap();
    assert!(!stale, "prepared again meanwhile");
    assert_eq!(store.measurable(id).await.unwrap().unwrap().segments, outcome(4).segments);
    assert!(store.set_quality(id, recording.token, means, segments.clone()).await.unwrap());
    segments[2].path = outcome(4).segments[2].path.clone();
    assert_eq!(store.measurable(id).await.unwrap().unwrap().segments, segments);
    assert_eq!(db.query(&format!("SELECT CAST(snr_db AS TEXT) FROM recording WHERE id = {id}")).await, ["1.5"]);
    let b = store.measurable(unscored[1].0).await.unwrap().unwrap();
    assert_eq!(b.segments, outcome(4).segments, "another recording stays as it is");

    db.execute(&format!("UPDATE recording SET state = 'pending' WHERE id = {id}")).await;
    assert!(store.measurable(id).await.unwrap().is_none());
    assert!(!store.set_quality(id, recording.token, means, segments).await.unwrap());
}

/// Migrations add the columns to a database with rows, and the rows stay.
pub async fn opens_a_database_without_figures(db: TestDatabase) {
    done(&db).await.close().await;
    for statement in downgrade::statements(7) {
        db.execute(&statement).await;
    }
    let store = db.open().await;
    let counts = store.quality_counts(&Selection::All).await.unwrap();
    assert_eq!((counts.segments, counts.measured, counts.unmeasured_recordings), (8, 0, 2));
    let recording = store.measurable(1).await.unwrap().unwrap();
    for (found, before) in recording.segments.iter().zip(outcome(4).segments) {
        assert_eq!((found.idx, &found.path, found.level_dbfs), (before.idx, &before.path, before.level_dbfs));
        assert_eq!((found.snr_db, found.peak_dbfs), (None, None));
    }
}
