//! Browsing: lists, single recordings, annotations.

use prepare_audio::store::{Annotation, Direction, Isolation, RecordingFilter, Selection, State};

use crate::support::test_database::{TestDatabase, claim_one, claimer, outcome};

const ALL: (i64, i64) = (i64::MIN, i64::MAX);

pub async fn lists_recordings_by_pages(db: TestDatabase) {
    let store = db.with(&["a", "b", "c", "d", "e"]).await;
    let filter = RecordingFilter::default();
    let newest = store.listed(&filter, ALL, Direction::Older, 2).await.unwrap();
    let sources = |rows: &[prepare_audio::store::ListedRecording]| {
        rows.iter().map(|row| row.source.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sources(&newest), "e d");
    let next = store.listed(&filter, (i64::MIN, newest[1].id), Direction::Older, 9).await.unwrap();
    assert_eq!(sources(&next), "c b a");
    let newer = store.listed(&filter, (next[0].id, i64::MAX), Direction::Newer, 9).await.unwrap();
    assert_eq!(sources(&newer), "d e");
    assert_eq!((newest[0].state, newest[0].duration_s, newest[0].segments), (State::Pending, None, None));
}

pub async fn searches_by_every_condition(db: TestDatabase) {
    let store = db.with(&["/a/100%.wav", "/a/100x.wav", "/b/Say it's_so!.wav", "/b/said.wav"]).await;
    db.execute("UPDATE recording SET metadata = '{\"language\": \"de\"}' WHERE source LIKE '%100x%'").await;
    db.execute("UPDATE recording SET state = 'failed' WHERE source LIKE '%said%'").await;
    let text = |text: &str| Some(text.to_owned());
    for (filter, found) in [
        (RecordingFilter { source: text("100%"), ..RecordingFilter::default() }, 1),
        (RecordingFilter { source: text("_SO!"), ..RecordingFilter::default() }, 1),
        (RecordingFilter { source: text("it's"), ..RecordingFilter::default() }, 1),
        (RecordingFilter { source: text(r"\"), ..RecordingFilter::default() }, 0),
        (RecordingFilter { source: text("sa"), ..RecordingFilter::default() }, 2),
        (RecordingFilter { metadata: vec!["\"DE\"".into()], ..RecordingFilter::default() }, 1),
        (RecordingFilter { state: Some(State::Failed), ..RecordingFilter::default() }, 1),
        (RecordingFilter { state: Some(State::Pending), ..RecordingFilter::default() }, 3),
        (RecordingFilter { source: text("sa"), state: Some(State::Failed), ..RecordingFilter::default() }, 1),
        (
            RecordingFilter {
                source: text("100"),
                metadata: vec!["language".into(), "de".into()],
                state: Some(State::Failed),
                ..RecordingFilter::default()
            },
            0,
        ),
    ] {
        for is_rare in [false, true] {
            let filter = RecordingFilter { is_rare, ..filter.clone() };
            assert_eq!(store.listed(&filter, ALL, Direction::Older, 9).await.unwrap().len(), found, "{filter:?}");
        }
    }
    for state in [State::Pending, State::Running, State::Done, State::Failed, State::Quarantined, State::Cancelled] {
        let filter = RecordingFilter { state: Some(state), is_rare: true, ..RecordingFilter::default() };
        let number = store.listed(&filter, ALL, Direction::Newer, 9).await.unwrap().len();
        let counted =
            store.counts().await.unwrap().iter().find(|count| count.state == state).map_or(0, |count| count.recordings);
        assert_eq!(number as i64, counted, "{state:?}");
    }
}

pub async fn finds_the_end_of_a_step(db: TestDatabase) {
    let store = db.with(&["a", "b", "c"]).await;
    let ids: Vec<i64> = {
        let rows = store.listed(&RecordingFilter::default(), ALL, Direction::Newer, 9).await.unwrap();
        rows.iter().map(|row| row.id).collect()
    };
    for (cursor, direction, limit, last) in [
        (i64::MAX, Direction::Older, 2, Some(ids[1])),
        (ids[1], Direction::Older, 2, Some(ids[0])),
        (ids[0], Direction::Older, 2, None),
        (i64::MIN, Direction::Newer, 2, Some(ids[1])),
        (ids[2], Direction::Newer, 2, None),
    ] {
        assert_eq!(store.listed_until(cursor, direction, limit).await.unwrap(), last, "{cursor} {direction:?}");
    }
}

pub async fn reads_a_recording_in_full(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    let claim = claim_one(&store).await;
    store.complete(&claim.key, outcome(4)).await.unwrap();
    let row = store.recording(claim.key.id).await.unwrap().unwrap();
    assert_eq!((row.source.as_str(), row.state, row.segments), ("a", State::Done, Some(4)));
    assert_eq!((row.samples, row.sample_rate, row.bytes), (Some(160_000), Some(44_100), Some(5_000_000_000)));
    assert_eq!(row.warnings.as_deref(), Some(r#"["truncated","decode_errors: 3"]"#));
    assert_eq!((row.token, row.attempts, row.error), (claim.key.token, 1, None));
    assert!(row.created_at > 0 && row.finished_at >= row.started_at && row.gaps.is_empty());
    assert_eq!(store.recording(-5).await.unwrap(), None);
    let segment = store.segment(claim.key.id, 2).await.unwrap().unwrap();
    assert_eq!(segment, outcome(4).segments[2]);
    assert_eq!(store.segment(claim.key.id, 4).await.unwrap(), None);
    assert_eq!(store.segment(claim.key.id, u64::MAX).await.unwrap(), None);
}

pub async fn annotations_belong_to_source_and_boundaries(db: TestDatabase) {
    let store = db.with(&["a", "b"]).await;
    for _ in 0..2 {
        store.complete(&claim_one(&store).await.key, outcome(3)).await.unwrap();
    }
    let segment = outcome(3).segments[1].clone();
    let mut annotation = Annotation {
        source: "a".into(),
        channel: segment.channel,
        start_sample: segment.start_sample,
        end_sample: segment.end_sample,
        tag: Some("bad".into()),
        note: None,
    };
    let said = |rows: Vec<prepare_audio::store::SegmentOf>| -> Vec<String> {
        let said = rows.into_iter().filter(|row| row.segment.tag.is_some() || row.segment.note.is_some());
        said.map(|row| format!("{} {} {:?} {:?}", row.source, row.segment.idx, row.segment.tag, row.segment.note))
            .collect()
    };
    let segments = || store.segments(&Selection::All, None, 99);
    store.annotate(&annotation).await.unwrap();
    assert_eq!(said(segments().await.unwrap()), [r#"a 1 Some("bad") None"#]);
    annotation.note = Some("Größe 'n' \"x\"".into());
    annotation.tag = None;
    store.annotate(&annotation).await.unwrap();
    assert_eq!(said(segments().await.unwrap()), [r#"a 1 None Some("Größe 'n' \"x\"")"#]);
    let between = store.segments_between(i64::MIN, i64::MAX, None, 99).await.unwrap();
    assert_eq!(between.len(), 6);
    assert_eq!(between.iter().filter(|(_, segment)| segment.note.is_some()).count(), 1);
    // A mix has other segments than the first channel, also between the same boundaries.
    let mixed = outcome(3).segments[0].clone();
    let of_mix = Annotation {
        channel: None,
        start_sample: mixed.start_sample,
        end_sample: mixed.end_sample,
        ..annotation.clone()
    };
    store.annotate(&of_mix).await.unwrap();
    assert_eq!(said(segments().await.unwrap()).len(), 2);
    store.annotate(&Annotation { tag: None, note: None, ..of_mix }).await.unwrap();
    assert_eq!(said(segments().await.unwrap()).len(), 1);
    // Another preparation of the same source has it too.
    db.execute("INSERT INTO recording (source, recipe) VALUES ('a', 'later')").await;
    let later = store.claim(&claimer("w", "later"), 1, Isolation::Shared).await.unwrap();
    store.complete(&later[0].key, outcome(2)).await.unwrap();
    assert_eq!(said(segments().await.unwrap()).len(), 2);
    // A source may be longer than an entry of an index.
    let long = Annotation { source: "x".repeat(8_000), tag: Some("good".into()), ..annotation };
    store.annotate(&long).await.unwrap();
    store.annotate(&long).await.unwrap();
}
