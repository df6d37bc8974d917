//! Adding recordings, and claiming them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use prepare_audio::store::{Added, Isolation, NewRecording, Store};

use crate::support::test_database::{TestDatabase, claim_one, claimed_sources, claimer, outcome};

fn new(sources: &[impl AsRef<str>]) -> Vec<NewRecording> {
    sources.iter().map(|source| source.as_ref().into()).collect()
}

pub async fn distinguishes_new_sources_from_known_ones(db: TestDatabase) {
    let store = db.open().await;
    let added = store.add(&new(&["a", "b", "a"]), None).await.unwrap();
    assert_eq!(added, Added { inserted: 2, known: 1 });
    let added = store.add(&new(&["b", "c"]), None).await.unwrap();
    assert_eq!(added, Added { inserted: 1, known: 1 });
    assert_eq!(store.add(&[], None).await.unwrap(), Added::default());
}

pub async fn adds_known_sources_again_for_new_parameters(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    let again = new(&["a"]);
    assert_eq!(store.add(&again, Some("new")).await.unwrap().known, 1, "it is pending");
    let claim = claim_one(&store).await;
    assert_eq!(store.add(&again, Some("new")).await.unwrap().known, 1, "it is running");
    store.complete(&claim.key, outcome(1)).await.unwrap();
    assert_eq!(store.add(&again, Some("recipe")).await.unwrap().known, 1, "it is done");
    assert_eq!(store.add(&again, None).await.unwrap().known, 1, "without a recipe, any row counts");
    assert_eq!(store.add(&again, Some("new")).await.unwrap().inserted, 1, "it is not done with these parameters");
    assert_eq!(claimed_sources(&store, "recipe", 9).await, [""; 0], "it is done with this recipe");
    assert_eq!(claimed_sources(&store, "new", 9).await, ["a"]);
}

pub async fn adds_all_or_nothing(db: TestDatabase) {
    let store = db.open().await;
    store.add(&new(&["a", "", "b"]), None).await.unwrap_err();
    assert!(db.snapshot().await.is_empty());
    store.add(&new(&["a", "b"]), None).await.unwrap();
    assert_eq!(db.snapshot().await.len(), 2, "the store works after the error");
}

pub async fn accepts_any_characters_in_sources(db: TestDatabase) {
    let long: String = (0..1000).map(|n| char::from_u32(0x1_0000 + n * 7919 % 0x1_0000).unwrap()).collect();
    let mut sources = [
        "it's \"quoted\"; DROP TABLE recording; --.wav",
        "back\\slash\\u0041 %s $1 {now} {list} ?.wav",
        "line\nbreak\ttab\r.wav",
        "日本語/Grüße/е\u{301}🎧.wav",
        " spaces ",
        "null",
        "[1,2]",
        "C:\\Ton\\a.wav",
        &long, // 4,000 bytes that cannot be compressed
    ];
    let store = db.open().await;
    assert_eq!(store.add(&new(&sources), None).await.unwrap().inserted, 9);
    assert_eq!(store.add(&new(&sources), Some("it's")).await.unwrap().known, 9);
    sources.sort();
    assert_eq!(claimed_sources(&store, "it's", 100).await, sources);
}

pub async fn adds_many_in_their_order(db: TestDatabase) {
    let sources: Vec<String> = (0..25_000).map(|number| format!("{}.wav", number * 7919 % 25_000)).collect();
    let store = db.open().await;
    assert_eq!(store.add(&new(&sources), None).await.unwrap().inserted, 25_000);
    let mut pending = Vec::new();
    let mut after = 0;
    loop {
        let page = store.pending("recipe", after, 10_000).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = *last;
        pending.extend(page.into_iter().map(|(_, source)| source));
    }
    assert_eq!(pending, sources);
}

pub async fn claims_by_priority_and_time(db: TestDatabase) {
    let store = db.with(&["late", "c", "b", "a", "first"]).await;
    db.execute("UPDATE recording SET priority = -1 WHERE source = 'first'").await;
    db.execute("UPDATE recording SET available_at = 5 WHERE source = 'c'").await;
    db.execute("UPDATE recording SET available_at = 99999999999999, priority = -9 WHERE source = 'late'").await;
    let mut order = Vec::new();
    while let [source] = &claimed_sources(&store, "recipe", 1).await[..] {
        order.push(source.clone());
    }
    assert_eq!(order, ["first", "b", "a", "c"]);
}

