//! `--denoise`: the second file of each segment, and everything that knows it.

use std::{collections::BTreeSet, fs, path::Path, process::Command, thread::sleep, time::Duration};

use hound::WavReader;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    program::channels::{speech, write},
    support::{
        onnx::onnx,
        test_dir::{CommandOutput, TestDir, fixture},
    },
};

const DENOISE: [&str; 2] = ["--denoise", "rnnoise"];

/// The path of a model that tests/models/make_models.py made.
fn model(name: &str) -> String {
    fixture("../tests/models").join(name).display().to_string()
}

/// The speech of the fixture with hiss, 16-bit at 16 kHz.
fn noisy() -> Vec<i16> {
    let mut seed = 1_u32;
    let mut hiss = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((seed >> 16) as i32 % 1_200 - 600) as i16
    };
    speech().into_iter().map(|sample| sample.saturating_add(hiss())).collect()
}

/// A directory with noisy speech, `a.wav`, prepared with these flags.
fn prepared(flags: &[&str]) -> TestDir {
    let dir = TestDir::new();
    write(&dir, "a.wav", &[&noisy()]);
    dir.run(&[&["fetch", "a.wav", "--quiet"], flags].concat()).exits(0);
    dir
}

fn samples(path: &Value) -> Vec<i16> {
    let reader = WavReader::open(path.as_str().unwrap()).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels, reader.spec().bits_per_sample), (16_000, 1, 16));
    reader.into_samples().map(Result::unwrap).collect()
}

fn number(row: &Value, column: &str) -> f64 {
    row[column].as_f64().unwrap_or_else(|| panic!("{column} in {row}"))
}

fn column(rows: &[Value], name: &str) -> Vec<Value> {
    rows.iter().map(|row| row[name].clone()).collect()
}

