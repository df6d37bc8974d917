//! `export`: what each format holds, which segments are chosen, and that nothing is half written.
//!
//! tests/consumers.sh loads each format with the tools that it is made for.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::support::test_dir::{TestDir, fixture};

const SPEECH: &str = "speech/wav_s16_16k_mono.wav";

/// Every format, with the file or folder that it is written to.
const FORMATS: &[(&str, &str)] = &[
    ("lhotse", "out/"),
    ("nemo", "out.jsonl"),
    ("kaldi", "out/"),
    ("huggingface", "out/"),
    ("webdataset", "out/"),
    ("ljspeech", "out/"),
    ("rttm", "out.rttm"),
    ("ctm", "out.ctm"),
    ("uem", "out.uem"),
    ("stm", "out.stm"),
    ("textgrid", "out/"),
    ("eaf", "out/"),
    ("audacity", "out/"),
    ("srt", "out/"),
    ("vtt", "out/"),
    ("whisperx", "out/"),
    ("csv", "out.csv"),
    ("tsv", "out.tsv"),
    ("jsonl", "out.jsonl"),
    #[cfg(feature = "parquet")]
    ("huggingface-parquet", "out/"),
    #[cfg(feature = "parquet")]
    ("parquet", "out.parquet"),
];

/// A directory with prepared recordings of these names.
fn prepared(names: &[&str]) -> TestDir {
    let dir = TestDir::new();
    for name in names {
        dir.copy(SPEECH, name);
    }
    dir.run(&[&["fetch"], names].concat()).exits(0);
    dir
}

/// The lines of an export to standard output.
fn json_lines(dir: &TestDir, args: &[&str]) -> Vec<Value> {
    dir.run(&[&["export", "jsonl"], args].concat()).exits(0).json_lines()
}

#[test]
fn every_format_can_be_written_and_leaves_no_temporary_file() {
    let dir = prepared(&["a.wav", "b.wav"]);
    for &(format, to) in FORMATS {
        let code = if format == "ljspeech" { 1 } else { 0 }; // it needs texts
        dir.run(&["export", format, "--to", to]).exits(code);
        assert!(dir.path(to).exists(), "{format}");
        let names: Vec<String> = dir.files(".").into_iter().map(|(path, _)| path.display().to_string()).collect();
        assert!(names.iter().all(|name| !name.contains(".tmp.")), "{format}: {names:?}");
        if dir.path(to).is_dir() { fs::remove_dir_all(dir.path(to)) } else { fs::remove_file(dir.path(to)) }.unwrap();
    }
}

/// Names with what a format has to escape, in names, metadata and texts.
#[test]
fn unusual_names_and_metadata_break_no_format() {
    let dir = TestDir::new();
    let hostile = "\"quoted\", it's <b>&amp;\u{202e}\t|\r\n..;{}[]=";
    let long = "x".repeat(4096);
    for (index, name) in
        ["it's \"1\".wav", "tab\there.wav", "line\nbreak.wav", "\u{202e}vaw.wav", "-dash.wav"].iter().enumerate()
    {
        dir.copy(SPEECH, name);
        let text = if index == 0 { &long } else { hostile };
        let line = json!({ "path": name, "speaker": hostile, "language": hostile, "text": text, hostile: hostile, "nested": { "a": [1, null] } });
        dir.write(&format!("list{index}.jsonl"), format!("{line}\n"));
        dir.run(&["fetch", &format!("list{index}.jsonl")]).exits(0);
    }
    for &(format, to) in FORMATS {
        let output = dir.run(&["export", format, "--to", to, "--json", "--ids", "key"]);
        assert!(output.code == 0 || (output.code == 1 && format == "kaldi"), "{format}: {}", output.stderr);
        let summary = &output.json()["summary"];
        let skipped = summary["skipped"]["not_representable"].as_u64().unwrap_or_default();
        // A path with a line break cannot stand in Kaldi's tables.
        assert_eq!(skipped > 0, format == "kaldi", "{format}: {summary}");
        for (path, bytes) in dir.files(to.trim_end_matches('/')).into_iter().chain(single(&dir, to)) {
            let shown = path.display().to_string();
            assert!(!shown.contains("..") && !shown.contains('\u{202e}') && !shown.contains('\n'), "{format}: {shown}");
            if ["nemo", "jsonl"].contains(&format) {
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{format}");
            }
        }
        if dir.path(to).is_dir() { fs::remove_dir_all(dir.path(to)) } else { fs::remove_file(dir.path(to)) }.unwrap();
    }
}

