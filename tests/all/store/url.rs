//! Database addresses: which are accepted, which are refused, and that passwords are not shown.

use prepare_audio::store::DatabaseUrl;

fn shown(text: &str) -> String {
    text.parse::<DatabaseUrl>().unwrap().to_string()
}

fn refused(text: &str) -> String {
    let error = text.parse::<DatabaseUrl>().unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("database_url", false), "{text}");
    let message = format!("{error} {error:?}");
    assert!(!message.contains("secret"), "{message}");
    message
}

#[test]
fn accepts_sqlite_files() {
    for (text, path) in [
        ("sqlite://rel.db", "rel.db"),
        ("sqlite:///abs/x.db", "/abs/x.db"),
        ("sqlite:rel.db", "rel.db"),
        ("a b/queue.db", "a b/queue.db"),
        ("/data/q.sqlite", "/data/q.sqlite"),
        ("q.sqlite3", "q.sqlite3"),
        ("sqlite://no-ending", "no-ending"),
    ] {
        assert!(
            matches!(text.parse(), Ok(DatabaseUrl::Sqlite(found)) if found == std::path::Path::new(path)),
            "{text}"
        );
    }
    assert_eq!(shown("queue.db"), "sqlite://queue.db");
}

#[test]
fn accepts_postgres_servers_and_hides_their_passwords() {
    for text in [
        "postgres://me:secret@db.example:5433/queue",
        "postgresql://me:secret@db.example:5433/queue",
        "postgres://me@db.example:5433/queue?password=secret",
        "postgres://me:se%63ret@db.example:5433/queue",
    ] {
        assert_eq!(shown(text), "postgres://me@db.example:5433/queue");
        let url: DatabaseUrl = text.parse().unwrap();
        assert!(!format!("{url:?} {:?}", url.clone()).contains("secret"));
    }
    assert_eq!(shown("postgres://me:secret@[::1]/queue"), "postgres://me@[::1]:5432/queue");
    assert_eq!(shown("postgres://me:secret@localhost/queue?host=/run/pg"), "postgres://me@/queue?host=/run/pg");
}

#[test]
fn refuses_other_addresses_with_an_example() {
    for text in ["sqlite::memory:", "sqlite://:memory:", ":memory:", "sqlite://", "sqlite:"] {
        assert!(refused(text).contains("sqlite://queue.db"), "{text}");
    }
    for text in ["mysql://me:secret@host/queue", "queue", "", "me:secret@host/queue"] {
        assert!(refused(text).contains("postgres://"), "{text}");
    }
    for text in [
        "postgres://me:secret@host:port/queue",
        "postgres://me:secret@host/q?sslmode=perhaps",
        "postgres://me:sec/ret:secret@host:x/q",
        "postgres://me@host/queue?passwort=secret",
        "postgres://me:secret@host/queue?connect_timeout=soon",
        "postgres://me:secret@one:5432,two:5432/queue?target_session_attrs=read-write",
        "sqlite://queue.db?password=secret",
    ] {
        refused(text);
    }
}
