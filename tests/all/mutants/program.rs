//! Prepares mutants with the program, in batches, because aborts and the peak memory can only be observed from outside.

use std::{collections::BTreeSet, fs, path::Path, process::Stdio, time::Instant};

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::{DEADLINE, count, is_long, mutant::Mutants, report::Report, seed};
use crate::support::{peak_memory::wait_with_peak, test_dir::TestDir};

/// Recordings of one run.
const BATCH: u64 = 250;

/// Workers of a run.
const WORKERS: u64 = 2;

/// The memory limit of a run, kB.
const MAX_KB: u64 = (120 + 40 * WORKERS) * 1024;

/// Error codes that mean a fault of the program or the machine, not of a recording.
const NOT_CAUSED_BY_A_FILE: [&str; 8] =
    ["panic", "crashed", "timeout", "vad_error", "write_error", "disk_full", "unsafe_output", "read_error"];

/// The codes in docs/errors.md that a damaged recording may end with.
fn codes() -> BTreeSet<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md")).unwrap();
    let codes = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let codes = codes.map(|(code, _)| code.to_owned());
    codes.filter(|code| !NOT_CAUSED_BY_A_FILE.contains(&code.as_str())).collect()
}

#[test]
fn each_mutant_ends_with_a_known_code_within_the_limits() {
    let (mutants, codes) = (Mutants::of(seed()), codes());
    assert!(codes.contains("corrupt") && codes.len() > 10, "docs/errors.md: {codes:?}");
    let (mut report, mut wrong, mut peak) = (Report::default(), Vec::new(), 0);
    let all = count(BATCH);
    for first in (0..all).step_by(BATCH as usize) {
        let dir = TestDir::new();
        let numbers = first..all.min(first + BATCH);
        for number in numbers.clone() {
            let mutant = mutants.make(number);
            dir.write(&format!("in/{}", mutant.name), &mutant.bytes);
        }
        let begun = Instant::now();
        // One batch in four uses the machine's ffmpeg, if there is one, and another one --strict.
        let (ffmpeg, strict) = (is_long() && first / BATCH % 4 == 3, first / BATCH % 4 == 2);
        let (code, batch_peak) = run(&dir, ffmpeg, strict);
        peak = peak.max(batch_peak);
        if !matches!(code, Some(0 | 1 | 3)) {
            wrong.push(format!("the batch from {first} on ended with {code:?}"));
        }
        if batch_peak > MAX_KB {
            wrong.push(format!("the batch from {first} on took {batch_peak} kB"));
        }
        report.took(begun.elapsed(), &format!("the batch from {first} on"));
        let rows = rows(&dir);
        if rows.len() as u64 != numbers.end - numbers.start {
            wrong.push(format!("the batch from {first} on has {} rows", rows.len()));
        }
        for (source, state, code, damaged) in rows {
            let is_expected = match state.as_str() {
                "done" => !strict || !damaged,
                "failed" => codes.contains(&code),
                _ => false,
            };
            let end = format!("{state} {code}{}", if damaged { "damaged" } else { "" });
            if !is_expected {
                let name = Path::new(&source).file_name().unwrap().to_str().unwrap();
                wrong.push(format!("{end}: {}", mutants.make(name[..5].parse().unwrap()).keep().display()));
            }
            report.count(end.trim_end());
        }
    }
    report.print("through the program");
    println!("  peak memory: {} MB of {} MB", peak / 1024, MAX_KB / 1024);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(report.of("done") + report.of("done damaged") > all / 4, "too few mutants can still be decoded");
}

/// Prepares all files in `in`. Returns the exit code, and the peak memory in kB.
fn run(dir: &TestDir, ffmpeg: bool, strict: bool) -> (Option<i32>, u64) {
    // In a list, because files in folders are skipped if they do not have an extension of audio files.
    let names: Vec<String> = fs::read_dir(dir.path("in"))
        .unwrap()
        .map(|entry| format!("in/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    dir.write("all.txt", names.join("\n"));
    let workers = WORKERS.to_string();
    let mut args = vec!["fetch", "all.txt", "--workers", &workers, "--timeout", "60s", "--log-level", "error"];
    args.extend(strict.then_some("--strict"));
    let mut command = dir.command(&args);
    if let Some(path) = std::env::var_os("PATH").filter(|_| ffmpeg) {
        command.env("PATH", path);
    }
    let log = fs::File::create(dir.path("log")).unwrap();
    let mut process = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let ended = wait_with_peak(&mut process, DEADLINE * names.len() as u32);
    let output = fs::read_to_string(dir.path("log")).unwrap();
    assert!(!output.contains("panic"), "{output}");
    ended
}

/// Source, state, error code, and whether it is damaged, of each row.
fn rows(dir: &TestDir) -> Vec<(String, String, String, bool)> {
    let options = SqliteConnectOptions::new().filename(dir.path("prepare-audio.db"));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = options.connect().await.unwrap();
        let query = "SELECT source, state, COALESCE(error_code, ''), \
            COALESCE(truncated, 0) <> 0 OR COALESCE(decode_errors, 0) > 0 FROM recording";
        let rows = sqlx::query_as(query).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows
    })
}