fn single(dir: &TestDir, to: &str) -> Option<(std::path::PathBuf, Vec<u8>)> {
    fs::read(dir.path(to)).ok().map(|bytes| (to.into(), bytes))
}

#[test]
fn metadata_that_is_no_object_is_kept() {
    let dir = prepared(&["a.wav", "b.wav", "c.wav"]);
    dir.query_row(
        "UPDATE recording SET metadata = CASE id WHEN 1 THEN '[1, 2]' WHEN 2 THEN 'not JSON' ELSE 'null' END",
    );
    let metadata: Vec<Value> = json_lines(&dir, &[]).into_iter().map(|line| line["metadata"].clone()).collect();
    assert!(metadata.contains(&json!({ "metadata": [1, 2] })), "{metadata:?}");
    assert!(metadata.contains(&json!({ "metadata": "not JSON" })), "{metadata:?}");
    assert!(metadata.contains(&json!({})), "{metadata:?}");
}

#[test]
fn segments_whose_files_are_gone_are_counted() {
    let dir = prepared(&["a.wav", "b.wav"]);
    let segments = dir.segments(&[]);
    fs::remove_file(segments[0]["path"].as_str().unwrap()).unwrap();
    for (format, to) in [("nemo", "out.jsonl"), ("lhotse", "out/"), ("webdataset", "tar/"), ("huggingface", "hf/")] {
        let summary = dir.run(&["export", format, "--to", to, "--json"]).exits(1).json()["summary"].clone();
        assert_eq!(summary["skipped"], json!({ "file_missing": 1 }), "{format}");
        assert_eq!(summary["rows"].as_u64(), Some(segments.len() as u64 - 1), "{format}");
    }
    dir.run(&["export", "nemo", "--to", "out.jsonl", "--no-check"]).exits(0);
    // Tables do not refer to files.
    assert_eq!(json_lines(&dir, &[]).len(), segments.len());
}

#[test]
fn what_was_there_before_stays_when_an_export_fails() {
    let dir = prepared(&["x/same.wav", "y/same.wav"]);
    dir.write("out.rttm", "before");
    let output = dir.run(&["export", "rttm", "--to", "out.rttm"]).exits(2);
    assert!(output.stderr.contains("--ids key"), "{}", output.stderr);
    assert_eq!(fs::read(dir.path("out.rttm")).unwrap(), b"before");
    assert!(fs::read_dir(dir.path(".")).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().contains(".tmp.")));
    dir.run(&["export", "rttm", "--to", "out.rttm", "--ids", "key"]).exits(0);
    assert_ne!(fs::read(dir.path("out.rttm")).unwrap(), b"before");
}

#[test]
fn mistakes_are_named() {
    let dir = prepared(&["a.wav"]);
    dir.write("file", "");
    dir.write("folder/file", "");
    for (args, message) in [
        (&["export", "excel"][..], "invalid value 'excel'"),
        (&["export", "lhotse"], "name the folder with --to"),
        (&["export", "lhotse", "--to", "file"], "file: is a file, and lhotse needs a folder"),
        (&["export", "csv", "--to", "folder"], "folder: is a folder, and csv is one file"),
        (&["export", "csv", "--where", "language = 'de'"], "language is no field"),
        (&["export", "csv", "--since", "yesterday"], "an age (7d) is expected"),
        (&["export", "nemo", "--split", "a=0.5,b=0.6", "--to", "parts/"], "add up to 1.1"),
        (&["export", "nemo", "--split", "a=1", "--split-by", "speaker", "--to", "parts/"], "metadata.KEY"),
        (&["export", "nemo", "--split", "a=1"], "name a folder"),
        (&["export", "nemo", "--group-to", "30"], "add --audio sources"),
        (&["export", "webdataset", "--to", "out/", "--audio", "sources"], "cannot refer to the sources"),
        (&["export", "csv", "gone.wav"], "no recording has this id or source"),
        (&["export", "csv", "--recipe", "zz"], "no recording is done under a recipe zz"),
    ] {
        let output = dir.run(args).exits(2);
        assert!(output.stderr.contains(message), "{args:?}: {}", output.stderr);
    }
    dir.run(&["export", "csv", "--database", "sqlite://none.db"]).exits(4);
}

