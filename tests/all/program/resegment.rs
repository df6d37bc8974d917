//! `resegment`, and segmentation settings that the official package does not have.

use std::fs;

use serde_json::Value;

use crate::support::test_dir::{TestDir, fixture};

/// Sets of parameters. Each is another recipe.
const SETS: [&[&str]; 10] = [
    &["--vad-threshold", "0.3"],
    &["--vad-threshold", "0.9", "--vad-speech-pad-ms", "0"],
    &["--vad-min-silence-duration-ms", "2000"],
    &["--vad-max-speech-duration-s", "0.7", "--vad-min-speech-duration-ms", "100"],
    &["--vad-max-speech-duration-s", "0.7", "--max-speech-cut", "quietest"],
    &["--vad-speech-pad-start-ms", "200", "--vad-speech-pad-end-ms", "50"],
    &["--merge-to", "4"],
    &["--min-dbfs", "-20", "--merge-to", "30"],
    &["--min-snr", "30", "--merge-to", "4"],
    &["--vad-threshold", "0.99", "--vad-min-speech-duration-ms", "5000"],
];

/// Recordings of several formats, with speech and with noise.
const SOURCES: [&str; 5] = [
    "speech/pauses.wav",
    "speech/mp3_44k1_stereo.mp3",
    "speech/flac_48k_stereo.flac",
    "truncated/cut_in_the_middle.wav",
    "quiet/noise.wav",
];

/// A directory with the recordings, which are done with the default parameters. They are added by a list of relative
/// sources, so that the names of their output folders are the same in each directory.
fn prepared_dir() -> TestDir {
    let dir = TestDir::new();
    SOURCES.iter().for_each(|source| drop(dir.copy(source, &format!("in/{source}"))));
    dir.write("list.txt", SOURCES.join("\n"));
    dir.run(&["fetch", "list.txt", "--audio-dir", "in", "--quiet"]).exits(0);
    dir
}

/// Segment rows without ids and without the path to the output folder, which differ between directories.
fn rows(dir: &TestDir) -> Vec<Value> {
    let mut rows = dir.segments(&[]);
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        row.remove("recording_id");
        let path = row["path"].as_str().unwrap().rsplit("segments/").next().unwrap().to_owned();
        row["path"] = path.into();
    }
    rows.sort_by_key(|row| row["path"].as_str().unwrap().to_owned());
    rows
}

fn bounds(rows: &[Value]) -> Vec<(i64, i64)> {
    rows.iter().map(|row| (row["start_sample"].as_i64().unwrap(), row["end_sample"].as_i64().unwrap())).collect()
}

/// `resegment` has the same rows, file names and bytes as a fresh run, whatever was segmented before.
#[test]
fn resegment_equals_a_fresh_run() {
    let (again, fresh) = (prepared_dir(), prepared_dir());
    for set in SETS {
        let output = again.run(&[&["resegment", "--audio-dir", "in", "--json"], set].concat()).exits(0).json();
        assert_eq!(output["done"], SOURCES.len(), "{set:?}: {output}");
        fresh.run(&[&["fetch", "list.txt", "--audio-dir", "in", "--quiet"], set].concat()).exits(0);
        assert_eq!(rows(&again), rows(&fresh), "{set:?}");
        assert!(again.files("segments") == fresh.files("segments"), "{set:?}: files differ");
    }
    let columns =
        "SELECT group_concat(line, char(10)) AS lines FROM (SELECT source || recipe || state || parameters || model
         || container || codec || sample_rate || channels || bytes || samples || duration_s || speech_s || segments
         || decode_errors || truncated || speech_ratio || coalesce(snr_db, '') || coalesce(loudness_lufs, '')
         || hex(data) AS line
         FROM recording JOIN probabilities ON recording_id = id ORDER BY 1)";
    assert_eq!(again.query_row(columns), fresh.query_row(columns));
    let output = again.run(&[&["resegment", "--json"], SETS[0]].concat()).exits(0).json();
    assert_eq!(output["done"], 0, "done already");
}

