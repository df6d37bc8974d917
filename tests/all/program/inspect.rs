//! `inspect`: what it shows and plays is that of the rows, and it answers no other site.

use std::fs;

use serde_json::{Value, json};

use crate::support::{
    inspect::Inspect,
    test_dir::{TestDir, fixture},
};

pub const SOURCES: [&str; 4] =
    ["speech/pauses.wav", "speech/mp3_44k1_stereo.mp3", "quiet/noise.wav", "truncated/cut_in_the_middle.wav"];

/// A directory whose recordings are prepared with these options.
pub fn prepared(options: &[&str]) -> TestDir {
    let dir = TestDir::new();
    for source in SOURCES {
        dir.copy(source, &format!("in/{source}"));
    }
    dir.run(&[&["fetch", "in", "--quiet"], options].concat()).exits(0);
    dir
}

/// The id of the recording whose source ends so.
fn id(dir: &TestDir, end: &'static str) -> i64 {
    let rows = dir.segments(&[]);
    let row = rows.iter().find(|row| row["source"].as_str().unwrap().ends_with(end)).unwrap();
    row["recording_id"].as_i64().unwrap()
}

#[test]
fn recordings_are_listed_and_found() {
    let dir = prepared(&[]);
    dir.query_row(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
         INSERT INTO recording (source, metadata) SELECT '/more/' || i || '<script>.wav',
                json_object('language', CASE i % 60 WHEN 0 THEN 'de' ELSE 'en' END, 'i', i) FROM n",
    );
    dir.query_row(
        "INSERT INTO recording (source, state, error_code, error) VALUES ('broken', 'failed', '<b>code', 'why')",
    );
    let inspect = Inspect::start(&dir, &[]);
    let page = |query: &str| {
        let answer = inspect.get(&format!("/{query}"));
        assert_eq!(answer.status, 200);
        answer.text()
    };
    let rows = |page: &str| page.matches("<a href=\"/recording/").count();
    let link = |page: &str, rel: &str| {
        let at = page.find(&format!("rel=\"{rel}\" href=\""))?;
        Some(page[at..].split('"').nth(3)?.replace("&amp;", "&"))
    };
    let first = page("");
    assert_eq!((rows(&first), link(&first, "prev")), (50, None));
    assert!(first.contains("&lt;script&gt;.wav") && !first.contains("<script>") && !first.contains("<b>code"));
    let second = page(&link(&first, "next").unwrap());
    let last = page(&link(&second, "next").unwrap());
    assert_eq!((rows(&second), rows(&last), link(&last, "next")), (50, 25, None));
    assert_eq!(page(&link(&last, "prev").unwrap()), page(&link(&first, "next").unwrap()));
    for (query, found) in [
        ("?q=more/11", 11), // 11 and 110 to 119
        ("?q=%3Cscript%3E.WAV&state=pending", 50),
        ("?state=failed", 1),
        ("?state=done", 4),
        ("?metadata=language%3Dde", 2),
        ("?metadata=i%3D7", 1),
        ("?metadata=%22de%22", 2),
        ("?q=none", 0),
        ("?q=%25", 0),
    ] {
        assert_eq!(rows(&page(query)), found, "{query}");
    }
    assert!(page("?q=none").contains("No recording meets the search"));
    assert_eq!([inspect.get("/?state=over").status, inspect.get("/?before=x").status], [400, 400]);
    let failed = page("?state=failed");
    let path = failed.split('"').find(|text| text.starts_with("/recording/")).unwrap();
    let failed = inspect.get(path);
    assert!(failed.status == 200 && failed.text().contains("&lt;b&gt;code") && !failed.text().contains("<canvas"));
}

