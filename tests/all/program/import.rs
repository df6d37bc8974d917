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

/// What a NAS and macOS store beside the recordings would fail, and the exit code of a nightly run would be 1.
#[test]
fn folders_and_lists_are_taken_as_systems_leave_them() {
    let dir = TestDir::new();
    dir.copy("speech/wav_s16_16k_mono.wav", "in/a.wav");
    dir.copy("speech/pauses.wav", "in/sub/b.wav");
    for junk in ["in/._a.wav", "in/sub/@eaDir/b.wav", "in/.AppleDouble/a.wav", "in/.Trash-1000/files/c.wav"] {
        dir.write(junk, "no audio");
    }
    dir.run(&["fetch", "in", "--no-audio"]).exits(0);
    assert_eq!(dir.count("done"), 2);
    dir.write("list.csv", "\u{feff}id;path;note\r\n1;in/a.wav;1,5\r\n");
    dir.write("list.jsonl", "\u{feff}{\"path\":\"in/sub/b.wav\"}\r\n");
    let output = dir.run(&["add", "list.csv", "list.jsonl", "--json"]).exits(0).json();
    assert_eq!(output, json!({ "inserted": 0, "known": 2 }));
}

/// Nothing is added before an error in a set of sources that fits into one batch; what was added before a later one stays.
#[test]
fn many_sources_are_added_in_batches() {
    let dir = TestDir::new();
    let rows = |number: usize| (1..=number).map(|n| format!("{{\"path\":\"{n}.wav\"}}\n")).collect::<String>();
    dir.write("short.jsonl", rows(9_000) + "{\"path\":\n");
    let output = dir.run(&["add", "short.jsonl"]).exits(2);
    assert!(output.stderr.contains("short.jsonl: line 9001"), "{}", output.stderr);
    assert!(!dir.path("prepare-audio.db").exists());
    dir.write("long.jsonl", rows(25_000) + "{\"path\":\n");
    let output = dir.run(&["add", "long.jsonl"]).exits(2);
    assert!(output.stderr.contains("20000 recordings added before this error; they stay"), "{}", output.stderr);
    dir.write("list.jsonl", rows(25_000));
    dir.run(&["add", "gone.wav", "list.jsonl"]).exits(2);
    assert_eq!(dir.count("pending"), 20_000);
    let output = dir.run(&["fetch", "list.jsonl", "list.jsonl", "--dry-run", "--json"]).exits(0).json();
    assert_eq!((&output["recordings"], &output["new"]), (&25_000.into(), &5_000.into()));
    let output = dir.run(&["add", "list.jsonl", "list.jsonl", "--json"]).exits(0).json();
    assert_eq!(output, json!({ "inserted": 5_000, "known": 45_000 }));
    let in_order = dir.query_row("SELECT COUNT(*) AS n FROM recording WHERE source LIKE '%/' || id || '.wav'");
    assert_eq!(in_order["n"], 25_000);
}

