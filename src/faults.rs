//! Faults that tests put in, to see that the program withstands them, and that the tests would see it if it did not.
//!
//! Environment variables switch them on. All of this is there only with the Cargo feature `fault-injection`, which no
//! build has that somebody works with: without it neither this file nor any call of it is compiled.

use std::{env, thread};

/// Set to anything: every write of a worker lands, whoever holds the claim by now, as in a queue without a fence.
const NO_FENCE: &str = "PREPARE_AUDIO_FAULT_NO_FENCE";

/// Recordings whose source contains this text abort the process.
const ABORT: &str = "PREPARE_AUDIO_FAULT_ABORT";

/// Those whose source contains this text panic.
const PANIC: &str = "PREPARE_AUDIO_FAULT_PANIC";

/// Those whose source contains this text never end.
const HANG: &str = "PREPARE_AUDIO_FAULT_HANG";

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