/// The lag at which `denoised` correlates best with `raw`.
fn lag(raw: &[i16], denoised: &[i16]) -> i64 {
    const REACH: usize = 640;
    let middle = &raw[REACH..raw.len() - REACH];
    let correlation =
        |at: usize| -> f64 { middle.iter().zip(&denoised[at..]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let best = (0..=2 * REACH).max_by(|&a, &b| correlation(a).total_cmp(&correlation(b)));
    best.unwrap() as i64 - REACH as i64
}

#[test]
fn each_segment_has_a_second_file_in_place_of_the_first() {
    let (dir, plain) = (prepared(&DENOISE), prepared(&[]));
    let rows = dir.segments(&[]);
    assert_eq!(column(&rows, "sha256"), column(&plain.segments(&[]), "sha256"), "the raw files stay");
    assert!(plain.segments(&[]).iter().all(|row| row["denoised_path"].is_null() && row["denoised_snr_db"].is_null()));
    for row in &rows {
        let (raw, denoised) = (samples(&row["path"]), samples(&row["denoised_path"]));
        assert_eq!(raw.len() as i64, row["end_sample"].as_i64().unwrap() - row["start_sample"].as_i64().unwrap());
        assert_eq!((denoised.len(), lag(&raw, &denoised)), (raw.len(), 0), "{row}");
        let bytes = fs::read(row["denoised_path"].as_str().unwrap()).unwrap();
        assert_eq!(row["denoised_bytes"], bytes.len());
        assert_eq!(row["denoised_sha256"].as_str().unwrap(), hex::encode(Sha256::digest(&bytes)));
        assert!(number(row, "denoised_snr_db") > number(row, "snr_db") + 6.0, "{row}");
    }
    let names: BTreeSet<_> = dir.files("segments").into_iter().map(|(path, _)| path).collect();
    assert_eq!(names.len(), 2 * rows.len(), "{names:?}");
}

/// Rows as they are in every directory, without their id.
fn comparable(dir: &TestDir, recipe: &Value) -> Vec<Value> {
    let mut rows = dir.segments(&[]);
    rows.retain(|row| row["recipe"] == *recipe);
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        row.remove("recording_id");
        for key in ["path", "denoised_path"] {
            let relative = row[key].as_str().map(|path| path.rsplit("segments/").next().unwrap().to_owned());
            row[key] = relative.into();
        }
    }
    rows
}

/// Whatever was prepared before, with or without denoising, `resegment` has the rows and bytes of a fresh run.
#[test]
fn resegment_equals_a_fresh_run() {
    let recordings = || {
        let dir = TestDir::new();
        fs::create_dir(dir.path("in")).unwrap();
        write(&dir, "in/a.wav", &[&noisy()]);
        dir.copy("speech/mp3_44k1_stereo.mp3", "in/b.mp3");
        dir.write("list.txt", "a.wav\nb.mp3");
        dir
    };
    let sets: [&[&str]; 6] = [
        &["--denoise", "rnnoise"],
        &["--denoise", "rnnoise", "--vad-threshold", "0.9", "--vad-speech-pad-ms", "0"],
        &["--denoise", "rnnoise", "--vad-neg-threshold", "0.34"],
        &["--denoise", "rnnoise", "--segment-rate", "source", "--format", "flac"],
        &["--denoise", "rnnoise", "--no-audio", "--merge-to", "4"],
        &["--vad-threshold", "0.3"],
    ];
    let (again, fresh) = (recordings(), recordings());
    again.run(&["fetch", "list.txt", "--audio-dir", "in", "--quiet"]).exits(0);
    for set in sets {
        let done =
            again.run(&[&["resegment", "--audio-dir", "in", "--json"], set].concat()).exits(0).json()["done"].clone();
        assert_eq!(done, 2, "{set:?}");
        fresh.run(&[&["fetch", "list.txt", "--audio-dir", "in", "--quiet"], set].concat()).exits(0);
        let recipe = fresh.segments(&[]).last().unwrap()["recipe"].clone();
        let (again, fresh) = (comparable(&again, &recipe), comparable(&fresh, &recipe));
        assert!(!fresh.is_empty());
        assert_eq!(again, fresh, "{set:?}");
    }
    let files = |dir: &TestDir| dir.files("segments").into_iter().collect::<BTreeSet<_>>();
    assert!(files(&again).is_superset(&files(&fresh)), "files differ");
    again.run(&["verify"]).exits(0);
}

/// Where boundaries stay, both files are taken over, and the audio is not opened.
#[test]
fn both_files_are_taken_over() {
    let dir = prepared(&DENOISE);
    let first = dir.segments(&[]);
    fs::remove_file(dir.path("a.wav")).unwrap();
    let set = ["--vad-neg-threshold", "0.34", "--denoise", "rnnoise"];
    dir.run(&[&["resegment", "--quiet"], &set[..]].concat()).exits(0);
    let second = dir.segments(&[]).split_off(first.len());
    for name in ["sha256", "denoised_sha256", "denoised_bytes", "denoised_snr_db", "snr_db"] {
        assert_eq!(column(&first, name), column(&second, name), "{name}");
    }
    // A file that no longer matches its row has to be made again, which needs the audio.
    fs::write(first[0]["denoised_path"].as_str().unwrap(), "spoilt").unwrap();
    let set = ["--vad-neg-threshold", "0.33", "--denoise", "rnnoise", "--json"];
    let output = dir.run(&[&["resegment"], &set[..]].concat()).exits(3).json();
    assert_eq!(output["errors"]["not_found"], 1);
}

/// What the detector receives is part of the recipe, and its probabilities are told apart.
#[test]
fn the_detector_may_hear_the_denoised_signal() {
    let dir = prepared(&DENOISE);
    let raw = dir.segments(&[]);
    let denoised_input = [&DENOISE[..], &["--vad-on", "denoised"]].concat();
    let output = dir.run(&[&["resegment", "--json"], &denoised_input[..]].concat()).exits(1);
    assert!(output.stderr.contains("no probabilities of this model"), "{}", output.stderr);
    dir.run(&[&["fetch", "a.wav", "--quiet"], &denoised_input[..]].concat()).exits(0);
    let denoised = dir.segments(&[]).split_off(raw.len());
    assert!(!denoised.is_empty());
    assert_ne!(column(&raw, "mean_probability"), column(&denoised, "mean_probability"));
    for row in &denoised {
        assert_eq!(lag(&samples(&row["path"]), &samples(&row["denoised_path"])), 0);
    }
    // The stored probabilities belong to the samples, so they can be segmented again.
    dir.run(&[&["resegment", "--quiet", "--vad-threshold", "0.9"], &denoised_input[..]].concat()).exits(0);
    let fresh = TestDir::new();
    write(&fresh, "a.wav", &[&noisy()]);
    fresh.run(&[&["fetch", "a.wav", "--quiet", "--vad-threshold", "0.9"], &denoised_input[..]].concat()).exits(0);
    let recipe = fresh.segments(&[])[0]["recipe"].clone();
    let names = ["start_sample", "end_sample", "sha256", "denoised_sha256", "snr_db", "denoised_snr_db"];
    for name in names {
        let again: Vec<Value> = dir.segments(&[]).into_iter().filter(|row| row["recipe"] == recipe).collect();
        assert_eq!(column(&again, name), column(&fresh.segments(&[]), name), "{name}");
    }
}

#[test]
fn rows_alone_have_the_ratio_and_no_files() {
    let dir = prepared(&["--denoise", "rnnoise", "--no-audio"]);
    let with_files = prepared(&DENOISE);
    let rows = dir.segments(&[]);
    assert_eq!(column(&rows, "denoised_snr_db"), column(&with_files.segments(&[]), "denoised_snr_db"));
    assert!(rows.iter().all(|row| row["path"].is_null() && row["denoised_path"].is_null()));
    assert!(!dir.path("segments").exists() || dir.files("segments").is_empty());
}

/// Whatever the raw files are, the denoised ones are mono at 16 kHz: one for each analysed channel.
#[test]
fn channels_are_denoised_separately() {
    let (left, mut right) = (noisy(), noisy());
    right.reverse();
    let dir = TestDir::new();
    write(&dir, "call.wav", &[&left, &right]);
    let flags = ["--channels", "split", "--segment-channels", "source"];
    dir.run(&[&["fetch", "call.wav", "--quiet"], &flags[..], &DENOISE].concat()).exits(0);
    let rows = dir.segments(&[]);
    for (channel, all) in [(1, &left), (2, &right)] {
        let of: Vec<&Value> = rows.iter().filter(|row| row["channel"] == channel).collect();
        assert!(!of.is_empty(), "channel {channel}");
        for row in of {
            let (start, end) = (row["start_sample"].as_u64().unwrap(), row["end_sample"].as_u64().unwrap());
            assert_eq!(row["channels"], 2);
            assert_eq!(lag(&all[start as usize..end as usize], &samples(&row["denoised_path"])), 0, "{row}");
        }
    }
}

#[test]
fn verify_and_gc_know_both_files() {
    let dir = prepared(&DENOISE);
    let rows = dir.segments(&[]);
    let count = 2 * rows.len();
    let verified = |code| dir.run(&["verify", "--json"]).exits(code).json_lines();
    assert_eq!(verified(0)[0]["summary"]["files"], count);
    let orphan = Path::new(rows[0]["path"].as_str().unwrap()).with_file_name("00000-0123456789ab.denoised.wav");
    fs::write(&orphan, "orphan").unwrap();
    let swept = dir.run(&["gc", "--older-than", "0s", "--json"]).exits(0).json();
    assert_eq!((&swept["segment_files"], &swept["referenced"]), (&1.into(), &count.into()), "{swept}");
    assert!(!orphan.exists());
    fs::remove_file(rows[0]["denoised_path"].as_str().unwrap()).unwrap();
    fs::write(rows[1]["denoised_path"].as_str().unwrap(), "spoilt").unwrap();
    let lines = verified(1);
    assert_eq!(column(&lines[..2], "problem"), ["missing", "length"]);
    assert_eq!(column(&lines[..2], "path"), column(&rows[..2], "denoised_path"));
    assert_eq!(lines[2]["summary"]["different"], 2);
    dir.run(&["verify", "--requeue"]).exits(1);
    dir.run(&[&["fetch", "--quiet"], &DENOISE[..]].concat()).exits(0);
    assert_eq!(verified(0)[0]["summary"]["files"], count);
    assert_eq!(column(&dir.segments(&[]), "denoised_sha256"), column(&rows, "denoised_sha256"));
}

/// kill -9 at any time: the next run completes both files of every segment.
#[test]
fn killed_runs_lose_neither_file() {
    let [dir, calm] = [TestDir::new(), TestDir::new()];
    for dir in [&dir, &calm] {
        dir.long_recordings("in", 5);
        let names: Vec<String> = (0..5).map(|n| format!("recording {n:03}.wav")).collect();
        dir.write("list.txt", names.join("\n"));
    }
    let fetch = ["fetch", "list.txt", "--audio-dir", "in", "--max-attempts", "100", "--workers", "2", "--quiet"];
    let fetch = [&fetch[..], &DENOISE].concat();
    for n in 1..=6 {
        let mut run = dir.start(&fetch);
        sleep(Duration::from_millis(200 * n));
        run.kill().unwrap();
        run.wait().unwrap();
    }
    for dir in [&dir, &calm] {
        dir.run(&fetch).exits(0);
        dir.run(&["gc", "--older-than", "0s", "--quiet"]).exits(0);
        let verified = dir.run(&["verify", "--json"]).exits(0).json();
        assert_eq!(verified["summary"]["files"], 2 * dir.segments(&[]).len());
    }
    assert!(dir.files("segments") == calm.files("segments"), "the files differ");
}

/// Formats that carry audio or its path take the denoised files; segments without one are counted.
#[test]
fn exports_refer_to_denoised_files() {
    let dir = prepared(&DENOISE);
    write(&dir, "b.wav", &[&noisy()]);
    dir.run(&["fetch", "b.wav", "--quiet"]).exits(0);
    let rows: Vec<Value> = dir.segments(&["a.wav"]);
    for (format, to) in [
        ("lhotse", "lhotse/"),
        ("nemo", "nemo.jsonl"),
        ("kaldi", "kaldi/"),
        ("huggingface", "hf/"),
        ("webdataset", "tar/"),
    ] {
        let summary =
            dir.run(&["export", format, "--to", to, "--audio", "denoised", "--json"]).exits(1).json()["summary"]
                .clone();
        assert_eq!(
            (&summary["rows"], &summary["skipped"]["not_denoised"]),
            (&rows.len().into(), &rows.len().into()),
            "{format}"
        );
    }
    let nemo = fs::read_to_string(dir.path("nemo.jsonl")).unwrap();
    let nemo: Vec<Value> = nemo.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(column(&nemo, "audio_filepath"), column(&rows, "denoised_path"));
    let scp = fs::read_to_string(dir.path("kaldi/wav.scp")).unwrap();
    assert!(scp.lines().all(|line| line.ends_with(".denoised.wav")), "{scp}");
    let audio = dir.files("hf/audio").into_iter().map(|(_, bytes)| hex::encode(Sha256::digest(&bytes)));
    assert_eq!(
        audio.collect::<BTreeSet<_>>(),
        rows.iter().map(|row| row["denoised_sha256"].as_str().unwrap().to_owned()).collect()
    );
    let chosen = dir.run(&["export", "nemo", "--where", "denoised_path is not null and denoised_snr_db > snr_db"]);
    assert!(chosen.code == 2, "a column is compared with a value: {}", chosen.stderr);
    let chosen = dir.run(&["export", "nemo", "--where", "denoised_snr_db > 0"]).exits(0);
    assert_eq!(chosen.stdout.lines().count(), rows.len());
    let csv = dir.run(&["export", "csv"]).exits(0).stdout;
    assert!(csv.lines().next().unwrap().contains("denoised_path,denoised_sha256,denoised_bytes,denoised_snr_db"));
    let refused = dir.run(&["export", "srt", "--to", "out/", "--audio", "denoised"]).exits(2);
    assert!(refused.stderr.contains("--audio denoised is for lhotse, nemo, kaldi"), "{}", refused.stderr);
}

#[track_caller]
fn refused(command: &mut Command, words: &[&str]) {
    let output = CommandOutput::from(command.output().unwrap()).exits(2);
    for words in words {
        assert!(output.stderr.contains(words), "{words} is missing in {}", output.stderr);
    }
}

#[test]
fn models_that_cannot_be_used_are_told_at_the_start() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    let fetch = |denoise: &str| dir.command(&["fetch", "a.wav", "--denoise", denoise]);
    refused(
        &mut fetch("gone.onnx"),
        &["cannot read the denoising model gone.onnx", "--denoise takes rnnoise, or the path"],
    );
    refused(&mut fetch(""), &["write rnnoise, or the path of an ONNX file"]);
    refused(&mut dir.command(&["fetch", "a.wav", "--vad-on", "denoised"]), &["add --denoise rnnoise"]);
    assert!(!dir.path("prepare-audio.db").exists(), "no database was created");
    dir.write("notes.onnx", "not a model");
    let Some(onnx) = onnx() else { return };
    for (path, words) in [
        ("notes.onnx".to_owned(), "notes.onnx cannot be loaded: ONNX Runtime refuses the model"),
        (model("another_kind.onnx"), "it has no input \"input\""),
        (model("fails_on_sound.onnx"), "its input \"state\" has no output \"state_out\""),
    ] {
        refused(fetch(&path).env("ORT_DYLIB_PATH", &onnx.library), &[words]);
    }
}

