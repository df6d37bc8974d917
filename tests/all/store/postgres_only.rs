//! Tests of the store that apply only to PostgreSQL.

use prepare_audio::store::{self, DatabaseUrl};

use crate::support::{
    audit,
    postgres::{PASSWORD, Server},
    test_database::{TIMEOUT, TestDatabase, runtime},
};

/// The error of opening a database.
fn refusal(url: &str) -> store::StoreError {
    let url: DatabaseUrl = url.parse().unwrap();
    let error = runtime().block_on(store::connect(&url)).err().expect("it cannot be opened");
    let shown = format!("{error} {error:?} {url} {url:?}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    error
}

#[test]
fn a_server_that_does_not_answer_is_unreachable() {
    let error = refusal(&format!("postgres://me:{PASSWORD}@127.0.0.1:1/queue"));
    assert_eq!((error.code(), error.is_retryable()), ("database_unreachable", true));
    assert!(error.to_string().contains("127.0.0.1:1/queue"), "{error}");
}

#[test]
fn a_missing_database_is_not_retried() {
    let Some(server) = Server::get() else { return };
    let url = runtime().block_on(server.database());
    let error = refusal(&url.replace("/test_", "/missing_"));
    assert_eq!((error.code(), error.is_retryable()), ("database_unreachable", false));
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[test]
fn a_database_that_is_dropped_becomes_unreachable() {
    if Server::get().is_none() {
        return;
    }
    runtime().block_on(async {
        let (db, other) = (TestDatabase::postgres().await.unwrap(), TestDatabase::postgres().await.unwrap());
        let store = db.with(&["a"]).await;
        let name = db.url.to_string();
        let name = &name[name.find("test_").unwrap()..name.find('?').unwrap()];
        other.execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
        let error = store.reap(TIMEOUT).await.unwrap_err();
        assert_eq!(error.code(), "database_unreachable", "{error}");
        assert!(!format!("{error} {error:?}").contains(PASSWORD));
    });
}

#[test]
fn a_read_only_database_has_its_own_code() {
    let Some(server) = Server::get() else { return };
    let url = runtime().block_on(async {
        let (url, other) = (server.database().await, TestDatabase::postgres().await.unwrap());
        let name = &url[url.find("test_").unwrap()..url.find('?').unwrap()];
        other.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
        url
    });
    assert_eq!(refusal(&url).code(), "database_read_only");
}

/// If the tables are up to date, opening them needs no permission to change them.
#[test]
fn a_role_with_select_permission_can_read() {
    let Some(server) = Server::get() else { return };
    let url = runtime().block_on(server.database());
    runtime().block_on(store::connect(&url.parse().unwrap())).unwrap();
    // Roles belong to the server, which other test runs may share, so the role may exist already.
    let grant = "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader";
    audit::execute(&url.parse().unwrap(), ["", grant]);
    let url = url.replace("//postgres:", "//reader:");
    runtime().block_on(async {
        let store = store::open_read_only(&url.parse().unwrap()).await.unwrap();
        assert_eq!(store.counts().await.unwrap(), []);
        let error = store.add(&["a".into()], None).await.unwrap_err().to_string();
        assert!(error.contains("permission denied"), "{error}");
    });
}
