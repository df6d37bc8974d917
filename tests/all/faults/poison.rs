//! Recordings that take their process down, or panic, among others that are fine.

use prepare_audio::store::State;

use super::{
    FETCH, LEASE,
    fleet::{self, Fleet},
    is_long,
    queue::{Database, Queue},
};

/// What all that is to fail bears in its name.
const NAME: &str = "poison";

/// Names of recordings that are to fail, among all others.
fn poison(queue: &Queue, count: usize) -> Vec<String> {
    let mut poisoned = Vec::new();
    for n in 0..count {
        queue.add(queue.len() / (count + 1));
        poisoned.push(format!("in/{NAME} {n:02}.wav"));
        queue.add_strange(&poisoned[n]);
    }
    queue.add(queue.len());
    poisoned
}

fn with_code(sources: Vec<String>, code: &str) -> Vec<(String, String)> {
    sources.into_iter().map(|source| (source, code.to_owned())).collect()
}

fn all_but_the_poisoned_are_done(database: Database) {
    let (good, bad, processes) = if is_long() { (990, 10, 8) } else { (147, 3, 4) };
    let Some(queue) = Queue::new(database, good) else { return };
    let poisoned = poison(&queue, bad);
    let fleet = Fleet::start(&queue, processes, &[], &[("PREPARE_AUDIO_FAULT_ABORT", NAME)]);
    let ended = fleet.finish(LEASE);
    queue.audit().is_clean();
    assert_eq!(queue.ended_as("quarantined"), with_code(poisoned, "crashed"));
    let (aborted, others): (Vec<_>, Vec<_>) = ended.into_iter().partition(fleet::has_aborted);
    assert_eq!(aborted.len(), 3 * bad, "each takes its process down as often as it may be tried");
    let codes = others.iter().filter_map(std::process::ExitStatus::code).collect::<Vec<_>>();
    assert_eq!(codes.len(), others.len(), "no other process was taken down");
    assert!(codes.iter().all(|code| [0, 1, 3].contains(code)), "{codes:?}");
}

#[test]
fn what_aborts_the_process_is_quarantined_alone_on_sqlite() {
    all_but_the_poisoned_are_done(Database::Sqlite);
}

#[test]
fn what_aborts_the_process_is_quarantined_alone_on_postgres() {
    all_but_the_poisoned_are_done(Database::Postgres);
}

/// One process works off 20 recordings and two that are struck by `fault`. They alone fail, with `code`, the process goes
/// on, and says in the end that something failed.
fn the_struck_fail(fault: &str, arguments: &[&str], code: &str, message: &str) {
    let queue = Queue::new(Database::Sqlite, 20).unwrap();
    let poisoned = poison(&queue, 2);
    let place = ["--database", &queue.address, "--output", "segments"];
    let mut fetch = queue.dir.command(&[&FETCH[..], &place, arguments].concat());
    let output = fetch.env(fault, NAME).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("in/poison 01.wav") && told.contains(message), "{told}");
    queue.audit().is_clean();
    assert_eq!(queue.ended_as("failed"), with_code(poisoned, code));
    assert_eq!(queue.count(State::Done), 20);
}

#[test]
fn a_panic_is_its_recordings_failure() {
    the_struck_fail("PREPARE_AUDIO_FAULT_PANIC", &[], "panic", "PREPARE_AUDIO_FAULT_PANIC is set");
}

#[test]
fn what_never_ends_is_its_recordings_failure() {
    the_struck_fail("PREPARE_AUDIO_FAULT_HANG", &["--timeout", "2s"], "timeout", "not done after 2s");
}
