//! Stored probabilities, and rows that are added to segment sources again.

use prepare_audio::{
    store::{Claimer, Isolation, Scope, Selection},
    types::PreparedRecording,
};

use crate::support::test_database::{TestDatabase, claim_one, claimer, outcome};

fn bound(recipe: &str) -> Claimer {
    Claimer { scope: Scope::Bound, ..claimer("w", recipe) }
}

pub async fn stores_probabilities_and_segments_for_resegmenting(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    assert_eq!(store.stored_recording("a", "model").await.unwrap(), None, "it is not done");
    let key = claim_one(&store).await.key;
    let outcome = outcome(700);
    store.complete(&key, outcome.clone()).await.unwrap();
    let known = store.stored_recording("a", "model").await.unwrap().unwrap();
    assert_eq!((known.id, known.samples, known.truncated), (key.id, outcome.samples, true));
    assert_eq!(Some(known.probabilities), outcome.probabilities);
    assert_eq!(known.warnings, ["truncated", "decode_errors: 3"]);
    assert!(known.segments.iter().all(|known| known.parameters.as_deref() == Some(&outcome.parameters)));
    assert!(known.segments.iter().map(|known| &known.segment).eq(&outcome.segments));
    assert_eq!(store.stored_recording("a", "another model").await.unwrap(), None);
}

pub async fn probabilities_belong_to_their_attempt(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let count = || async { db.query("SELECT CAST(COUNT(*) AS TEXT) FROM probabilities").await };
    let key = claim_one(&store).await.key;
    let mut broken = outcome(3);
    broken.segments[2].end_sample = 0;
    store.complete(&key, broken.clone()).await.unwrap_err();
    assert_eq!(count().await, ["0"]);
    store.complete(&key, outcome(3)).await.unwrap();
    store.complete(&key, outcome(0)).await.expect("a second write of the result is ignored");
    assert_eq!(count().await, ["1"]);
    db.execute("UPDATE recording SET state = 'pending'").await;
    let again = claim_one(&store).await.key;
    store.complete(&again, PreparedRecording::default()).await.unwrap();
    assert_eq!(count().await, ["0"], "this attempt stored none");
}

/// Equal boundaries mean equal audio only if the probabilities are equal.
pub async fn returns_only_segments_of_the_same_probabilities(db: TestDatabase) {
    let store = db.open().await;
    for (recipe, segments, data) in [("r", 2, 1), ("s", 3, 1), ("t", 4, 2)] {
        store.add(&["a".into()], Some(recipe)).await.unwrap();
        let key = store.claim(&claimer("w", recipe), 1, Isolation::Shared).await.unwrap().remove(0).key;
        let mut outcome = outcome(segments);
        outcome.probabilities.as_mut().unwrap().data = vec![data];
        store.complete(&key, outcome.clone()).await.unwrap();
        db.execute("UPDATE recording SET finished_at = finished_at - 1000").await;
    }
    assert_eq!(
        store.stored_recording("a", "model").await.unwrap().unwrap().segments.len(),
        4,
        "the newest row's segments"
    );
    db.execute("DELETE FROM recording WHERE recipe = 't'").await;
    assert_eq!(
        store.stored_recording("a", "model").await.unwrap().unwrap().segments.len(),
        5,
        "the segments of r and s"
    );
}

pub async fn adds_rows_to_segment_again(db: TestDatabase) {
    let store = db.with(&["a", "b", "c", "it's new"]).await;
    for _ in 0..2 {
        store.complete(&claim_one(&store).await.key, outcome(1)).await.unwrap();
    }
    let without_probabilities = PreparedRecording { probabilities: None, ..outcome(1) };
    store.complete(&claim_one(&store).await.key, without_probabilities).await.unwrap();
    let (all, of_b) = (Selection::All, Selection::Source("b".to_owned()));
    for (of, recipe, model, count) in
        [(&all, "r", "model", 2), (&of_b, "r", "model", 1), (&all, "r", "other", 0), (&all, "recipe", "model", 0)]
    {
        assert_eq!(store.resegmentable(of, recipe, model).await.unwrap(), count, "{of:?} {recipe} {model}");
    }
    assert_eq!(store.resegment(&of_b, "r", "model").await.unwrap(), 1);
    assert_eq!(store.resegment(&all, "r", "model").await.unwrap(), 1, "b has a row already");
    assert_eq!(store.resegment(&all, "r", "model").await.unwrap(), 0);
    let left = store.outlook("r", Scope::Bound).await.unwrap();
    assert_eq!((left.pending, left.running), (2, 0), "the new source is not bound to this recipe");
    let claims = store.claim(&bound("r"), 9, Isolation::Shared).await.unwrap();
    let mut sources: Vec<_> = claims.iter().map(|claim| claim.source.as_str()).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["a", "b"]);
    assert_eq!(store.outlook("q", Scope::Bound).await.unwrap().running, 0, "recordings of r do not count");
    assert_eq!(store.claim(&claimer("w", "r"), 9, Isolation::Shared).await.unwrap().len(), 1, "the new source");
}
