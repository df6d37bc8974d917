//! `report`: the page holds the right figures, escapes foreign names, requests nothing, and stays small.

use std::fs;

use serde_json::{Value, json};

use crate::support::test_dir::TestDir;

const SPEECH: &str = "speech/wav_s16_16k_mono.wav";

/// A directory with prepared recordings, among them one that fails.
fn prepared() -> TestDir {
    let dir = TestDir::new();
    dir.copy(SPEECH, "a.wav");
    dir.copy("speech/pauses.wav", "pauses.wav");
    dir.copy("speech/flac_48k_stereo.flac", "b.flac");
    dir.copy("bad/empty.wav", "empty.wav");
    let lines = [
        json!({ "path": "a.wav", "language": "de" }),
        json!({ "path": "pauses.wav", "language": "de" }),
        json!({ "path": "b.flac", "language": "en" }),
        json!({ "path": "empty.wav" }),
    ];
    dir.write("list.jsonl", lines.map(|line| line.to_string() + "\n").concat());
    dir.run(&["fetch", "list.jsonl"]).exits(1);
    dir
}

fn figures(dir: &TestDir, args: &[&str]) -> Value {
    dir.run(&[&["report", "--json"], args].concat()).exits(0).json()
}

fn page(dir: &TestDir, args: &[&str]) -> String {
    dir.run(&[&["report", "--output", "page.html"], args].concat()).exits(0);
    fs::read_to_string(dir.path("page.html")).unwrap()
}

fn histogram<'f>(figures: &'f Value, name: &str) -> &'f Value {
    figures["histograms"].as_array().unwrap().iter().find(|histogram| histogram["name"] == name).unwrap()
}

