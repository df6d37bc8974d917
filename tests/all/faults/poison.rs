//! Recordings that abort, panic or hang, among others that are fine.

use prepare_audio::store::State;

use super::{
    FETCH, LEASE,
    fleet::{self, Fleet},
    is_long,
    queue::{Database, Queue},
};

/// Part of the name of each recording that is meant to fail.
const NAME: &str = "poison";

/// Adds all recordings of the queue, with `count` among them that are meant to fail. Returns the sources of these.
fn add_with_poison(queue: &Queue, count: usize) -> Vec<String> {
    let mut poisoned = Vec::new();
    for n in 0..count {
        queue.add(queue.len() / (count + 1));
        poisoned.push(format!("in/{NAME} {n:02}.wav"));
        queue.add_unexpected(&poisoned[n]);
    }
    queue.add(queue.len());
    poisoned
}

fn with_code(sources: Vec<String>, code: &str) -> Vec<(String, String)> {
    sources.into_iter().map(|source| (source, code.to_owned())).collect()
}

fn recordings_that_abort_are_quarantined(database: Database) {
    let (good, bad, processes) = if is_long() { (990, 10, 8) } else { (147, 3, 4) };
    let Some(queue) = Queue::new(database, good) else { return };
    let poisoned = add_with_poison(&queue, bad);
    let fleet = Fleet::start(&queue, processes, &[], &[("PREPARE_AUDIO_FAULT_ABORT", NAME)]);
    let ended = fleet.finish(LEASE);
    queue.audit().assert_clean();
    assert_eq!(queue.ended_as("quarantined"), with_code(poisoned, "crashed"));
    let (aborted, others): (Vec<_>, Vec<_>) = ended.into_iter().partition(fleet::has_aborted);
    // Each attempt aborts a process. First attempts may share one: when a process dies, all recordings that it had begun count
    // as crashed. Later attempts are isolated.
    let attempts = 2 * bad + 1..=3 * bad;
    assert!(attempts.contains(&aborted.len()), "{} processes were aborted, expected {attempts:?}", aborted.len());
    let codes = others.iter().filter_map(std::process::ExitStatus::code).collect::<Vec<_>>();
    assert_eq!(codes.len(), others.len(), "no other process was aborted");
    assert!(codes.iter().all(|code| [0, 1, 3].contains(code)), "{codes:?}");
}

#[test]
fn only_recordings_that_abort_are_quarantined_on_sqlite() {
    recordings_that_abort_are_quarantined(Database::Sqlite);
}

#[test]
fn only_recordings_that_abort_are_quarantined_on_postgres() {
    recordings_that_abort_are_quarantined(Database::Postgres);
}

/// One process prepares 20 recordings and two with the fault. Only these two fail, with `code`. The process prepares the
/// others, and exits with 1.
fn only_recordings_with_the_fault_fail(fault: &str, arguments: &[&str], code: &str, message: &str) {
    let queue = Queue::new(Database::Sqlite, 20).unwrap();
    let poisoned = add_with_poison(&queue, 2);
    let common = ["--database", &queue.address, "--output", "segments"];
    let mut fetch = queue.dir.command(&[&FETCH[..], &common, arguments].concat());
    let output = fetch.env(fault, NAME).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("in/poison 01.wav") && log.contains(message), "{log}");
    queue.audit().assert_clean();
    assert_eq!(queue.ended_as("failed"), with_code(poisoned, code));
    assert_eq!(queue.count(State::Done), 20);
}

#[test]
fn a_panic_fails_only_its_recording() {
    let message = "PREPARE_AUDIO_FAULT_PANIC is set";
    only_recordings_with_the_fault_fail("PREPARE_AUDIO_FAULT_PANIC", &[], "panic", message);
}

#[test]
fn a_hang_fails_only_its_recording() {
    let limit = ["--timeout", "2s"];
    only_recordings_with_the_fault_fail("PREPARE_AUDIO_FAULT_HANG", &limit, "timeout", "not done after 2s");
}