#[test]
fn an_unwritable_target_is_named() {
    let dir = prepared(&["a.wav"]);
    dir.write("file", "");
    let output = dir.run(&["export", "csv", "--to", "file/out.csv"]);
    assert!(output.code != 0 && output.stderr.contains("file"), "{}", output.stderr);
    assert_eq!(output.stdout, "");
}

#[test]
fn two_recipes_of_a_source_are_not_mixed() {
    let dir = prepared(&["a.wav"]);
    dir.run(&["fetch", "a.wav", "--vad-threshold", "0.7"]).exits(0);
    let output = dir.run(&["export", "jsonl"]).exits(2);
    assert!(output.stderr.contains("--recipe") && output.stderr.contains("\"threshold\":0.7"), "{}", output.stderr);
    let recipes: BTreeSet<String> =
        dir.segments(&[]).iter().map(|segment| segment["recipe"].as_str().unwrap().to_owned()).collect();
    assert_eq!(recipes.len(), 2);
    for recipe in recipes {
        let lines = json_lines(&dir, &["--recipe", &recipe[..8]]);
        assert!(!lines.is_empty() && lines.iter().all(|line| line["recipe"] == recipe.as_str()));
    }
}

#[test]
fn segments_are_chosen_by_every_criterion() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "pauses.wav");
    dir.copy(SPEECH, "short.wav");
    dir.write("list.csv", "path,language,age\npauses.wav,de,41\nshort.wav,en,7\n");
    dir.run(&["fetch", "list.csv"]).exits(0);
    let all = json_lines(&dir, &[]);
    let chosen = |args: &[&str]| json_lines(&dir, args).len();
    let count = |wanted: &dyn Fn(&Value) -> bool| all.iter().filter(|line| wanted(line)).count();
    let duration = |line: &Value| line["end_s"].as_f64().unwrap() - line["start_s"].as_f64().unwrap();
    assert_eq!(chosen(&["--min-duration", "1"]), count(&|line| duration(line) >= 1.0));
    assert_eq!(chosen(&["--max-duration", "1"]), count(&|line| duration(line) <= 1.0));
    assert_eq!(chosen(&["--where", "metadata.language = 'de'"]), count(&|line| line["metadata"]["language"] == "de"));
    assert_eq!(chosen(&["--where", "metadata.age < 10"]), count(&|line| line["metadata"]["language"] == "en"));
    assert_eq!(chosen(&["--sample", "2"]), 2);
    assert_eq!(
        json_lines(&dir, &["--sample", "2", "--seed", "5"]),
        json_lines(&dir, &["--sample", "2", "--seed", "5"])
    );
    assert_eq!((chosen(&["--since", "1h"]), chosen(&["--since", "2999-01-01"])), (all.len(), 0));
    assert_eq!(chosen(&["short.wav"]), count(&|line| line["metadata"]["language"] == "en"));
}

#[test]
fn a_query_names_segments_or_recordings() {
    let dir = prepared(&["a.wav", "b.wav"]);
    let all = json_lines(&dir, &[]);
    let few = json_lines(&dir, &["--query", "SELECT recording_id, idx FROM segment WHERE idx < 2 -- the first ones"]);
    let is_first = |line: &&Value| line["idx"].as_u64() < Some(2);
    assert_eq!(few, all.iter().filter(is_first).cloned().collect::<Vec<_>>());
    let one = json_lines(&dir, &["--query", "SELECT id AS recording_id FROM recording WHERE source LIKE '%b.wav'"]);
    assert!(
        !one.is_empty() && one.iter().all(|line| line["source"].as_str().is_some_and(|name| name.ends_with("b.wav")))
    );
    for (query, message) in [
        ("SELECT path FROM segment", "names no segment; the columns recording_id and idx do"),
        ("DELETE FROM segment RETURNING recording_id", "it must be one SELECT"),
        ("SELECT 1; DELETE FROM segment", "it must be one SELECT"),
    ] {
        let output = dir.run(&["export", "jsonl", "--query", query]).exits(2);
        assert!(output.stderr.contains(message), "{query}: {}", output.stderr);
    }
    assert_eq!(json_lines(&dir, &[]), all, "nothing was deleted");
}

