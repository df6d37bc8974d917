//! Live sessions: from their beginning to a pending recording.

use prepare_audio::store::{LiveEnd, LiveSession, NewRecording, Selection, State};

use crate::support::test_database::{TestDatabase, claim_one};

fn session(id: &str, folder: &str) -> LiveSession {
    LiveSession {
        id: id.into(),
        token_hash: format!("hash of {id}"),
        folder: folder.into(),
        audio_id: "call 7".into(),
        options: r#"{"sample_rate": 16000}"#.into(),
        metadata: Some(r#"{"label": "Größe"}"#.into()),
    }
}

fn recorded(source: &str) -> LiveEnd {
    let recording = NewRecording { source: source.into(), priority: -1, metadata: Some(r#"{"a": 1}"#.into()) };
    LiveEnd::Recorded { recording, samples: 48_000 }
}

pub async fn a_session_becomes_a_pending_recording(db: TestDatabase) {
    let store = db.with(&["other"]).await;
    store.begin_live(&session("1", "/a")).await.unwrap();
    assert!(store.end_live("1", &recorded("/a/1.wav")).await.unwrap());
    let claim = claim_one(&store).await;
    assert_eq!(claim.source, "/a/1.wav", "by its priority");
    // The answer of the first call may have been lost.
    assert!(!store.end_live("1", &recorded("/a/1.wav")).await.unwrap());
    assert!(!store.end_live("1", &recorded("/a/2.wav")).await.unwrap());
    assert!(!store.end_live("unknown", &LiveEnd::Empty).await.unwrap());
    let counts = store.counts().await.unwrap();
    let of = |state| counts.iter().find(|count| count.state == state).map_or(0, |count| count.recordings);
    assert_eq!((of(State::Pending), of(State::Running)), (1, 1));
    let row = store.recording(claim.key.id).await.unwrap().unwrap();
    assert_eq!(row.metadata.as_deref(), Some(r#"{"a": 1}"#));
    assert!(store.segments(&Selection::Id(claim.key.id), None, 9).await.unwrap().is_empty());
}

pub async fn sessions_without_audio_become_no_recording(db: TestDatabase) {
    let store = db.with(&[]).await;
    for (id, end) in [("1", LiveEnd::Empty), ("2", LiveEnd::Lost)] {
        store.begin_live(&session(id, "/a")).await.unwrap();
        assert!(store.end_live(id, &end).await.unwrap());
    }
    assert!(store.counts().await.unwrap().iter().all(|count| count.recordings == 0));
    assert!(store.open_live("/a").await.unwrap().is_empty());
}

pub async fn open_sessions_belong_to_a_folder(db: TestDatabase) {
    let store = db.with(&[]).await;
    for (id, folder) in [("1", "/a"), ("2", "/b"), ("3", "/a")] {
        store.begin_live(&session(id, folder)).await.unwrap();
    }
    assert!(store.begin_live(&session("1", "/a")).await.is_err(), "an id is used once");
    assert_eq!(store.open_live("/a").await.unwrap(), [session("1", "/a"), session("3", "/a")]);
    store.end_live("1", &LiveEnd::Empty).await.unwrap();
    assert_eq!(store.open_live("/a").await.unwrap(), [session("3", "/a")]);
    assert!(store.open_live("/c").await.unwrap().is_empty());
}
