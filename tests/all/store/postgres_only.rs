//! Tests of the store that apply only to PostgreSQL.

use prepare_audio::store::{self, DatabaseUrl, Selection};

use crate::support::{
    audit,
    pgbouncer::Pooler,
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

/// The tables are made in the schema that the address names, beside those of another program in `public`.
#[test]
fn a_schema_of_ones_own() {
    let Some(server) = Server::get() else { return };
    let direct = runtime().block_on(server.database());
    audit::execute(&direct.parse().unwrap(), ["", "CREATE TABLE public.recording (name TEXT)"]);
    let mut addresses = vec![direct.clone()];
    addresses.extend(Pooler::get(server).map(|pooler| pooler.url(&direct)));
    for (number, address) in addresses.into_iter().enumerate() {
        let url = format!("{address}&options=-csearch_path%3Dmine{number}");
        let error = refusal(&url);
        assert_eq!(error.code(), "database_schema");
        assert!(error.to_string().contains("CREATE SCHEMA"), "{error}");
        let create: &'static str = ["CREATE SCHEMA mine0", "CREATE SCHEMA mine1"][number];
        audit::execute(&direct.parse().unwrap(), ["", create]);
        runtime().block_on(async {
            for attempt in 0..2 {
                let store = store::connect(&url.parse().unwrap()).await.unwrap();
                store.add(&["a".into()], None).await.unwrap();
                assert_eq!(store.matching(&Selection::All).await.unwrap(), 1, "{attempt}");
                store.close().await;
            }
        });
    }
}

#[test]
fn a_pooler_is_found() {
    let Some(server) = Server::get() else { return };
    let Some(pooler) = Pooler::get(server) else { return };
    let direct = runtime().block_on(server.database());
    runtime().block_on(async {
        for (url, is_pooled) in [
            (direct.clone(), false),
            (pooler.url(&direct), true),
            (format!("{direct}&pgbouncer=true"), true),
            (format!("{direct}&target_session_attrs=read-write&connect_timeout=3"), false),
        ] {
            let store = store::connect(&url.parse().unwrap()).await.unwrap();
            assert_eq!(store.is_pooled(), is_pooled, "{url}");
        }
    });
    assert!(refusal(&format!("{direct}&target_session_attrs=standby")).to_string().contains("no standby"));
}

/// The address says that there is no pooler, but there is: the first error about a statement shows it.
#[test]
fn a_pooler_that_was_not_found_is_noticed() {
    let Some(server) = Server::get() else { return };
    let Some(pooler) = Pooler::get(server) else { return };
    let direct = runtime().block_on(server.database());
    let url = format!("{}&pgbouncer=false", pooler.url(&direct));
    runtime().block_on(async {
        let (one, other) = (store::connect(&url.parse().unwrap()).await, store::connect(&url.parse().unwrap()).await);
        let (one, other) = (one.unwrap(), other.unwrap());
        let mut errors = 0;
        for number in 0..20 {
            for store in [&one, &other] {
                while let Err(error) = store.add(&[number.to_string().into()], None).await {
                    assert!(error.is_retryable(), "{error}");
                    errors += 1;
                    assert!(errors < 10, "{error}");
                }
            }
        }
        assert!(errors == 0 || one.is_pooled() || other.is_pooled());
        assert_eq!(one.matching(&Selection::All).await.unwrap(), 20);
    });
}