#[test]
fn parts_do_not_share_a_speaker() {
    let dir = TestDir::new();
    let mut list = String::from("path,speaker\n");
    for n in 0..12 {
        dir.copy(SPEECH, &format!("{n}.wav"));
        list.push_str(&format!("{n}.wav,s{}\n", n % 4));
    }
    dir.write("list.csv", list);
    dir.run(&["fetch", "list.csv"]).exits(0);
    let args = ["--split", "train=0.5,test=0.5", "--split-by", "metadata.speaker"];
    dir.run(&[&["export", "jsonl", "--to", "parts/"], &args[..]].concat()).exits(0);
    let speakers = |part: &str| -> BTreeSet<String> {
        let text = fs::read_to_string(dir.path(format!("parts/{part}.jsonl"))).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["metadata"]["speaker"].as_str().unwrap().to_owned()).collect()
    };
    let (train, test) = (speakers("train"), speakers("test"));
    assert!(train.is_disjoint(&test));
    assert_eq!(train.len() + test.len(), 4);
    // A corpus becomes a folder for each part.
    dir.run(&[&["export", "kaldi", "--to", "kaldi/"], &args[..]].concat()).exits(0);
    assert!(dir.path("kaldi/train/wav.scp").exists() && dir.path("kaldi/test/wav.scp").exists());
}

/// In a film the audio begins later than the pictures: subtitles count from the pictures' start, segments' rows do not.
#[test]
fn annotations_include_the_start_offset() {
    let dir = prepared(&["film.wav"]);
    let first = dir.segments(&[])[0]["start_s"].as_f64().unwrap();
    dir.query_row("UPDATE recording SET start_offset_s = 2.5");
    let rttm = dir.run(&["export", "rttm"]).exits(0).stdout;
    let start: f64 = rttm.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!((start - first - 2.5).abs() < 0.001, "{rttm}");
    let audacity = dir.run(&["export", "audacity", "film.wav"]).exits(0).stdout;
    let start: f64 = audacity.split('\t').next().unwrap().parse().unwrap();
    assert!((start - first - 2.5).abs() < 0.001, "{audacity}");
    assert_eq!(json_lines(&dir, &[])[0]["start_s"].as_f64(), Some(first));
}

#[test]
fn files_lie_beside_their_sources() {
    let dir = prepared(&["calls/a.wav", "calls/b.wav"]);
    dir.run(&["export", "textgrid", "--beside-sources"]).exits(0);
    for name in ["a", "b"] {
        let text = fs::read_to_string(dir.path(format!("calls/{name}.TextGrid"))).unwrap();
        assert!(text.starts_with("File type = \"ooTextFile\""));
    }
    let output = dir.run(&["export", "csv", "--beside-sources"]).exits(2);
    assert!(output.stderr.contains("use --to"), "{}", output.stderr);
}

/// The same rows give the same bytes.
#[test]
fn exports_are_repeatable() {
    let dir = prepared(&["a.wav", "b.wav"]);
    for (format, name) in [("lhotse", "cuts.jsonl.gz"), ("webdataset", "000000.tar"), ("kaldi", "utt2spk")] {
        dir.run(&["export", format, "--to", "one"]).exits(0);
        dir.run(&["export", format, "--to", "two"]).exits(0);
        let [one, two] = ["one", "two"].map(|folder| fs::read(dir.path(folder).join(name)).unwrap());
        assert_eq!(one, two, "{format}");
    }
}

#[test]
fn a_text_belongs_to_a_segment_only_if_there_is_one() {
    let dir = TestDir::new();
    dir.copy(SPEECH, "one.wav");
    fs::copy(fixture("speech/pauses.wav"), dir.path("several.wav")).unwrap();
    dir.write("list.csv", "path,text\none.wav,hello   world\nseveral.wav,which part is whose\n");
    dir.run(&["fetch", "list.csv", "--vad-min-silence-duration-ms", "100"]).exits(0);
    for line in json_lines(&dir, &[]) {
        let segments = dir.segments(&[line["source"].as_str().unwrap()]).len();
        let text = if segments == 1 { json!("hello world") } else { Value::Null };
        assert_eq!(line["text"], text, "{line}");
    }
}
