//! Queries: counts, failures, pages.

use prepare_audio::store::{AfterFailure, Again, Isolation, Outlook, Scope, Selection, State};

use crate::support::test_database::{TestDatabase, claim_one, claimer, outcome};

pub async fn counts_by_state(db: TestDatabase) {
    let store = db.open().await;
    assert_eq!(store.counts().await.unwrap(), []);
    let store = {
        drop(store);
        db.with(&["a", "b", "c", "d", "e"]).await
    };
    for _ in 0..2 {
        store.complete(&claim_one(&store).await.key, outcome(3)).await.unwrap();
    }
    store.fail(&claim_one(&store).await.key, "x", "x", AfterFailure::GiveUp).await.unwrap();
    claim_one(&store).await;
    let counts = store.counts().await.unwrap();
    let states: Vec<_> = counts.iter().map(|count| (count.state, count.recordings)).collect();
    assert_eq!(states, [(State::Pending, 1), (State::Running, 1), (State::Done, 2), (State::Failed, 1)]);
    assert_eq!((counts[2].segments, counts[2].duration_s), (6, 20.2));
    assert_eq!((counts[0].segments, counts[0].duration_s, counts[0].total_ms), (0, 0.0, 0.0));
}

pub async fn lists_the_newest_failures_first(db: TestDatabase) {
    let store = db.with(&["old", "new", "fine"]).await;
    for code in ["first", "second"] {
        store.fail(&claim_one(&store).await.key, code, "why", AfterFailure::GiveUp).await.unwrap();
        db.execute("UPDATE recording SET finished_at = finished_at - 1000 WHERE state = 'failed'").await;
    }
    let failures = store.failures(false, 10).await.unwrap();
    let codes: Vec<_> =
        failures.iter().map(|failure| (&*failure.source, &*failure.error_code, &*failure.error)).collect();
    assert_eq!(codes, [("new", "second", "why"), ("old", "first", "why")]);
    assert_eq!(store.failures(false, 1).await.unwrap().len(), 1);
}

pub async fn pages_through_the_pending(db: TestDatabase) {
    let store = db.with(&["a", "b", "c", "d", "e"]).await;
    db.execute("INSERT INTO recording (source, recipe, state) VALUES ('b', 'r', 'done'), ('d', 'q', 'done')").await;
    let mut pages = Vec::new();
    let mut after = 0;
    loop {
        let page = store.pending("r", after, 2).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = *last;
        pages.push(page.into_iter().map(|(_, source)| source).collect::<Vec<_>>().join(" "));
    }
    assert_eq!(pages, ["a c", "d e"], "b has this recipe already");
}

pub async fn pages_through_segments(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    db.execute("INSERT INTO recording (source, recipe) VALUES ('a', 'old')").await;
    let first = store.claim(&claimer("w", "r"), 9, Isolation::Shared).await.unwrap();
    let second = store.claim(&claimer("w", "s"), 9, Isolation::Shared).await.unwrap();
    for claim in first.iter().chain(&second) {
        store.complete(&claim.key, outcome(3)).await.unwrap();
    }
    let mut seen = Vec::new();
    while let Some(last) = {
        let page = store.segments(&Selection::All, seen.last().copied(), 2).await.unwrap();
        let keys = page.iter().map(|row| (row.recording_id, row.segment.idx));
        seen.extend(keys);
        page.last().map(|_| ())
    } {
        last
    }
    assert_eq!(seen.len(), 9);
    assert!(seen.is_sorted());
    let of = |source: &str| Selection::Source(source.to_owned());
    assert_eq!(store.segments(&of("a"), None, 99).await.unwrap().len(), 6, "the segments of both recipes");
    assert_eq!(store.segments(&Selection::Id(first[0].key.id), None, 99).await.unwrap().len(), 3);
    assert_eq!(store.segments(&Selection::Id(-1), None, 99).await.unwrap(), []);
    for (of, count) in
        [(Selection::All, 3), (of("a"), 2), (of("b"), 1), (of("it's"), 0), (Selection::Id(first[0].key.id), 1)]
    {
        assert_eq!(store.matching(&of).await.unwrap(), count, "{of:?}");
    }
}

/// Rows of recordings in any state are listed, because a file must stay as long as a row refers to it.
pub async fn pages_through_referenced_files(db: TestDatabase) {
    let store = db.with(&["a", "b", "c"]).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let claim = claim_one(&store).await;
        store.complete(&claim.key, outcome(3)).await.unwrap();
        ids.push(claim.key.id);
    }
    assert_eq!(store.retry(Again::EvenDone(&ids[..1])).await.unwrap(), 1);
    db.execute(&format!("UPDATE recording SET state = 'cancelled' WHERE id = {}", ids[1])).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.referenced(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.recording_id, last.idx));
        seen.extend(page.into_iter().map(|file| (file.recording_id, file.idx, file.path, file.denoised_path)));
    }
    let path = |idx: i64, ending: &str| format!("out/déjà \"vu\" {idx}.{ending}");
    let row = |id: i64, idx: i64| (id, idx, path(idx, "wav"), Some(path(idx, "denoised.wav")));
    let want: Vec<_> = ids.iter().flat_map(|id| (0..3).map(|idx| row(*id, idx))).collect();
    assert_eq!(seen, want);
}

pub async fn reports_remaining_work(db: TestDatabase) {
    let store = db.open().await;
    assert_eq!(store.outlook("r", Scope::Any).await.unwrap(), Outlook::default(), "an empty queue");
    let store = db.with(&["a", "b"]).await;
    assert_eq!(store.outlook("r", Scope::Any).await.unwrap(), Outlook { pending: 2, running: 0, next_in_ms: Some(0) });
    let claim = claim_one(&store).await;
    db.execute("UPDATE recording SET available_at = 99999999999999 WHERE state = 'pending'").await;
    let left = store.outlook("recipe", Scope::Any).await.unwrap();
    assert_eq!((left.pending, left.running), (1, 1));
    let next = left.next_in_ms.unwrap();
    assert!((50_000..=60_000).contains(&next), "the lease ends before the other becomes available: {next}");
    store.complete(&claim.key, outcome(0)).await.unwrap();
    db.execute("INSERT INTO recording (source, recipe, state) VALUES ('b', 'r', 'done')").await;
    assert_eq!(store.outlook("r", Scope::Any).await.unwrap(), Outlook::default(), "b is done with r, and a is done");
    assert_eq!(store.outlook("another", Scope::Any).await.unwrap().pending, 1, "b");
    db.execute("UPDATE recording SET state = 'cancelled' WHERE recipe = ''").await;
    assert_eq!(store.outlook("recipe", Scope::Any).await.unwrap(), Outlook::default());
}

/// The schema version equals the number of migrations, which are numbered from 1.
pub async fn reports_its_schema(db: TestDatabase) {
    let migrations = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite")).unwrap().count();
    assert_eq!(db.open().await.schema().await.unwrap(), migrations as i64);
}