pub async fn a_claim_is_written_to_its_row(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    db.execute("UPDATE recording SET error_code = 'old', error = 'old', crashes = 2, attempts = 1, max_attempts = 7")
        .await;
    let claims = store.claim(&claimer("host:1/ä", "recipe"), 5, Isolation::Isolated).await.unwrap();
    assert_eq!(claims.len(), 2);
    assert_ne!(claims[0].key.claim_id, claims[1].key.claim_id);
    for claim in &claims {
        let id = claim.key.id;
        assert_eq!((claim.attempts, claim.max_attempts, claim.crashes, claim.key.token), (2, 7, 2, 1));
        assert!(claim.key.claim_id.len() == 32 && claim.key.claim_id.bytes().all(|byte| byte.is_ascii_hexdigit()));
        for (column, value) in [
            ("state", "running"),
            ("worker", "host:1/ä"),
            ("recipe", "recipe"),
            ("error_code", "-"),
            ("error", "-"),
            ("claim_id", &claim.key.claim_id),
            ("source", &claim.source),
        ] {
            assert_eq!(db.field(id, column).await, value, "{column}");
        }
        let lease = db.number(id, "lease_until").await - db.number(id, "started_at").await;
        assert!((59_900..=60_100).contains(&lease), "a minute: {lease}");
        assert!(db.number(id, "started_at").await >= db.number(id, "created_at").await);
    }
}

/// A source may have several pending rows. Each would get the claimer's recipe, which a source can have only once.
pub async fn a_source_is_claimed_once_per_recipe(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    db.execute("INSERT INTO recording (source, recipe) VALUES ('a', 'older'), ('a', 'oldest')").await;
    assert_eq!(claimed_sources(&store, "recipe", 10).await, ["a", "b"]);
    assert_eq!(claimed_sources(&store, "recipe", 10).await, [""; 0]);
    assert_eq!(
        store.outlook("recipe", prepare_audio::store::Scope::Any).await.unwrap().pending,
        0,
        "the source's other rows do not count as pending"
    );
    assert_eq!(claimed_sources(&store, "another", 10).await, ["a"], "another recipe can claim one of them");
}

pub async fn skips_sources_that_have_the_recipe(db: TestDatabase) {
    let store = db.with(&["a"]).await;
    // The source has a pending row without a recipe, and one with the claimer's. Only the latter may be claimed.
    db.execute("INSERT INTO recording (source, recipe, priority) VALUES ('a', 'recipe', 9)").await;
    let claim = claim_one(&store).await;
    assert_eq!(db.number(claim.key.id, "priority").await, 9);
    assert_eq!(claimed_sources(&store, "recipe", 10).await, [""; 0]);
    for state in ["done", "failed", "quarantined", "cancelled"] {
        db.execute(&format!("UPDATE recording SET state = '{state}', lease_until = NULL WHERE recipe = 'recipe'"))
            .await;
        assert_eq!(claimed_sources(&store, "recipe", 10).await, [""; 0], "{state}");
    }
}

pub async fn no_source_is_claimed_twice(db: TestDatabase) {
    const RECORDINGS: usize = 400;
    let sources: Vec<String> = (0..RECORDINGS).map(|number| format!("{number}.wav")).collect();
    db.open().await.add(&new(&sources), None).await.unwrap();
    // Second rows of a source let workers on PostgreSQL lock different rows of the same source.
    db.execute("INSERT INTO recording (source, recipe) SELECT source, 'older' FROM recording WHERE id % 3 = 0").await;
    let mut workers = Vec::new();
    let stores = [db.open().await, db.open().await];
    for number in 0..8 {
        workers.push(tokio::spawn(claim_all(stores[number % 2].clone(), format!("worker {number}"))));
    }
    let mut seen = HashSet::new();
    for worker in workers {
        for source in worker.await.unwrap() {
            assert!(seen.insert(source.clone()), "{source} was claimed twice");
        }
    }
    assert_eq!(seen.len(), RECORDINGS);
}

async fn claim_all(store: Arc<Store>, worker: String) -> Vec<String> {
    let mut sources = Vec::new();
    // Rows that another worker is claiming at the moment are skipped, so one empty result does not mean the end.
    let mut empty = 0;
    while empty < 5 {
        let claims = store.claim(&claimer(&worker, "recipe"), 3, Isolation::Shared).await.unwrap();
        assert!(claims.len() <= 3);
        empty = if claims.is_empty() { empty + 1 } else { 0 };
        if empty > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await; // until the other worker's claim is committed
        }
        sources.extend(claims.into_iter().map(|claim| claim.source));
    }
    sources
}

pub async fn drops_duplicates_that_never_ran(db: TestDatabase) {
    let store = db.with(&["done", "failed", "quarantined", "running", "waits", "cancelled", "other", "tried"]).await;
    db.execute(
        "INSERT INTO recording (source, recipe, state, lease_until) VALUES
         ('done', 'r', 'done', NULL), ('failed', 'r', 'failed', NULL), ('quarantined', 'r', 'quarantined', NULL),
         ('running', 'r', 'running', 1), ('waits', 'r', 'pending', NULL), ('cancelled', 'r', 'cancelled', NULL),
         ('other', 'q', 'done', NULL), ('tried', 'r', 'done', NULL)",
    )
    .await;
    db.execute("UPDATE recording SET attempts = 1 WHERE source = 'tried' AND recipe = ''").await;
    assert_eq!(store.drop_duplicates("r").await.unwrap(), 4);
    let left = db.query("SELECT source FROM recording WHERE recipe = '' ORDER BY source").await;
    assert_eq!(left, ["cancelled", "other", "tried", "waits"]);
    assert_eq!(store.drop_duplicates("r").await.unwrap(), 0);
}