#[test]
fn other_sites_are_refused() {
    let dir = prepared(&[]);
    let inspect = Inspect::start(&dir, &[]);
    let port = inspect.host.rsplit(':').next().unwrap().to_owned();
    let good = inspect.get("/");
    assert_eq!(good.status, 200);
    let head = good.head.to_ascii_lowercase();
    for header in
        ["content-security-policy: default-src 'none'", "x-content-type-options: nosniff", "frame-ancestors 'none'"]
    {
        assert!(head.contains(header), "{head}");
    }
    for (lines, status) in [
        (&[format!("Host: localhost:{port}")][..], 200),
        (&["Host: evil.example".into()], 403),
        (&[format!("Host: evil.example:{port}")], 403),
        (&["Host: localhost".into()], 403),
        (&[format!("Host: localhost:{port}"), "Origin: http://evil.example".into()], 403),
        (&[format!("Host: localhost:{port}"), format!("Host: evil.example:{port}")], 403),
    ] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for path in ["/", "/recording/1/data", "/assets/recording.js", "/none"] {
            let answer = inspect.send(&format!("GET {path}"), &lines, "");
            if path == "/" {
                assert_eq!(answer.status, status, "{lines:?}");
            } else if status == 403 {
                assert_eq!(answer.status, 403, "{path} {lines:?}");
            }
        }
    }
    let absolute = inspect.send(&format!("GET http://evil.example:{port}/"), &[], "");
    assert_eq!(absolute.status, 403);
    let path = "POST /recording/1/segment/0/annotation";
    assert_eq!(inspect.send(path, &[], "{}").status, 403, "without an origin");
    assert_eq!(inspect.send(path, &["Origin: null"], "{}").status, 403);
    // It listens on the loopback address alone.
    assert!(inspect.host.starts_with("127.0.0.1:"));
}

#[test]
fn only_files_of_rows_are_served() {
    let dir = prepared(&[]);
    let id = id(&dir, "pauses.wav");
    let inspect = Inspect::start(&dir, &[]);
    let segment = inspect.get(&format!("/recording/{id}/segment/0"));
    let path = dir.segments(&[])[0]["path"].as_str().unwrap().to_owned();
    assert_eq!(segment.status, 200);
    assert!(path.contains("segments/") && segment.body.starts_with(b"RIFF") && segment.head.contains("audio/wav"));
    for path in [
        "/recording/999",
        "/recording/x",
        "/recording/-1",
        "/recording/99999999999999999999",
        "/recording/999/data",
        "/recording/..%2f..%2fetc%2fpasswd",
        "/assets/..%2f..%2fCargo.toml",
        "/assets/x.js",
        "/assets/page.css/x",
    ] {
        assert_eq!(inspect.get(path).status, 404, "{path}");
    }
    for path in ["/segment/99", "/segment/x", "/segment/-1", "/segment/..%2f0"] {
        assert_eq!(inspect.get(&format!("/recording/{id}{path}")).status, 404, "{path}");
    }
    assert_eq!(inspect.get(&format!("/recording/{id}/data?channel=2")).status, 200, "channels were mixed");
    // A row may name any file; only what looks like a segment's is served.
    dir.write("secret.wav", "no audio at all");
    for (update, message) in [
        ("UPDATE segment SET path = '/etc/passwd'", "its name"),
        ("UPDATE segment SET path = 'secret.wav'", "its content"),
        ("UPDATE segment SET path = '/dev/zero.wav'", "No such file"),
        ("UPDATE segment SET path = 'in.wav'", "its content"),
    ] {
        let _ = fs::create_dir(dir.path("in.wav"));
        dir.query_row(update);
        let answer = inspect.get(&format!("/recording/{id}/segment/0"));
        assert!(answer.status == 409 && answer.text().contains(message), "{update}: {}", answer.text());
    }
}