/// If segments with all boundaries exist already, the audio is not opened, so it may be missing.
#[test]
fn audio_is_decoded_only_for_new_boundaries() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    dir.run(&["fetch", "a.wav", "--quiet"]).exits(0);
    let first = dir.segments(&[]);
    fs::remove_file(dir.path("a.wav")).unwrap();
    // Another recipe, the same boundaries.
    dir.run(&["resegment", "--vad-neg-threshold", "0.34", "--quiet"]).exits(0);
    let all = dir.segments(&[]);
    assert_eq!(bounds(&all[first.len()..]), bounds(&first));
    let row = dir.query_row("SELECT decode_ms, error FROM recording ORDER BY id DESC LIMIT 1");
    assert_eq!(row["decode_ms"], 0.0);
    // Other boundaries need the file.
    let output = dir.run(&["resegment", "--vad-speech-pad-ms", "77", "--json"]).exits(3).json();
    assert_eq!(output["errors"]["not_found"], 1);
}

/// The command fails for recordings without stored probabilities, because they have no new segments.
#[test]
fn resegment_fails_without_stored_probabilities() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    dir.run(&["fetch", "a.wav", "--quiet", "--keep-probabilities", "false"]).exits(0);
    let output = dir.run(&["resegment", "--vad-threshold", "0.9"]).exits(1);
    assert!(output.stderr.contains("1 done recording unchanged"), "{}", output.stderr);
    // With the parameters of the first run, there is nothing to do.
    dir.run(&["resegment"]).exits(0);
}

/// A segment file that no longer matches its row is not reused.
#[test]
fn changed_segment_files_are_written_again() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    dir.run(&["fetch", "a.wav", "--quiet"]).exits(0);
    let first = dir.segments(&[]);
    let path = dir.path(first[0]["path"].as_str().unwrap());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, "spoilt").unwrap();
    dir.run(&["resegment", "--vad-neg-threshold", "0.34", "--quiet"]).exits(0);
    let all = dir.segments(&[]);
    assert_eq!(all[first.len()]["sha256"], first[0]["sha256"]);
    assert_eq!(fs::read(dir.path(all[first.len()]["path"].as_str().unwrap())).unwrap(), whole);
}

/// Stored probabilities are not used for another file of the same name.
#[test]
fn a_source_that_was_replaced_is_analysed_again() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    dir.run(&["fetch", "a.wav", "--quiet"]).exits(0);
    dir.copy("speech/wav_s16_16k_mono.wav", "a.wav");
    let set = ["--vad-speech-pad-ms", "55", "--quiet"];
    dir.run(&[&["resegment"], &set[..]].concat()).exits(0);
    let fresh = TestDir::new();
    fresh.copy("speech/wav_s16_16k_mono.wav", "a.wav");
    fresh.run(&[&["fetch", "a.wav"], &set[..]].concat()).exits(0);
    let fresh = fresh.segments(&[]);
    let new: Vec<Value> = dir.segments(&[]).into_iter().filter(|row| row["recipe"] == fresh[0]["recipe"]).collect();
    let hashes = |rows: &[Value]| rows.iter().map(|row| row["sha256"].clone()).collect::<Vec<_>>();
    assert_eq!((bounds(&new), hashes(&new)), (bounds(&fresh), hashes(&fresh)));
}