/// The model gives half of each sample, one frame later. Half of an odd sample is rounded to the even one.
#[test]
fn an_onnx_model_denoises() {
    let Some(onnx) = onnx() else { return };
    let dir = TestDir::new();
    write(&dir, "a.wav", &[&noisy()]);
    let mut command = dir.command(&["fetch", "a.wav", "--quiet", "--denoise", &model("halves.onnx")]);
    CommandOutput::from(command.env("ORT_DYLIB_PATH", &onnx.library).output().unwrap()).exits(0);
    let rows = dir.segments(&[]);
    assert!(!rows.is_empty());
    for row in &rows {
        let half = |sample: i16| (f64::from(sample) / 2.0).round_ties_even() as i16;
        assert_eq!(samples(&row["denoised_path"]), samples(&row["path"]).into_iter().map(half).collect::<Vec<_>>());
        assert!((number(row, "denoised_snr_db") - number(row, "snr_db")).abs() < 0.1, "{row}");
    }
}

/// The metadata tell the rate, the frame and the delay. Both resamplers leave what is far below 8 kHz as it is.
#[test]
fn an_onnx_model_may_have_another_rate() {
    let Some(onnx) = onnx() else { return };
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    let mut command = dir.command(&["fetch", "a.wav", "--quiet", "--denoise", &model("halves_24k.onnx")]);
    CommandOutput::from(command.env("ORT_DYLIB_PATH", &onnx.library).output().unwrap()).exits(0);
    for row in dir.segments(&[]) {
        let (raw, denoised) = (samples(&row["path"]), samples(&row["denoised_path"]));
        let power = |samples: &[f64]| samples.iter().map(|sample| sample * sample).sum::<f64>();
        let error: Vec<f64> =
            raw.iter().zip(&denoised).map(|(raw, out)| 2.0 * f64::from(*out) - f64::from(*raw)).collect();
        let raw: Vec<f64> = raw.into_iter().map(f64::from).collect();
        assert!(power(&error) < 0.01 * power(&raw), "{row}");
    }
}

#[test]
fn a_model_that_fails_fails_the_recording() {
    let Some(onnx) = onnx() else { return };
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    let flags = ["--max-attempts", "1", "--json", "--denoise", &model("overflows.onnx")];
    let mut command = dir.command(&[&["fetch", "a.wav"], &flags[..]].concat());
    let output = CommandOutput::from(command.env("ORT_DYLIB_PATH", &onnx.library).output().unwrap()).exits(3);
    assert_eq!(output.json()["errors"]["denoise_error"], 1);
    let error = dir.query_row("SELECT error FROM recording")["error"].clone();
    assert!(error.as_str().unwrap().contains("output has infinities or NaN"), "{error}");
    assert!(dir.files("segments").is_empty());
}
