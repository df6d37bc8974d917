//! Prepares batches of mutants with the program, which shows aborts and excessive memory.

use std::{collections::BTreeSet, fs, path::Path, process::Stdio, time::Instant};

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::{DEADLINE, count, is_long, mutant::Mutants, report::Report, seed};
use crate::support::{peak_memory::wait_with_peak, test_dir::TestDir};

/// Recordings of one run.
const BATCH: u64 = 250;

/// Workers of a run.
const WORKERS: u64 = 2;

/// The memory limit of a run in kB.
const MAX_KB: u64 = (120 + 40 * WORKERS) * 1024;

/// Error codes that a recording cannot cause.
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
fn each_ends_with_a_code_and_within_bounds() {
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
        // Every fourth batch uses ffmpeg, if it is installed. Another fourth runs with --strict.
        let (ffmpeg, strict) = (is_long() && first / BATCH % 4 == 3, first / BATCH % 4 == 2);
        let (code, high) = run(&dir, ffmpeg, strict);
        peak = peak.max(high);
        if !matches!(code, Some(0 | 1 | 3)) {
            wrong.push(format!("the batch from {first} on ended with {code:?}"));
        }
        if high > MAX_KB {
            wrong.push(format!("the batch from {first} on took {high} kB"));
        }
        report.took(begun.elapsed(), &format!("the batch from {first} on"));
        let rows = ends(&dir);
        if rows.len() as u64 != numbers.end - numbers.start {
            wrong.push(format!("the batch from {first} on has {} rows", rows.len()));
        }
        for (source, state, code, damaged) in rows {
            let fine = match state.as_str() {
                "done" => !strict || !damaged,
                "failed" => codes.contains(&code),
                _ => false,
            };
            let end = format!("{state} {code}{}", if damaged { "damaged" } else { "" });
            if !fine {
                let name = Path::new(&source).file_name().unwrap().to_str().unwrap();
                wrong.push(format!("{end}: {}", mutants.make(name[..5].parse().unwrap()).keep().display()));
            }
            report.count(end.trim_end());
        }
    }
    report.print("through the program");
    println!("  peak: {} MB; {} are allowed", peak / 1024, MAX_KB / 1024);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(report.of("done") + report.of("done damaged") > all / 4, "too few mutants are done");
}

/// Prepares all files in `in`. Returns the exit code and the peak memory in kB.
fn run(dir: &TestDir, ffmpeg: bool, strict: bool) -> (Option<i32>, u64) {
    // A list, so that files with other extensions are included.
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

/// Source, state, error code and whether it is damaged, of each row.
fn ends(dir: &TestDir) -> Vec<(String, String, String, bool)> {
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