fn close(a: &Value, b: &Value) -> bool {
    (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-6
}

#[test]
fn figures_are_those_of_the_rows() {
    let dir = prepared();
    let figures = figures(&dir, &["--by", "metadata.language", "--by", "container"]);
    let sums = dir.query_row("SELECT COUNT(*) AS n, SUM(duration_s) AS s, SUM(total_ms) AS ms, SUM(vad_ms) AS vad FROM recording WHERE state = 'done'");
    let stages = &figures["stages"];
    assert_eq!((&stages["recordings"], &sums["n"]), (&json!(3), &json!(3)));
    assert!(
        close(&stages["duration_s"], &sums["s"])
            && close(&stages["total_ms"], &sums["ms"])
            && close(&stages["vad_ms"], &sums["vad"])
    );

    let segments = dir.query_row(
        "SELECT COUNT(*) AS n, AVG(end_s - start_s) AS mean, MIN(end_s - start_s) AS least, MAX(end_s - start_s) AS greatest,
                SUM(end_s - start_s < 1.0 / 6) AS first, SUM(end_s - start_s >= 0.5 AND end_s - start_s < 4.0 / 6) AS fourth,
                SUM(level_dbfs >= -24 AND level_dbfs < -22) AS level FROM segment",
    );
    // No segment is longer than 5 s, so each of the 30 classes has a sixth of a second.
    let lengths = histogram(&figures, "segment_length");
    assert_eq!(lengths["high"], 5.0);
    assert_eq!(
        (&lengths["number"], &lengths["counts"][0], &lengths["counts"][3]),
        (&segments["n"], &segments["first"], &segments["fourth"])
    );
    assert!(["mean", "least", "greatest"].iter().all(|name| close(&lengths[*name], &segments[*name])));
    // Classes of 2 dB from -80.
    assert_eq!(histogram(&figures, "level")["counts"][28], segments["level"]);

    let by_language = &figures["groups"][0];
    let german =
        dir.query_row("SELECT SUM(duration_s) AS s, SUM(segments) AS n FROM recording WHERE metadata LIKE '%de%'");
    assert_eq!(by_language["by"], "metadata.language");
    assert_eq!(by_language["groups"][0]["value"], "de");
    assert!(close(&by_language["groups"][0]["duration_s"], &german["s"]));
    assert_eq!(by_language["groups"][0]["segments"], german["n"]);
    assert_eq!((&by_language["groups"][2]["value"], &by_language["groups"][2]["failed"]), (&Value::Null, &json!(1)));
    assert_eq!(figures["groups"][1]["by"], "container");

    let longest =
        dir.query_row("SELECT recording_id, idx FROM segment ORDER BY end_s - start_s DESC, recording_id, idx");
    let outliers = figures["outliers"].as_array().unwrap();
    let lists = outliers.iter().find(|list| list["name"] == "segment_length" && list["greatest"] == true).unwrap();
    assert_eq!(
        (&lists["rows"][0]["recording_id"], &lists["rows"][0]["idx"]),
        (&longest["recording_id"], &longest["idx"])
    );

    let error = &figures["errors"][0];
    assert_eq!((&error["code"], &error["recordings"]), (&json!("empty_file"), &json!(1)));
    assert!(error["newest"][0]["source"].as_str().unwrap().ends_with("empty.wav"));
    assert_eq!(figures["sample"].as_array().unwrap().len(), 3);
    assert!(!dir.path("report.html").exists(), "--json writes no page");

    // Outliers are links that play from the segment's start on.
    dir.run(&["report", "--sample", "0", "--quiet"]).exits(0);
    let page = fs::read_to_string(dir.path("report.html")).unwrap();
    let row = &lists["rows"][0];
    let (start, end) = (row["start_s"].as_f64().unwrap(), row["end_s"].as_f64().unwrap());
    let path = dir.path(row["source"].as_str().unwrap());
    let link = format!("href=\"{}#t={start:.2},{end:.2}\"", url::Url::from_file_path(path).unwrap());
    assert!(page.contains(&link), "{link}");
    assert!(!page.contains("DNSMOS"), "a figure that no row has is left out");
}

#[test]
fn the_page_has_charts_and_audio_and_requests_nothing() {
    let dir = prepared();
    let page = page(&dir, &["--by", "metadata.language"]);
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    assert_eq!(page.matches("<audio controls").count(), 3);
    assert_eq!(page.matches("src=\"data:audio/ogg;base64,T2dnUw").count(), 3, "Ogg begins with OggS");
    assert_eq!(page.matches("<path class=\"wave\" d=\"M").count(), 3);
    assert_eq!(page.matches("<path class=\"curve\" d=\"M").count(), 3);
    assert!(page.matches("role=\"img\" aria-label=\"").count() >= 9);
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
    assert!(page.contains("<code>empty_file</code>") && page.contains("requeue --where-error empty_file"));
    for outside in ["http://", "https://", "url(", "@import", "src=\"/", "href=\"/"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
    let names: Vec<String> = dir.files(".").into_iter().map(|(path, _)| path.display().to_string()).collect();
    assert!(names.iter().all(|name| !name.contains(".tmp.report")), "{names:?}");
    // To standard output it is the same, and so is another run's with this seed.
    let body = |page: &str| page.split_once("<main>").unwrap().1.to_owned();
    let printed = dir.run(&["report", "--by", "metadata.language", "-o", "-"]).exits(0).stdout;
    assert_eq!(body(&printed), body(&page));
}

#[test]
fn foreign_text_is_escaped() {
    let dir = prepared();
    dir.query_row("UPDATE recording SET metadata = '{\"k\": \"<img src=x onerror=alert(1)>\"}', container = '\"><script>alert(2)</script>',
                   model = '<i>', parameters = '</pre><script>alert(3)</script>'");
    dir.query_row(
        "UPDATE recording SET source = '/in/<script>alert(4)</script>\"''\u{202e}&' || id, error = '<b onclick=x>'",
    );
    dir.query_row(
        "INSERT INTO recording (source, state, error_code, error) VALUES ('x', 'failed', '$(rm -rf /) <u>', '</li>')",
    );
    let page = page(&dir, &["--by", "metadata.k", "--by", "container"]);
    for tag in ["<img", "<script>alert", "<b onclick", "<u>", "<i>", "\u{202e}", "requeue --where-error $"] {
        assert!(!page.contains(tag), "{tag}");
    }
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    assert!(page.contains("&lt;script&gt;alert(4)&lt;/script&gt;"));
}

#[test]
fn sources_that_are_gone_are_shown_without_audio() {
    let dir = prepared();
    fs::remove_file(dir.path("a.wav")).unwrap();
    let page = page(&dir, &[]);
    assert_eq!(page.matches("<audio controls").count(), 2);
    assert_eq!(page.matches("No audio: </span>").count(), 1);
    assert!(page.contains("not_found: "), "the error's code");
    assert_eq!(page.matches("<path class=\"curve\" d=\"M").count(), 3, "probabilities are stored");
}

#[test]
fn a_database_without_recordings_has_a_page() {
    let dir = TestDir::new();
    dir.run(&["add", "list.txt"]);
    dir.write("list.txt", "gone.wav\n");
    dir.run(&["add", "list.txt"]).exits(0);
    dir.query_row("DELETE FROM recording");
    assert!(page(&dir, &[]).contains("No recordings yet"));
    assert_eq!(figures(&dir, &[])["states"], json!([]));
    assert_eq!(dir.run(&["report", "--database", "sqlite://none.db"]).code, 4);
}

/// 20,000 recordings whose names and errors have 4 kB each, with as many values to group by.
#[test]
fn the_page_stays_small() {
    let dir = prepared();
    dir.long_recordings("long", 12);
    dir.run(&["fetch", "long", "--quiet"]).exits(0);
    dir.query_row(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         INSERT INTO recording (source, recipe, state, error_code, error, metadata, finished_at, parameters, duration_s, total_ms)
         SELECT '/' || hex(zeroblob(2000)) || i, 'r' || (i % 500), CASE i % 3 WHEN 0 THEN 'failed' ELSE 'done' END,
                'code' || (i % 200), hex(zeroblob(2000)), '{\"k\": \"' || hex(zeroblob(200)) || i || '\"}', i,
                hex(zeroblob(4000)), i, i FROM n",
    );
    dir.query_row(
        "INSERT INTO segment (recording_id, idx, start_sample, end_sample, start_s, end_s, path, sha256, mean_probability,
                              min_probability, token, cut, level_dbfs)
         SELECT id, 0, 0, 16000, 0, 1, '', '', 0.1, 0.1, 0, 'cut' || id, -20 FROM recording WHERE source LIKE '/00%' AND state = 'done'",
    );
    for sample in ["12", "100"] {
        let page = page(&dir, &["--by", "metadata.k", "--sample", sample]);
        assert!(page.len() <= 3_000_000, "{sample}: {} bytes", page.len());
    }
    // A sample of real recordings alone.
    dir.query_row("DELETE FROM recording WHERE source LIKE '/00%'");
    let page = page(&dir, &["--sample", "12"]);
    assert_eq!(page.matches("<audio controls").count(), 12);
    assert!((500_000..=3_000_000).contains(&page.len()), "{} bytes", page.len());
}

#[test]
fn mistakes_are_named() {
    let dir = prepared();
    dir.write("file", "");
    fs::create_dir(dir.path("folder")).unwrap();
    for (args, message) in [
        (&["report", "-o", "folder"][..], "folder: is a folder; name a file"),
        (&["report", "-o", "file/report.html"], "file/report.html: the report cannot be written: Not a directory"),
        (&["report", "-o", "none/report.html"], "none/report.html: the report cannot be written: No such file"),
        (&["report", "--by", "language"], "write metadata.KEY"),
        (&["report", "--sample", "101"], "101 is not in 0..=100"),
    ] {
        let output = dir.run(args).exits(2);
        assert!(output.stderr.contains(message), "{args:?}: {}", output.stderr);
        assert_eq!(output.stdout, "");
    }
}

#[test]
fn a_report_is_replaced_and_readable_by_others() {
    let dir = prepared();
    dir.write("report.html", "before");
    dir.run(&["report", "--sample", "0"]).exits(0);
    let page = fs::read_to_string(dir.path("report.html")).unwrap();
    assert!(page.contains("<h1>") && !page.contains("<audio"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        dir.write("new", "");
        let mode = |name: &str| fs::metadata(dir.path(name)).unwrap().permissions().mode();
        assert_eq!(mode("report.html"), mode("new"));
    }
}
