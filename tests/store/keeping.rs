//! Kept probabilities, and rows that are made to be cut anew.

use prepare_audio::store::{Claimer, Company, Outcome, Scope, Selection};

use crate::support::place::{Place, claim_one, claimer, outcome};

fn bound(recipe: &str) -> Claimer {
    Claimer { scope: Scope::Bound, ..claimer("w", recipe) }
}

pub async fn keeps_what_a_recording_is_known_by(place: Place) {
    let store = place.with(&["a"]).await;
    assert_eq!(store.known("a", "model").await.unwrap(), None, "it is not done");
    let key = claim_one(&store).await.key;
    let outcome = outcome(700);
    store.complete(&key, &outcome).await.unwrap();
    let known = store.known("a", "model").await.unwrap().unwrap();
    assert_eq!((known.id, known.samples, known.truncated), (key.id, outcome.samples, 1));
    assert_eq!(Some(known.probabilities), outcome.probabilities);
    assert_eq!(known.warnings.as_deref(), Some(r#"["truncated","decode_errors: 3"]"#));
    assert!(known.segments.iter().all(|known| known.parameters.as_deref() == Some(&outcome.parameters)));
    assert!(known.segments.iter().map(|known| &known.segment).eq(&outcome.segments));
    assert_eq!(store.known("a", "another model").await.unwrap(), None);
}

pub async fn probabilities_go_with_their_attempt(place: Place) {
    let store = place.with(&["a"]).await;
    let count = || async { place.ask("SELECT CAST(COUNT(*) AS TEXT) FROM probabilities").await };
    let key = claim_one(&store).await.key;
    let mut broken = outcome(3);
    broken.segments[2].end_sample = 0;
    store.complete(&key, &broken).await.unwrap_err();
    assert_eq!(count().await, ["0"]);
    store.complete(&key, &outcome(3)).await.unwrap();
    store.complete(&key, &outcome(0)).await.expect("said twice, it is written once");
    assert_eq!(count().await, ["1"]);
    place.execute("UPDATE recording SET state = 'pending'").await;
    let again = claim_one(&store).await.key;
    store.complete(&again, &Outcome::default()).await.unwrap();
    assert_eq!(count().await, ["0"], "none were to be kept this time");
}

/// The same boundaries hold the same audio only where the very same was heard.
pub async fn knows_segments_of_the_same_audio_only(place: Place) {
    let store = place.open().await;
    for (recipe, segments, data) in [("r", 2, 1), ("s", 3, 1), ("t", 4, 2)] {
        store.add(&["a".into()], Some(recipe)).await.unwrap();
        let key = store.claim(&claimer("w", recipe), 1, Company::Many).await.unwrap().remove(0).key;
        let mut outcome = outcome(segments);
        outcome.probabilities.as_mut().unwrap().data = vec![data];
        store.complete(&key, &outcome).await.unwrap();
        place.execute("UPDATE recording SET finished_at = finished_at - 1000").await;
    }
    assert_eq!(store.known("a", "model").await.unwrap().unwrap().segments.len(), 4, "those of the newest");
    place.execute("DELETE FROM recording WHERE recipe = 't'").await;
    assert_eq!(store.known("a", "model").await.unwrap().unwrap().segments.len(), 5, "of r and s");
}

pub async fn makes_rows_to_be_cut_anew(place: Place) {
    let store = place.with(&["a", "b", "c", "it's new"]).await;
    for _ in 0..2 {
        store.complete(&claim_one(&store).await.key, &outcome(1)).await.unwrap();
    }
    let without = Outcome { probabilities: None, ..outcome(1) };
    store.complete(&claim_one(&store).await.key, &without).await.unwrap();
    let (all, of_b) = (Selection::All, Selection::Source("b".to_owned()));
    for (of, recipe, model, count) in
        [(&all, "r", "model", 2), (&of_b, "r", "model", 1), (&all, "r", "other", 0), (&all, "recipe", "model", 0)]
    {
        assert_eq!(store.resegmentable(of, recipe, model).await.unwrap(), count, "{of:?} {recipe} {model}");
    }
    assert_eq!(store.resegment(&of_b, "r", "model").await.unwrap(), 1);
    assert_eq!(store.resegment(&all, "r", "model").await.unwrap(), 1, "b is there already");
    assert_eq!(store.resegment(&all, "r", "model").await.unwrap(), 0);
    let left = store.outlook("r", Scope::Bound).await.unwrap();
    assert_eq!((left.pending, left.running), (2, 0), "not the new one, which any other may take");
    let claims = store.claim(&bound("r"), 9, Company::Many).await.unwrap();
    let mut sources: Vec<_> = claims.iter().map(|claim| claim.source.as_str()).collect();
    sources.sort_unstable();
    assert_eq!(sources, ["a", "b"]);
    assert_eq!(store.outlook("q", Scope::Bound).await.unwrap().running, 0, "those of r are not waited for");
    assert_eq!(store.claim(&claimer("w", "r"), 9, Company::Many).await.unwrap().len(), 1, "the new one");
}
