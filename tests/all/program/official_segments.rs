//! The segments of the program equal those of the official package, from the command line to the files.

use std::path::Path;

use serde_json::Value;

use crate::support::test_dir::{TestDir, expected, fixture};

/// Silero's parameter names and our flags for them.
const FLAGS: [(&str, &str); 8] = [
    ("threshold", "--vad-threshold"),
    ("neg_threshold", "--vad-neg-threshold"),
    ("min_speech_duration_ms", "--vad-min-speech-duration-ms"),
    ("max_speech_duration_s", "--vad-max-speech-duration-s"),
    ("min_silence_duration_ms", "--vad-min-silence-duration-ms"),
    ("speech_pad_ms", "--vad-speech-pad-ms"),
    ("min_silence_at_max_speech", "--vad-min-silence-at-max-speech-ms"),
    ("use_max_poss_sil_at_max_speech", "--vad-use-max-possible-silence"),
];

fn flags(parameters: &Value) -> Vec<String> {
    let given = parameters.as_object().unwrap();
    given
        .iter()
        .flat_map(|(name, value)| {
            let (_, flag) = FLAGS.iter().find(|(known, _)| known == name).unwrap();
            [(*flag).to_owned(), value.to_string()]
        })
        .collect()
}

fn boundaries(rows: &[Value]) -> Vec<[i64; 2]> {
    rows.iter().map(|row| ["start_sample", "end_sample"].map(|key| row[key].as_i64().unwrap())).collect()
}

fn golden(segments: &Value) -> Vec<[i64; 2]> {
    let pairs = segments.as_array().unwrap();
    pairs.iter().map(|pair| [0, 1].map(|i| pair[i].as_i64().unwrap())).collect()
}

fn samples(path: &Path) -> Vec<i16> {
    hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect()
}

/// For every file and every set of parameters, the rows have the package's boundaries, and each file has exactly the
/// source's samples between them.
#[test]
fn segments_equal_the_official_packages() {
    let expected = expected("segments.json");
    let sets = expected["parameters"].as_object().unwrap();
    assert_eq!(sets.len(), 8);
    for (set, parameters) in sets {
        for (file, facts) in expected["files"].as_object().unwrap() {
            let dir = TestDir::new();
            let source = fixture(file);
            let flags = flags(parameters);
            let mut args = vec!["fetch", "--quiet", source.to_str().unwrap()];
            args.extend(flags.iter().map(String::as_str));
            dir.run(&args).exits(0);
            let rows = dir.segments(&[]);
            assert_eq!(boundaries(&rows), golden(&facts["segments"][set]), "{file} with {set}");
            let whole = samples(&source);
            for row in &rows {
                let [start, end] = ["start_sample", "end_sample"].map(|key| row[key].as_u64().unwrap() as usize);
                let written = samples(&dir.path(row["path"].as_str().unwrap()));
                assert!(written == whole[start..end], "{file} with {set}: the file of {row} differs");
            }
        }
    }
}

/// For every format, boundaries are within one window of the package's, computed from ffmpeg's output.
#[test]
fn segments_of_every_format_match_ffmpegs_decoding() {
    let dir = TestDir::new();
    let [speech, quiet] = ["speech", "quiet"].map(fixture);
    dir.run(&["fetch", "--quiet", speech.to_str().unwrap(), quiet.to_str().unwrap()]).exits(0);
    let expected = expected("formats.json");
    let mut compared = 0;
    for (file, facts) in expected["files"].as_object().unwrap() {
        if !file.starts_with("speech/") && !file.starts_with("quiet/") {
            continue;
        }
        let rows = dir.segments(&[fixture(file).to_str().unwrap()]);
        let (got, want) = (boundaries(&rows), golden(&facts["segments"]));
        assert_eq!(got.len(), want.len(), "{file}: {got:?} and {want:?}");
        for (got, want) in got.iter().zip(&want) {
            let near = (0..2).all(|i| (got[i] - want[i]).abs() <= 512);
            assert!(near, "{file}: {got:?} and {want:?}");
        }
        compared += 1;
    }
    assert!(compared >= 20, "only {compared} files compared");
}

#[test]
fn a_done_row_has_format_length_times_and_parameters() {
    let dir = TestDir::new();
    dir.run(&["fetch", "--quiet", fixture("speech/mp3_44k1_stereo.mp3").to_str().unwrap()]).exits(0);
    let row = dir.query_row("SELECT * FROM recording");
    for (column, want) in [("container", "mp3"), ("codec", "mp3"), ("state", "done")] {
        assert_eq!(row[column], want);
    }
    for (column, want) in [("sample_rate", 44_100), ("channels", 2), ("attempts", 1), ("segments", 3)] {
        assert_eq!(row[column], want, "{column}");
    }
    let number = |column: &str| row[column].as_f64().unwrap();
    let facts = &expected("formats.json")["files"]["speech/mp3_44k1_stereo.mp3"];
    assert!((number("samples") - facts["samples"].as_f64().unwrap()).abs() <= 1.0, "{row}");
    assert!(number("speech_s") > 3.0 && number("speech_s") < number("duration_s"), "{row}");
    for column in ["decode_ms", "resample_ms", "vad_ms", "write_ms"] {
        assert!(number(column) > 0.0 && number(column) <= number("total_ms"), "{column}: {row}");
    }
    let recipe: Value = serde_json::from_str(row["parameters"].as_str().unwrap()).unwrap();
    assert_eq!(recipe["vad"]["threshold"], 0.5);
}

/// The sentences are where the fixtures' script put them.
#[test]
fn segments_are_at_the_known_times_of_the_sentences() {
    let dir = TestDir::new();
    dir.run(&["fetch", "--quiet", fixture("speech/mp3_44k1_stereo.mp3").to_str().unwrap()]).exits(0);
    let rows = dir.segments(&[]);
    assert_eq!(rows.len(), 3);
    // 0.6 s pause, 1.35 s speech, 0.8, 1.24, 1.2, 1.19, 0.5; see fixtures/README.md
    for (row, (start, end)) in rows.iter().zip([(0.6, 1.95), (2.75, 3.99), (5.19, 6.38)]) {
        let near = |key: &str, want: f64| (row[key].as_f64().unwrap() - want).abs() < 0.2;
        assert!(near("start_s", start) && near("end_s", end), "{row}");
    }
}
