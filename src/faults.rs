//! Faults that tests inject: crashes, panics and hangs, and a missing fence, which proves that the tests would notice one.
//!
//! Environment variables switch them on. This file and its calls are compiled only with the Cargo feature
//! `fault-injection`, which no released build has.

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

/// If it is set: a worker's writes take effect even if another worker holds the claim by now, as in a queue without a fence.
const NO_FENCE: &str = "PREPARE_AUDIO_FAULT_NO_FENCE";

/// Recordings whose source contains this text abort the process.
const ABORT: &str = "PREPARE_AUDIO_FAULT_ABORT";

/// Recordings whose source contains this text panic.
const PANIC: &str = "PREPARE_AUDIO_FAULT_PANIC";

/// Recordings whose source contains this text hang.
const HANG: &str = "PREPARE_AUDIO_FAULT_HANG";

/// Set to a number: the process aborts when it is about to commit that many groups of ended attempts.
const ABORT_COMMIT: &str = "PREPARE_AUDIO_FAULT_ABORT_COMMIT";

/// The statement to run: `text` itself, or `text` without its fence.
pub(crate) fn statement(text: &str) -> String {
    if env::var_os(NO_FENCE).is_some() { without_fence(text) } else { text.to_owned() }
}

/// Replaces the fence by the recording's id alone. The parameters stay in use, because PostgreSQL rejects unused ones.
/// A heartbeat sets no lease on a row that is not running, because the table's constraint forbids it, and still reports
/// the row as held.
fn without_fence(text: &str) -> String {
    text.replace("{fence}", "id = $1 AND CAST($2 AS BIGINT) IS NOT NULL AND CAST($3 AS TEXT) IS NOT NULL")
        .replace("{fence_of_new}", "recording.id = new.column1")
        .replace(
            "SET lease_until = {now} + $4",
            "SET lease_until = CASE WHEN state = 'running' THEN {now} + CAST($4 AS BIGINT) END",
        )
}

/// Called before a group of ended attempts is committed. Their files are published then, and the next recordings are being
/// prepared.
pub(crate) fn before_commit() {
    static COMMITS: AtomicUsize = AtomicUsize::new(0);
    let commits = COMMITS.fetch_add(1, Relaxed) + 1;
    if env::var(ABORT_COMMIT).is_ok_and(|number| number.parse() == Ok(commits)) {
        std::process::abort();
    }
}

/// Aborts, panics or hangs if a variable selects this source. It is called in the middle of each recording's preparation.
pub(crate) fn inject(source: &str) {
    let is_selected = |variable| env::var(variable).is_ok_and(|text| !text.is_empty() && source.contains(&text));
    if is_selected(ABORT) {
        std::process::abort();
    }
    assert!(!is_selected(PANIC), "{PANIC} is set");
    while is_selected(HANG) {
        thread::park();
    }
}