#[test]
fn resegment_selects_named_recordings_with_probabilities() {
    let dir = TestDir::new();
    for name in ["a.wav", "b.wav", "c.wav", "d.wav"] {
        dir.copy("speech/pauses.wav", name);
    }
    dir.run(&["fetch", "a.wav", "b.wav", "--quiet"]).exits(0);
    dir.run(&["fetch", "c.wav", "--keep-probabilities", "false", "--quiet"]).exits(0);
    dir.run(&["add", "d.wav", "--quiet"]).exits(0);
    let set = ["resegment", "--json", "--vad-threshold", "0.4"];
    let run = |names: &[&str]| dir.run(&[&set[..], names].concat());
    let done = |names: &[&str]| run(names).exits(0).json()["done"].clone();
    assert_eq!(dir.run(&[&set[..], &["--dry-run"]].concat()).exits(0).json()["recordings"], 2);
    assert_eq!(done(&["b.wav"]), 1);
    assert_eq!(done(&["1"]), 1);
    assert_eq!(run(&[]).exits(1).json()["done"], 0, "c has no probabilities");
    assert_eq!(dir.count("pending"), 1, "d waits for a fetch");
    assert!(
        dir.run(&[&set[..], &["gone.wav"]].concat()).exits(2).stderr.contains("no recording has this id or source")
    );
    let stored = dir.query_row("SELECT COUNT(*) AS n FROM probabilities");
    assert_eq!(stored["n"], 4, "two recordings, two recipes");
    dir.run(&["resegment", "a.wav", "b.wav", "--vad-threshold", "0.45", "--keep-probabilities", "false", "--quiet"])
        .exits(0);
    assert_eq!(dir.query_row("SELECT COUNT(*) AS n FROM probabilities"), stored);
}

#[test]
fn rows_have_the_reason_of_each_cut() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    let rows_of = |set: &[&str]| {
        let set: Vec<&str> = [&["fetch", "a.wav", "--quiet"], set].concat();
        dir.run(&set).exits(0);
        let rows = dir.segments(&[]);
        let recording = rows.last().unwrap()["recording_id"].clone();
        rows.into_iter().filter(|row| row["recording_id"] == recording).collect::<Vec<_>>()
    };
    let plain = rows_of(&[]);
    let cuts: Vec<_> = plain.iter().map(|row| row["cut"].as_str().unwrap()).collect();
    assert_eq!(cuts, ["silence", "silence", "end"]);
    assert!(plain.iter().all(|row| row["parts"].is_null()), "{plain:?}");
    assert!(plain.iter().all(|row| (-40.0..-5.0).contains(&row["level_dbfs"].as_f64().unwrap())), "{plain:?}");
    let forced = rows_of(&["--vad-max-speech-duration-s", "0.5"]);
    assert!(forced.iter().any(|row| row["cut"] == "forced"), "{forced:?}");
    let quietest = rows_of(&["--vad-max-speech-duration-s", "0.5", "--max-speech-cut", "quietest"]);
    assert!(quietest.iter().any(|row| row["cut"] == "quietest"), "{quietest:?}");
    assert!(quietest.iter().all(|row| row["end_s"].as_f64().unwrap() - row["start_s"].as_f64().unwrap() <= 0.5));
}

#[test]
fn joined_segments_list_their_parts() {
    let dir = TestDir::new();
    dir.copy("speech/pauses.wav", "a.wav");
    dir.run(&["fetch", "a.wav", "--quiet"]).exits(0);
    let parts = bounds(&dir.segments(&[]));
    dir.run(&["fetch", "a.wav", "--merge-to", "1000", "--quiet"]).exits(0);
    let rows = dir.segments(&[]);
    let chunk = rows.last().unwrap();
    assert_eq!(rows.len(), parts.len() + 1, "one chunk");
    assert_eq!(chunk["parts"], serde_json::to_value(&parts).unwrap());
    assert_eq!(bounds(std::slice::from_ref(chunk)), [(parts[0].0, parts[parts.len() - 1].1)]);
    let reader = hound::WavReader::open(dir.path(chunk["path"].as_str().unwrap())).unwrap();
    assert_eq!(i64::from(reader.len()), parts[parts.len() - 1].1 - parts[0].0, "the pauses are included");
}

