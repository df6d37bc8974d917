//! `inspect`: the cuts of other parameters are those that its command makes.

use std::{fs, process::Command};

use serde_json::Value;

use super::inspect::{SOURCES, prepared};
use crate::support::{inspect::Inspect, test_dir::TestDir};

/// Parameters as the page asks for them.
const SETS: [&str; 8] = [
    "",
    "threshold=0.3",
    "threshold=0.9&pad_ms=0",
    "min_silence_ms=2000",
    "max_speech_s=0.7&min_speech_ms=100",
    "threshold=0.99&min_speech_ms=5000",
    "pad_ms=400&min_silence_ms=20",
    "max_speech_s=2.5&threshold=0.15&min_silence_ms=0",
];

/// Ids and sources of all done recordings.
fn recordings(dir: &TestDir) -> Vec<(i64, String)> {
    let all =
        dir.query_row("SELECT json_group_array(json_array(id, source)) AS rows FROM recording WHERE state = 'done'");
    serde_json::from_str(all["rows"].as_str().unwrap()).unwrap()
}

/// A directory with a copy of the database, in which a command line was run.
fn copy_after(dir: &TestDir, command: &str) -> TestDir {
    let copy = TestDir::new();
    copy.write("prepare-audio.db", fs::read(dir.path("prepare-audio.db")).unwrap());
    let program = format!("'{}'", env!("CARGO_BIN_EXE_prepare-audio"));
    let script = command.replacen("prepare-audio", &program, 1) + " --quiet";
    let output = Command::new("sh").args(["-c", &script]).current_dir(copy.path(".")).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    copy
}

/// What the page shows equals what its command makes, for every recording and channel.
#[track_caller]
fn cuts_equal_resegment(options: &[&str], channels: &[u64]) {
    let dir = prepared(options);
    let originals = recordings(&dir);
    assert_eq!(originals.len(), SOURCES.len());
    let inspect = Inspect::start(&dir, &[]);
    let mut numbers = Vec::new();
    for set in SETS {
        let cuts = |id: i64, channel: u64| inspect.get(&format!("/recording/{id}/cuts?{set}&channel={channel}"));
        let first = cuts(originals[0].0, 1).json();
        let command = first["command"].as_str().unwrap();
        let with_id = command.replacen("resegment", &format!("resegment {}", originals[0].0), 1);
        assert_eq!(first["command_for_this"], with_id);
        let copy = copy_after(&dir, command);
        let (made, segments) = (recordings(&copy), copy.segments(&[]));
        for (id, source) in &originals {
            let newest = made.iter().filter(|(_, of)| of == source).map(|(id, _)| *id).max().unwrap();
            for &channel in channels {
                let answer = cuts(*id, channel);
                if answer.status == 404 {
                    continue; // it has one channel
                }
                let number = |value: &Value| value.as_u64().unwrap();
                let shown: Vec<(u64, u64)> = answer.json()["segments"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|cut| (number(&cut[0]), number(&cut[1])))
                    .collect();
                let is_of = |row: &&Value| {
                    row["recording_id"] == newest && (row["channel"].is_null() || row["channel"] == channel)
                };
                let made: Vec<(u64, u64)> = segments
                    .iter()
                    .filter(is_of)
                    .map(|row| (number(&row["start_sample"]), number(&row["end_sample"])))
                    .collect();
                assert_eq!(shown, made, "{set}, channel {channel} of {source}: {command}");
                numbers.push(shown.len());
            }
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.len() >= 3, "{numbers:?}");
    for wrong in ["threshold=2", "threshold=x", "max_speech_s=0", "pad_ms=-1"] {
        assert_eq!(inspect.get(&format!("/recording/1/cuts?{wrong}")).status, 400, "{wrong}");
    }
}

#[test]
fn cuts_equal_those_of_resegment() {
    cuts_equal_resegment(&[], &[1]);
}

#[test]
fn cuts_of_channels_equal_those_of_resegment() {
    cuts_equal_resegment(&["--channels", "split", "--vad-threshold", "0.4", "--format", "flac"], &[1, 2]);
}

/// Whether a quiet segment is dropped depends on its samples, which the page reads from the source.
#[test]
fn cuts_of_joined_and_loud_segments_equal_those_of_resegment() {
    let options = [
        "--merge-to",
        "4",
        "--min-dbfs",
        "-22",
        "--no-audio",
        "--max-speech-cut",
        "quietest",
        "--vad-speech-pad-end-ms",
        "90",
    ];
    cuts_equal_resegment(&options, &[1]);
}