/// NeMo's `offset` and `duration` mean a part of the file, whose segments have the times of the file. Each part gives what
/// the same samples give as a file of their own.
#[test]
fn parts_of_a_file_are_recordings_of_their_own() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    let (start, end) = (1.0, 5.5);
    let part = |name: &str, from: f64, to: f64| {
        let mut wav = hound::WavReader::open(dir.path("a.wav")).unwrap();
        let spec = wav.spec();
        assert_eq!((spec.sample_rate, spec.channels), (16_000, 1));
        let samples: Vec<i16> = wav.samples().map(Result::unwrap).collect();
        let mut cut = hound::WavWriter::create(dir.path(name), spec).unwrap();
        let range = (from * 16_000.0) as usize..((to * 16_000.0) as usize).min(samples.len());
        samples[range].iter().for_each(|sample| cut.write_sample(*sample).unwrap());
        cut.finalize().unwrap();
    };
    part("cut.wav", start, end);
    dir.write(
        "manifest.json",
        "{\"audio_filepath\":\"a.wav\",\"offset\":1.0,\"duration\":4.5,\"text\":\"x\"}\n\
         {\"audio_filepath\":\"a.wav\",\"offset\":5.5}\n{\"audio_filepath\":\"a.wav\",\"offset\":3600}\n",
    );
    let settings = ["--merge-to", "10", "--workers", "2"];
    dir.run(&[&["fetch", "manifest.json", "cut.wav", "--json"][..], &settings].concat()).exits(1);
    assert_eq!(dir.run(&["add", "manifest.json", "--json"]).exits(0).json()["known"], 3);
    assert_eq!(dir.query_row("SELECT error_code AS c FROM recording WHERE source LIKE '%#t=3600'")["c"], "no_samples");
    let of = |name: &str| dir.segments(&[dir.path(name).to_str().unwrap()]);
    let compare = |parts: &[Value], cuts: &[Value]| {
        assert!(!cuts.is_empty() && parts.len() == cuts.len(), "{parts:?} {cuts:?}");
        for (part, cut) in parts.iter().zip(cuts) {
            for (key, by) in [("start_s", 1.0), ("end_s", 1.0), ("start_sample", 16_000.0), ("end_sample", 16_000.0)] {
                let number = |row: &Value| row[key].as_f64().unwrap();
                assert!((number(part) - number(cut) - start * by).abs() < 1e-6, "{key}: {part} {cut}");
            }
            assert_eq!((&part["sha256"], &part["cut"]), (&cut["sha256"], &cut["cut"]));
            assert_eq!(part["mean_probability"], cut["mean_probability"]);
            let first = |row: &Value| row["parts"][0][0].as_i64().unwrap();
            assert_eq!(first(part), first(cut) + 16_000);
        }
    };
    compare(&of("a.wav#t=1,5.5"), &of("cut.wav"));
    let row = dir.query_row("SELECT duration_s, samples FROM recording WHERE source LIKE '%#t=1,5.5'");
    assert_eq!((&row["duration_s"], &row["samples"]), (&json!(4.5), &json!(72_000)));
    // The rest of the file, from 5.5 s to its end.
    let all = dir.query_row("SELECT duration_s FROM recording WHERE source LIKE '%#t=5.5'")["duration_s"].clone();
    let mut wav = hound::WavReader::open(dir.path("a.wav")).unwrap();
    assert!((all.as_f64().unwrap() - (wav.samples::<i16>().len() as f64 / 16_000.0 - 5.5)).abs() < 1e-9);
    // From stored probabilities, with and without the audio.
    for (flag, value) in [("--vad-neg-threshold", "0.34"), ("--vad-speech-pad-ms", "77")] {
        dir.run(&["resegment", flag, value, "--merge-to", "10"]).exits(0);
        compare(&newest(&of("a.wav#t=1,5.5")), &newest(&of("cut.wav")));
    }
    dir.run(&["verify"]).exits(0);
    // A file whose name looks like a part is a file.
    dir.copy("speech/pauses.wav", "b.wav#t=1,2");
    dir.run(&["fetch", "b.wav#t=1,2"]).exits(0);
    let row = dir.query_row("SELECT duration_s FROM recording WHERE source LIKE '%b.wav#t=1,2'");
    assert!(row["duration_s"].as_f64().unwrap() > 2.0, "{row}");
    let plan = dir.run(&["fetch", "--dry-run", "--json", "--vad-threshold", "0.4", "manifest.json"]).exits(0).json();
    assert_eq!(plan["unreadable"], 0, "{plan}");
}

/// The segments of the recording that was prepared last.
fn newest(rows: &[Value]) -> Vec<Value> {
    let id = rows.iter().map(|row| row["recording_id"].as_i64().unwrap()).max().unwrap();
    rows.iter().filter(|row| row["recording_id"] == id).cloned().collect()
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