#[test]
fn drawings_and_audio_are_those_of_the_source() {
    let dir = prepared(&[]);
    let id = id(&dir, "pauses.wav");
    let inspect = Inspect::start(&dir, &[]);
    let get = |path: &str| inspect.drawing(&format!("/recording/{id}/{path}"));
    let mut reader = hound::WavReader::open(fixture("speech/pauses.wav")).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();

    let data = get("data").json();
    assert_eq!(
        (&data["samples"], &data["first"], &data["has_probabilities"]),
        (&json!(samples.len()), &json!(0), &json!(true))
    );
    let rows = dir.segments(&[&id.to_string()]);
    let bounds = |rows: &[Value], start: &str, end: &str| -> Vec<(Value, Value)> {
        rows.iter().map(|row| (row[start].clone(), row[end].clone())).collect()
    };
    let shown = data["segments"].as_array().unwrap();
    assert_eq!(bounds(shown, "start", "end"), bounds(&rows, "start_sample", "end_sample"));

    let peaks: Vec<i16> = get("peaks?from=1000&to=9000&columns=100")
        .body
        .chunks(2)
        .map(|two| i16::from_le_bytes([two[0], two[1]]))
        .collect();
    assert_eq!(peaks.len(), 200);
    for (column, pair) in peaks.chunks(2).enumerate() {
        let part = &samples[1000 + column * 80..1080 + column * 80];
        assert_eq!((Some(&pair[0]), Some(&pair[1])), (part.iter().min(), part.iter().max()), "column {column}");
    }
    let text = fs::read_to_string(fixture("expected/speech_pauses.wav.probs.csv")).unwrap();
    let official: Vec<f32> = text.lines().map(|line| line.parse().unwrap()).collect();
    let bytes = get("probabilities?columns=4000").body;
    let curve: Vec<f32> = bytes.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(curve.len(), 2 * official.len());
    assert!(
        official
            .iter()
            .zip(curve.chunks(2))
            .all(|(wanted, pair)| pair.iter().all(|found| (found - wanted).abs() < 1e-5))
    );
    let spectrogram = get("spectrogram?columns=300").body;
    assert_eq!(spectrogram.len(), 300 * 128);
    assert!(spectrogram.iter().any(|&byte| byte > 150) && spectrogram.iter().any(|&byte| byte < 20));

    let wav = get("audio.wav");
    let mut reader = hound::WavReader::new(wav.body.as_slice()).unwrap();
    assert_eq!(reader.samples().map(Result::unwrap).collect::<Vec<i16>>(), samples);
    let range = |range: &str| inspect.send(&format!("GET /recording/{id}/audio.wav"), &[range], "");
    let part = range("Range: bytes=40-47");
    assert_eq!((part.status, part.body.as_slice()), (206, &wav.body[40..48]));
    assert!(
        part.head.to_ascii_lowercase().contains(&format!("content-range: bytes 40-47/{}", wav.body.len())),
        "{}",
        part.head
    );
    assert_eq!(range("Range: bytes=99999999-").status, 416);
    assert_eq!(range("Range: bytes=-8").body, wav.body[wav.body.len() - 8..]);
    for wrong in ["peaks?from=x", "peaks?columns=-1", "probabilities?to=1.5"] {
        assert_eq!(get(wrong).status, 400, "{wrong}");
    }
    assert!(get("peaks?from=9000&to=10&columns=99999").body.is_empty());
}

#[test]
fn parts_of_files_have_their_own_times() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "pauses.wav");
    dir.write("list.jsonl", json!({ "audio_filepath": "pauses.wav", "offset": 3.0, "duration": 3.0 }).to_string());
    dir.run(&["fetch", "list.jsonl", "--quiet"]).exits(0);
    let inspect = Inspect::start(&dir, &[]);
    let data = inspect.get("/recording/1/data").json();
    assert_eq!((&data["first"], &data["samples"]), (&json!(48_000), &json!(48_000)));
    let cuts = inspect.get("/recording/1/cuts").json();
    assert_eq!(cuts["segments"][0][0], data["segments"][0]["start"]);
    assert!(data["segments"][0]["start"].as_u64().unwrap() > 48_000);
    let wav = inspect.drawing("/recording/1/audio.wav").body;
    let mut reader = hound::WavReader::open(fixture("speech/pauses.wav")).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).skip(48_000).take(48_000).collect();
    let mut part = hound::WavReader::new(wav.as_slice()).unwrap();
    assert_eq!(part.samples().map(Result::unwrap).collect::<Vec<i16>>(), samples);
}

#[test]
fn a_source_that_is_gone_is_reported() {
    let dir = prepared(&[]);
    let id = id(&dir, "pauses.wav");
    fs::remove_file(dir.path("in/speech/pauses.wav")).unwrap();
    let inspect = Inspect::start(&dir, &[]);
    let get = |path: &str| inspect.drawing(&format!("/recording/{id}{path}"));
    assert!(get("").text().contains("<canvas"));
    assert_eq!(get("/data").json()["segments"].as_array().unwrap().len(), 3);
    for path in ["/peaks", "/spectrogram", "/audio.wav"] {
        let answer = get(path);
        assert!(answer.status == 409 && answer.text().starts_with("not_found: "), "{path}: {}", answer.text());
    }
    assert!(!get("/probabilities").body.is_empty());
    assert_eq!(get("/cuts?threshold=0.4").json()["segments"].as_array().unwrap().len(), 3);
    assert!(get("/segment/0").body.starts_with(b"RIFF"), "its own file plays");
    // It is found as soon as it is back.
    dir.copy("speech/pauses.wav", "in/speech/pauses.wav");
    let back = (0..20).map(|_| get("/peaks").status).find(|&status| status == 200);
    assert_eq!(back, Some(200));
    // Without probabilities there is nothing to cut from.
    dir.query_row("DELETE FROM probabilities");
    let inspect = Inspect::start(&dir, &[]);
    assert_eq!(inspect.get(&format!("/recording/{id}/data")).json()["has_probabilities"], false);
    assert_eq!(inspect.get(&format!("/recording/{id}/cuts")).status, 409);
}

