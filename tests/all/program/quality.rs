//! `quality`: figures and scores of segments that were prepared before.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{
    program::channels::{speech, write},
    support::{
        downgrade,
        onnx::onnx,
        test_dir::{CommandOutput, TestDir},
    },
};

/// The last migration before segments had figures.
const WITHOUT_FIGURES: u32 = 7;

/// A directory with recordings of several kinds.
fn recordings() -> TestDir {
    let dir = TestDir::new();
    let speech = speech();
    let quieter: Vec<i16> = speech.iter().rev().map(|sample| sample / 3).collect();
    write(&dir, "two.wav", &[&speech, &quieter]);
    write(&dir, "same.wav", &[&speech, &speech]);
    dir.copy("speech/mp3_44k1_stereo.mp3", "b.mp3");
    dir.copy("long/speech.m4a", "c.m4a");
    let part = r#"{"audio_filepath": "two.wav", "offset": 1.5, "duration": 4.0}"#;
    dir.write("list.jsonl", [part, r#"{"audio_filepath": "c.m4a"}"#].join("\n"));
    dir
}

/// Makes the database look as it was before segments had figures.
fn take_figures_away(dir: &TestDir) {
    for statement in downgrade::statements(WITHOUT_FIGURES) {
        dir.query_row(statement.leak());
    }
}

/// Figures of segments and recordings, in order.
fn figures(dir: &TestDir) -> (Vec<Value>, Value) {
    let means = "SELECT group_concat(id || ' ' || speech_ratio || ' ' || loudness_lufs || ' ' || snr_db) AS means
                 FROM (SELECT * FROM recording ORDER BY id)";
    (dir.segments(&[]), dir.query_row(means))
}

fn summary(output: &CommandOutput) -> Value {
    output.json_lines().last().unwrap()["summary"].clone()
}

/// A database of a version without figures opens, keeps its rows, and gets the figures of a fresh run, to the bit.
#[test]
fn backfill_equals_a_fresh_run() {
    for flags in [
        &["two.wav", "same.wav", "b.mp3", "--channels", "split"][..],
        &["two.wav", "b.mp3", "--segment-rate", "source", "--merge-to", "20"],
        &["list.jsonl", "--no-audio"],
        &["two.wav", "--channels", "2", "--vad-threshold", "0.6"],
    ] {
        let dir = recordings();
        dir.run(&[&["fetch", "--quiet"], flags].concat()).exits(0);
        let fresh = figures(&dir);
        assert!(fresh.0.iter().all(|row| row["snr_db"].is_number() && row["loudness_lufs"].is_number()), "{fresh:?}");
        take_figures_away(&dir);
        let segments = fresh.0.len();
        let counts = summary(&dir.run(&["quality", "--json"]).exits(0));
        assert_eq!((&counts["segments"], &counts["measured"]), (&segments.into(), &0.into()), "{flags:?}");
        let done = summary(&dir.run(&["quality", "--backfill", "--json"]).exits(0));
        assert_eq!((&done["segments"], &done["failed"]), (&segments.into(), &0.into()), "{flags:?}");
        assert_eq!(figures(&dir), fresh, "{flags:?}");
        let again = summary(&dir.run(&["quality", "--backfill", "--json"]).exits(0));
        assert_eq!(again["recordings"], 0, "nothing is left to do");
    }
}

/// Without probabilities speech cannot be told from noise; all else is measured.
#[test]
fn without_probabilities_two_figures_are_missing() {
    let dir = recordings();
    dir.run(&["fetch", "two.wav", "--keep-probabilities", "false", "--quiet"]).exits(0);
    let fresh = dir.segments(&[]);
    take_figures_away(&dir);
    dir.run(&["quality", "--backfill"]).exits(0);
    for (row, fresh) in dir.segments(&[]).iter().zip(fresh) {
        assert_eq!(row["loudness_lufs"], fresh["loudness_lufs"]);
        assert!(row["snr_db"].is_null() && row["speech_ratio"].is_null(), "{row}");
    }
}

#[test]
fn recordings_that_are_gone_or_other_audio_are_told() {
    let dir = recordings();
    dir.run(&["fetch", "two.wav", "b.mp3", "c.m4a", "--quiet"]).exits(0);
    take_figures_away(&dir);
    fs::remove_file(dir.path("b.mp3")).unwrap();
    write(&dir, "two.wav", &[&speech()[..80_000]]);
    let output = dir.run(&["quality", "--backfill", "--json"]).exits(1);
    let lines = output.json_lines();
    let has = |source: &str, code: &str| {
        lines.iter().any(|line| line["error_code"] == code && line["source"].as_str().unwrap().ends_with(source))
    };
    assert!(lines.len() == 3 && has("b.mp3", "not_found") && has("two.wav", "other_audio"), "{lines:?}");
    assert_eq!(summary(&output)["recordings"], 1);
    let text = dir.run(&["quality", "--backfill"]).exits(3);
    assert!(text.stderr.contains("two.wav: its audio has changed since it was prepared"), "{}", text.stderr);
    assert!(text.stdout.contains("2 recordings not measured"), "{}", text.stdout);
    let counts = summary(&dir.run(&["quality", "c.m4a", "--json"]).exits(0));
    assert_eq!(counts["measured"], counts["segments"]);
}

#[test]
fn mistakes_are_named() {
    let dir = recordings();
    dir.run(&["fetch", "two.wav", "--quiet"]).exits(0);
    dir.write("other.onnx", "no model");
    for (args, message) in [
        (&["quality", "--backfill", "--dnsmos=other.onnx"][..], "is not the DNSMOS P.835 model"),
        (&["quality", "--backfill", "--dnsmos=gone.onnx"], "cannot read the DNSMOS model gone.onnx"),
        (&["fetch", "two.wav", "--dnsmos=gone.onnx"], "cannot read the DNSMOS model gone.onnx"),
        (&["quality", "missing.wav"], "no recording has this id or source"),
        (&["quality", "--workers", "0"], "at least 1 worker is needed"),
    ] {
        let output = dir.run(args).exits(2);
        assert!(output.stderr.contains(message), "{args:?}: {}", output.stderr);
    }
}

/// Scores that `fetch` computes, those that `quality` adds, and those that `resegment` takes over are the same.
#[test]
fn scores_are_the_same_whenever_they_are_computed() {
    let Some(onnx) = onnx() else { return };
    let model = PathBuf::from(std::env::var_os("PREPARE_AUDIO_DNSMOS_ONNX").expect("test.sh sets it"));
    let dnsmos = format!("--dnsmos={}", model.display());
    let score = |dir: &TestDir, args: &[&str]| {
        let mut command = dir.command(&[args, &[&dnsmos]].concat());
        CommandOutput::from(command.env("ORT_DYLIB_PATH", &onnx.library).output().unwrap()).exits(0)
    };
    let (with, later) = (recordings(), recordings());
    score(&with, &["fetch", "two.wav", "c.m4a", "--quiet"]);
    later.run(&["fetch", "two.wav", "c.m4a", "--quiet"]).exits(0);
    let scores = |dir: &TestDir| -> Vec<[Value; 4]> {
        let names = ["start_sample", "dnsmos_signal", "dnsmos_background", "dnsmos_overall"];
        dir.segments(&[]).iter().map(|row| names.map(|name| row[name].clone())).collect()
    };
    assert!(scores(&later).iter().all(|row| row[1].is_null() && row[3].is_null()));
    assert!(scores(&with).iter().flat_map(|row| &row[1..]).all(|score| (1.0..5.0).contains(&score.as_f64().unwrap())));
    let figures = figures(&later);
    score(&later, &["quality", "--backfill"]);
    assert_eq!(scores(&later), scores(&with));
    let mean = "SELECT dnsmos_overall, snr_db, (SELECT SUM(dnsmos_overall * (end_s - start_s)) / SUM(end_s - start_s)
                FROM segment WHERE recording_id = 1) AS mean FROM recording WHERE id = 1";
    let (mean, means) = (later.query_row(mean), with.query_row(mean));
    assert_eq!(mean, means);
    assert!((mean["dnsmos_overall"].as_f64().unwrap() - mean["mean"].as_f64().unwrap()).abs() < 1e-9, "{mean}");
    assert_eq!(self::figures(&later).1, figures.1, "the other figures stay");

    // The same boundaries under another recipe: scores come from rows, without the model where it is not asked for.
    later.run(&["resegment", "--quiet", "--min-dbfs=-90"]).exits(0);
    let taken = later.query_row("SELECT COUNT(*) AS n, COUNT(s.dnsmos_overall) AS scored FROM segment s JOIN recording r ON r.id = s.recording_id WHERE r.id > 2");
    assert_eq!(taken["n"], taken["scored"]);
    let csv = later
        .run(&[
            "export",
            "csv",
            "--recipe",
            later.segments(&[])[0]["recipe"].as_str().unwrap(),
            "--where",
            "dnsmos_overall > 1",
        ])
        .exits(0);
    assert!(csv.stdout.lines().next().unwrap().contains("dnsmos_signal,dnsmos_background,dnsmos_overall"));
    assert!(csv.stdout.lines().count() > 1);
}
