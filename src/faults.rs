//! Faults that tests inject, to check that the program withstands them, and that the tests would notice if it did not.
//!
//! Environment variables switch them on. Without the Cargo feature `fault-injection`, which no released build has, neither
//! this file nor any call of it is compiled.

use std::{
    env,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

/// Set to anything: every write of a worker lands, whoever holds the claim by now, as in a queue without a fence.
const NO_FENCE: &str = "PREPARE_AUDIO_FAULT_NO_FENCE";

/// Recordings whose source contains this text abort the process.
const ABORT: &str = "PREPARE_AUDIO_FAULT_ABORT";

/// Those whose source contains this text panic.
const PANIC: &str = "PREPARE_AUDIO_FAULT_PANIC";

/// Those whose source contains this text never end.
const HANG: &str = "PREPARE_AUDIO_FAULT_HANG";

/// Set to a number: the process aborts when it is about to commit that many groups of ended attempts.
const ABORT_COMMIT: &str = "PREPARE_AUDIO_FAULT_ABORT_COMMIT";

/// A statement as it is to be run: as it stands, or without its fence.
pub(crate) fn statement(text: &str) -> String {
    if env::var_os(NO_FENCE).is_some() { without_fence(text) } else { text.to_owned() }
}

/// The recording alone is named. A heartbeat leaves rows without a lease as they are, because the table takes no lease
/// but for what runs, and reports them as held.
fn without_fence(text: &str) -> String {
    text.replace("{fence}", "id = $1 AND CAST($2 AS BIGINT) IS NOT NULL AND CAST($3 AS TEXT) IS NOT NULL").replace(
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

/// Called in the middle of each recording's preparation: this is where those end that are told to.
pub(crate) fn strike(source: &str) {
    let is_struck = |variable| env::var(variable).is_ok_and(|text| !text.is_empty() && source.contains(&text));
    if is_struck(ABORT) {
        std::process::abort();
    }
    assert!(!is_struck(PANIC), "{PANIC} is set");
    while is_struck(HANG) {
        thread::park();
    }
}
