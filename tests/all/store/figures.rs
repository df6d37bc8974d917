//! Figures: the same on each database.

use prepare_audio::store::{CATEGORIES, GroupKey, MEASURES, NameCount, Selection};

use crate::support::test_database::{TestDatabase, claim_one, outcome};

/// Two done recordings with segments, one failed, one pending.
async fn rows(db: &TestDatabase) -> std::sync::Arc<prepare_audio::store::Store> {
    let store = db.with(&["a", "b", "c", "d"]).await;
    for _ in 0..2 {
        store.complete(&claim_one(&store).await.key, outcome(4)).await.unwrap();
    }
    db.execute("UPDATE recording SET state = 'failed', error_code = 'corrupt', error = 'why', finished_at = 5 WHERE source = 'c'").await;
    db.execute("UPDATE segment SET start_s = 10, end_s = 10 + (CASE idx WHEN 0 THEN 0.5 WHEN 1 THEN 1 WHEN 2 THEN 1.75 ELSE 90 END)").await;
    db.execute("UPDATE segment SET level_dbfs = (CASE idx WHEN 0 THEN -200 WHEN 1 THEN -80 WHEN 2 THEN -0.5 ELSE NULL END), cut = 'silence'").await;
    db.execute("UPDATE recording SET metadata = '{\"language\": \"de\"}', container = 'wave' WHERE source = 'a'").await;
    store
}

pub async fn histograms_count_each_class(db: TestDatabase) {
    let store = rows(&db).await;
    let lengths = store.histogram(&MEASURES[0]).await.unwrap();
    let counts: Vec<(u64, u64)> = lengths.iter().map(|class| (class.class, class.number)).collect();
    assert_eq!(counts, [(0, 2), (1, 4), (29, 2)]); // 1.0 belongs to the second class, and 1.75 is not rounded up
    assert_eq!((lengths[1].total, lengths[1].least, lengths[1].greatest), (5.5, 1.0, 1.75));
    let level = MEASURES.iter().find(|measure| measure.name == "level").unwrap();
    let counts: Vec<(u64, u64)> =
        store.histogram(level).await.unwrap().iter().map(|class| (class.class, class.number)).collect();
    assert_eq!(counts, [(0, 4), (39, 2)]); // NULL is not counted
    for measure in MEASURES {
        store.histogram(measure).await.unwrap();
    }
}

pub async fn extremes_are_sorted_and_named(db: TestDatabase) {
    let store = rows(&db).await;
    let longest = store.extremes(&MEASURES[0], true, 3).await.unwrap();
    let found: Vec<_> = longest.iter().map(|row| (row.source.as_str(), row.idx, row.value)).collect();
    assert_eq!(found, [("a", Some(3), 90.0), ("b", Some(3), 90.0), ("a", Some(2), 1.75)]);
    for measure in MEASURES {
        store.extremes(measure, false, 3).await.unwrap();
    }
    let speed = MEASURES.iter().find(|measure| measure.name == "recording_length").unwrap();
    assert_eq!(store.extremes(speed, true, 1).await.unwrap()[0].idx, None);
}

pub async fn names_groups_and_errors_are_counted(db: TestDatabase) {
    let store = rows(&db).await;
    let count = |name: &str, number| NameCount { name: name.into(), number };
    assert_eq!(store.category(&CATEGORIES[0], 9).await.unwrap(), [count("silence", 8)]);
    assert_eq!(store.error_counts(9).await.unwrap(), [count("corrupt", 1)]);
    let newest = store.newest_of_each_error(2).await.unwrap();
    assert_eq!((newest.len(), newest[0].source.as_str(), newest[0].error.as_str()), (1, "c", "why"));
    let metadata = store.grouped(&"metadata.language".parse().unwrap(), i64::MIN, 2).await.unwrap();
    assert_eq!((metadata.len(), metadata[0].value.as_deref()), (2, Some("{\"language\": \"de\"}")));
    let last = metadata[1].id;
    assert_eq!(store.grouped(&"sample_rate".parse().unwrap(), last, 9).await.unwrap().len(), 2);
    let container: GroupKey = "container".parse().unwrap();
    assert_eq!(store.grouped(&container, i64::MIN, 1).await.unwrap()[0].value.as_deref(), Some("wave"));
    assert_eq!(store.stage_totals().await.unwrap().recordings, 2);
}

pub async fn done_recordings_have_positions(db: TestDatabase) {
    let store = rows(&db).await;
    let done: Vec<i64> = store.done(&Selection::All, i64::MIN, 9).await.unwrap().iter().map(|row| row.id).collect();
    assert_eq!(store.done_at(&[1, 2, 3]).await.unwrap(), done);
    assert!(store.done_at(&[]).await.unwrap().is_empty());
    assert!(store.probabilities_of(done[0], 0).await.unwrap().is_none());
}