/// The second half of the recording is 36 dB quieter, and its segments are dropped.
#[test]
fn segments_below_min_dbfs_are_dropped() {
    let dir = TestDir::new();
    let mut reader = hound::WavReader::open(fixture("speech/pauses.wav")).unwrap();
    let speech: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let mut writer = hound::WavWriter::create(dir.path("a.wav"), reader.spec()).unwrap();
    speech.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    speech.iter().for_each(|&sample| writer.write_sample(sample / 64).unwrap());
    writer.finalize().unwrap();
    dir.run(&["fetch", "a.wav", "--quiet"]).exits(0);
    let all = dir.segments(&[]);
    let is_loud = |row: &&Value| row["level_dbfs"].as_f64().unwrap() >= -45.0;
    let loud: Vec<Value> = all.iter().filter(is_loud).cloned().collect();
    assert!(loud.len() < all.len() && !loud.is_empty(), "{all:?}");
    dir.run(&["fetch", "a.wav", "--min-dbfs", "-45", "--quiet"]).exits(0);
    assert_eq!(bounds(&dir.segments(&[])[all.len()..]), bounds(&loud));
}

/// The second recording is the first one with noise, the third one is clipped.
#[test]
fn segments_that_miss_a_criterion_are_dropped_and_counted() {
    let dir = TestDir::new();
    let mut reader = hound::WavReader::open(fixture("speech/pauses.wav")).unwrap();
    let speech: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let write = |name: &str, change: &dyn Fn(i16, i16) -> i16| {
        let mut writer = hound::WavWriter::create(dir.path(name), reader.spec()).unwrap();
        let mut state = 1_u32;
        for &sample in &speech {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            writer.write_sample(change(sample, (state >> 16) as i16)).unwrap();
        }
        writer.finalize().unwrap();
    };
    write("clean.wav", &|sample, _| sample);
    write("noisy.wav", &|sample, noise| sample.saturating_add(noise / 64));
    write("clipped.wav", &|sample, _| sample.saturating_mul(6));
    let names = ["clean.wav", "noisy.wav", "clipped.wav"];
    dir.run(&[&["fetch"][..], &names, &["--quiet"]].concat()).exits(0);
    let all = dir.segments(&[]);
    let criteria = ["--min-snr", "30", "--max-clipped", "0.01", "--output", "chosen"];
    let summary = dir.run(&[&["fetch"][..], &names, &criteria, &["--json"]].concat()).exits(0).json();
    let is_clean = |row: &&Value| row["snr_db"].as_f64().unwrap() >= 30.0;
    let is_whole = |row: &&Value| row["clipped"].as_f64().unwrap() <= 0.01;
    let kept: Vec<Value> = all.iter().filter(|row| is_clean(row) && is_whole(row)).cloned().collect();
    assert_eq!(bounds(&dir.segments(&[])[all.len()..]), bounds(&kept));
    let noisy = all.iter().filter(|row| !is_clean(row)).count();
    let clipped = all.iter().filter(|row| is_clean(row) && !is_whole(row)).count();
    assert!(noisy > 0 && clipped > 0 && !kept.is_empty(), "{all:?}");
    let dropped = serde_json::json!({ "max_clipped": clipped, "min_snr": noisy });
    assert_eq!(summary["dropped_segments"], dropped);
    assert_eq!(summary["segments"], kept.len());
    let folders = dir.path("chosen").read_dir().unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let files: usize = folders.map(|folder| folder.path().read_dir().unwrap().count()).sum();
    assert_eq!(files, kept.len(), "the files of dropped segments are gone");
    let sum = dir.query_row("SELECT SUM(json_extract(dropped_segments, '$.min_snr')) AS noisy FROM recording");
    assert_eq!(sum["noisy"], noisy);
}

#[test]
fn help_describes_the_additional_settings() {
    let dir = TestDir::new();
    let help = dir.run(&["resegment", "--help"]).exits(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in ["lowest probability in the second half", "--merge-to", "Only these recordings", "[default: true]"] {
        assert!(help.contains(words), "{words} is missing in\n{help}");
    }
    for wrong in [
        ["--merge-to", "0"],
        ["--min-dbfs", "3"],
        ["--max-speech-cut", "loudest"],
        ["--min-snr", "nan"],
        ["--max-clipped", "2"],
    ] {
        dir.run(&[&["fetch"], &wrong[..]].concat()).exits(2);
    }
}
