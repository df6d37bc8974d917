//! `add --from-database`, and the metadata of recordings.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};

use crate::support::{
    postgres::{PASSWORD, Server},
    test_database::runtime,
    test_dir::{CommandOutput, TestDir},
};

/// Creates a foreign SQLite file, `theirs.db`, in the directory.
fn create_source_database(dir: &TestDir, sql: &str) {
    let options = SqliteConnectOptions::new().filename(dir.path("theirs.db")).create_if_missing(true);
    runtime().block_on(async {
        let mut connection = options.connect().await.unwrap();
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    });
}

fn copy(dir: &TestDir, query: &str) -> CommandOutput {
    dir.run(&["add", "--from-database", "theirs.db", "--query", query, "--json"])
}

const TALKS: &str = "
CREATE TABLE talk (url TEXT, priority INTEGER, speaker TEXT, hours REAL, year, bytes BLOB);
INSERT INTO talk VALUES ('audio/a.wav', 3, 'Zoë \"Z\"', 0.1, 1999, x'00'), ('/data/b''s.wav', NULL, NULL, 1e300, 'x', x'01'),
                        (NULL, 1, 'nobody', 0, 0, NULL), ('', 1, 'nobody', 0, 0, NULL), (char(97, 0, 98), 1, 'n', 0, 0, NULL);";

#[test]
fn add_copies_recordings_from_another_database() {
    let dir = TestDir::new();
    dir.copy("speech/wav_s16_16k_mono.wav", "audio/a.wav");
    create_source_database(&dir, TALKS);
    let query =
        "SELECT url AS path, priority, speaker, hours, year FROM talk ORDER BY url IS NULL, url DESC ; -- all\n;";
    let query = query.replace(" ; -- all\n", " ");
    let output = copy(&dir, &query).exits(0);
    assert_eq!(output.json(), json!({ "inserted": 2, "known": 0, "passed_over": 3 }));
    assert!(output.stderr.contains("3 rows of sqlite://theirs.db skipped"), "{}", output.stderr);
    assert_eq!(copy(&dir, &query).exits(0).json(), json!({ "inserted": 0, "known": 2, "passed_over": 3 }));
    let metadata = |sql| {
        let row = dir.query_row(sql);
        (row["priority"].clone(), serde_json::from_str::<Value>(row["metadata"].as_str().unwrap()).unwrap())
    };
    let a = metadata("SELECT priority, metadata FROM recording WHERE source = 'audio/a.wav'");
    let output = json!({ "speaker": "Zoë \"Z\"", "hours": 0.1, "year": 1999 });
    assert_eq!(a, (json!(3), output.clone()));
    let b = metadata("SELECT priority, metadata FROM recording WHERE source = '/data/b''s.wav'");
    assert_eq!(b, (json!(0), json!({ "speaker": null, "hours": 1e300, "year": "x" })));
    // The metadata is shown with the segments, also for other parameters.
    dir.run(&["cancel", "/data/b's.wav"]).exits(0);
    dir.run(&["fetch"]).exits(0);
    dir.run(&["resegment", "--merge-to", "30"]).exits(0);
    let rows = dir.segments(&[]);
    assert!(rows.len() > 1 && rows.iter().all(|row| row["metadata"] == output), "{rows:?}");
}

#[test]
fn pages_keep_their_order_and_a_second_copy_adds_the_rest() {
    let dir = TestDir::new();
    create_source_database(
        &dir,
        "CREATE TABLE t AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
                   SELECT 'audio/' || i || '.wav' AS file, i AS number FROM n",
    );
    let broken = copy(&dir, "SELECT CASE WHEN number = 15000 THEN number ELSE file END AS file FROM t").exits(2);
    assert!(broken.stderr.contains("the column file holds 15000, which is no text"), "{}", broken.stderr);
    assert_eq!(dir.count("pending"), 10_000, "the pages before the error stay");
    let output = copy(&dir, "SELECT * FROM t").exits(0).json();
    assert_eq!((&output["inserted"], &output["known"]), (&15_000.into(), &10_000.into()));
    let same = dir.query_row("SELECT COUNT(*) AS n FROM recording WHERE source = 'audio/' || id || '.wav'");
    assert_eq!(same["n"], 25_000);
}

#[test]
fn a_wrong_query_is_explained_and_changes_nothing() {
    let dir = TestDir::new();
    create_source_database(&dir, TALKS);
    dir.run(&["add", "theirs.db"]).exits(0); // creates our own database
    for (query, words) in [
        ("SELECT url FROM talk", "it has url. Name the one with the path, as in SELECT url AS path"),
        ("SELECT url AS path, bytes FROM talk", "the column bytes holds bytes (BLOB)"),
        ("SELECT url AS path, speaker AS priority FROM talk", "the column priority holds"),
        ("SELECT path FROM gone", "no such table: gone"),
        ("SELECT url AS path FROM talk; SELECT 2", "it must be one SELECT"),
        ("DELETE FROM talk", "it must be one SELECT"),
        ("SELECT 1 AS path) AS q; DROP TABLE talk; SELECT * FROM (SELECT 2 AS path", "error"),
        ("", "it must be one SELECT"),
    ] {
        let output = copy(&dir, query);
        assert!(
            output.stderr.contains(words) && matches!(output.code, 2 | 4),
            "{query}: {} {}",
            output.code,
            output.stderr
        );
    }
    assert_eq!(dir.count("pending"), 1);
    assert_eq!(copy(&dir, "SELECT url AS path FROM talk WHERE url <> ''").exits(0).json()["inserted"], 3 - 1);
    let output = dir.run(&["add", "--from-database", "gone.db", "--query", "SELECT 1 AS path"]).exits(4);
    assert!(output.stderr.contains("sqlite://gone.db") && !dir.path("gone.db").exists(), "{}", output.stderr);
}