#[test]
fn tags_and_notes_outlive_resegmenting_and_are_exported() {
    let dir = prepared(&[]);
    let id = id(&dir, "pauses.wav");
    let rows = dir.segments(&[&id.to_string()]);
    let path = |idx: usize| format!("/recording/{id}/segment/{idx}/annotation");
    let body = |idx: usize, tag: Option<&str>, note: Option<&str>| json!({ "start": rows[idx]["start_sample"], "end": rows[idx]["end_sample"], "tag": tag, "note": note });
    let inspect = Inspect::start(&dir, &[]);
    assert_eq!(inspect.post(&path(1), &body(1, Some("bad"), Some(" cut off, \"loud\" <b> "))).status, 204);
    assert_eq!(inspect.post(&path(0), &body(0, Some("good"), None)).status, 204);
    for (idx, wrong, status) in [
        (1, body(0, Some("bad"), None), 404), // boundaries of another segment
        (9, body(0, Some("bad"), None), 404),
        (1, json!({ "start": 1 }), 400),
        (1, json!({ "start": 1, "end": 2, "tag": null, "note": null, "path": "/etc" }), 400),
        (1, body(1, None, Some(&"x".repeat(5_000))), 400),
        (1, body(1, None, Some("a\0b")), 400),
    ] {
        assert_eq!(inspect.post(&path(idx), &wrong).status, status, "{idx} {wrong}");
    }
    let data = inspect.get(&format!("/recording/{id}/data")).json();
    assert_eq!(data["segments"][1]["note"], "cut off, \"loud\" <b>");
    let export = |args: &[&str]| dir.run(&[&["export", "jsonl"], args].concat()).exits(0).json_lines();
    let bad = export(&["--where", "tag = \"bad\""]);
    assert_eq!((bad.len(), &bad[0]["idx"], &bad[0]["note"]), (1, &json!(1), &json!("cut off, \"loud\" <b>")));
    assert_eq!(export(&["--where", "tag is null"]).len(), dir.segments(&[]).len() - 2);
    let csv = dir.run(&["export", "csv", "--where", "tag is not null"]).exits(0).stdout;
    assert!(csv.contains(",tag,note,text") && csv.contains(",bad,\"cut off, \"\"loud\"\" <b>\","), "{csv}");
    // The first boundaries stay, the second ones do not.
    dir.run(&["resegment", &id.to_string(), "--vad-min-silence-duration-ms", "120", "--quiet"]).exits(0);
    let tags = |rows: &[Value]| rows.iter().filter(|row| row["tag"].is_string()).count();
    assert_eq!(tags(&dir.segments(&[])), 4, "of two recipes");
    dir.run(&["resegment", &id.to_string(), "--vad-speech-pad-ms", "90", "--quiet"]).exits(0);
    assert_eq!(tags(&dir.segments(&[])), 4, "other boundaries are other segments");
    assert_eq!(inspect.post(&path(1), &body(1, None, Some("  "))).status, 204, "it is taken back");
    assert_eq!(dir.query_row("SELECT COUNT(*) AS n FROM annotation"), json!({ "n": 1 }));
}

#[test]
fn it_ends_with_ctrl_c_and_names_what_is_wrong() {
    let dir = prepared(&["--no-audio"]);
    let inspect = Inspect::start(&dir, &[]);
    let port = inspect.host.rsplit(':').next().unwrap().to_owned();
    let taken = dir.run(&["inspect", "--port", &port]).exits(2);
    assert!(taken.stderr.contains(&format!("--port: cannot listen on 127.0.0.1:{port}")), "{}", taken.stderr);
    assert_eq!(dir.run(&["inspect", "--database", "sqlite://none.db"]).code, 4);
    assert!(dir.run(&["inspect", "--port", "99999"]).exits(2).stderr.contains("99999"));
    assert_eq!(inspect.get("/recording/1/segment/0").status, 404, "prepared without files");
    assert_eq!(inspect.interrupt(), Some(0));
}