#[test]
fn the_other_columns_of_lists_are_metadata() {
    let dir = TestDir::new();
    dir.copy("speech/wav_s16_16k_mono.wav", "a.wav");
    dir.copy("speech/pauses.wav", "b.wav");
    dir.write("a.csv", "Path,Text,note\na.wav,\"hello, you\",\n");
    dir.write("b.jsonl", "{\"audio_filepath\":\"b.wav\",\"duration\":6.640,\"tags\":[1,\"x\"]}\n");
    dir.run(&["fetch", "a.csv", "b.jsonl"]).exits(0);
    let rows = dir.segments(&[]);
    for (name, metadata) in [
        ("a.wav", json!({ "Text": "hello, you", "note": "" })),
        ("b.wav", json!({ "duration": 6.64, "tags": [1, "x"] })),
    ] {
        let of = |row: &&Value| row["source"].as_str().unwrap().ends_with(name);
        assert_eq!(rows.iter().find(of).unwrap()["metadata"], metadata);
    }
    dir.copy("speech/pauses.wav", "c.wav");
    dir.run(&["fetch", "c.wav"]).exits(0);
    assert!(dir.segments(&["c.wav"]).iter().all(|row| row.get("metadata").is_none()));
}

#[test]
fn add_only_reads_a_foreign_postgres_database() {
    let Some(server) = Server::get() else { return };
    let (ours, url) = runtime().block_on(async { (server.database().await, server.database().await) });
    let query_text = |url: &str, sql: &'static str| -> Vec<String> {
        runtime().block_on(async {
            let mut connection = url.parse::<sqlx::postgres::PgConnectOptions>().unwrap().connect().await.unwrap();
            let rows = sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            rows
        })
    };
    query_text(&url, "CREATE TABLE t (url TEXT, priority INT, n NUMERIC, d DATE, tags TEXT[], j JSONB, raw BYTEA)");
    query_text(
        &url,
        "INSERT INTO t SELECT 'a/' || i || '.wav', i, 12345678901234567890.10, DATE '2026-01-31', '{x,y}',
                                    '{\"k\": null}', '\\x00ff' FROM generate_series(1, 12000) AS i",
    );
    query_text(&url, "INSERT INTO t (url) VALUES (NULL), ('')");
    query_text(&url, "CREATE FUNCTION emptied() RETURNS TEXT LANGUAGE sql AS 'DELETE FROM t RETURNING url'");
    let dir = TestDir::new();
    let run = |query: &str| {
        let args = ["add", "--from-database", &url, "--query", query, "--json"];
        let output = CommandOutput::from(dir.command(&args).env("DATABASE_URL", &ours).output().unwrap());
        assert!(!format!("{}{}", output.stdout, output.stderr).contains(PASSWORD), "{}", output.stderr);
        output
    };
    let query = "SELECT url AS path, priority, n, d, tags, j, raw FROM t; ";
    assert_eq!(run(query).exits(0).json(), json!({ "inserted": 12_000, "known": 0, "passed_over": 2 }));
    assert_eq!(run(query).exits(0).json(), json!({ "inserted": 0, "known": 12_000, "passed_over": 2 }));
    let sql = "SELECT metadata || priority FROM recording WHERE source = 'a/7.wav'";
    let stored = query_text(&ours, sql).remove(0);
    assert!(stored.contains("\"n\":12345678901234567890.10") && stored.ends_with('7'), "{stored}");
    let stored: Value = serde_json::from_str(&stored[..stored.len() - 1]).unwrap();
    assert_eq!((&stored["d"], &stored["tags"]), (&"2026-01-31".into(), &json!(["x", "y"])));
    assert_eq!((&stored["j"], &stored["raw"]), (&json!({ "k": null }), &"\\x00ff".into()));
    for (query, words) in [
        ("SELECT 1 AS path; SELECT 2", "it must be one SELECT"),
        ("SELECT 1 AS path) AS q; DROP TABLE t; SELECT row_to_json(q) FROM (SELECT 2 AS path", "it must be one SELECT"),
        ("DELETE FROM t RETURNING url AS path", "it must be one SELECT"),
        ("SELECT emptied() AS path", "read-only transaction"),
        ("SELECT nothing FROM nowhere", "nowhere"),
    ] {
        let output = run(query);
        assert!(
            output.stderr.contains(words) && matches!(output.code, 2 | 4),
            "{query}: {} {}",
            output.code,
            output.stderr
        );
    }
    assert_eq!(query_text(&url, "SELECT COUNT(*)::text FROM t"), ["12002"]);
    // The foreign database may be our own.
    let args = ["add", "--from-database", &ours, "--query", "SELECT source || '.flac' AS path FROM recording"];
    let output = CommandOutput::from(dir.command(&args).env("DATABASE_URL", &ours).output().unwrap()).exits(0);
    assert!(output.stdout.contains("12000 recordings added"), "{}", output.stdout);
}
