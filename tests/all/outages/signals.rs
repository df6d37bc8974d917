//! Ctrl-C and SIGTERM, once and twice.

use std::{thread::sleep, time::Duration};

use super::scenario::{Fetch, Scenario, TIMEOUT, wait};

/// How soon a run ends after one signal. By then it has given back its claims.
const ENDED: Duration = Duration::from_secs(2);

/// How soon a run ends after a second signal. It takes about 100 ms on an idle machine; after one signal, at least a second.
const ENDED_AT_ONCE: Duration = Duration::from_millis(700);

const RECORDINGS: usize = 40;

/// Number of recordings that are so long that a signal interrupts them.
const LONG: usize = 2;

/// Adds long recordings that are prepared before all others.
fn add_long_recordings(scenario: &Scenario) {
    write_long_recordings(scenario, Some(60));
    for n in 0..LONG {
        let row = format!("('long {n}.wav', -1)");
        scenario.change(&format!("INSERT INTO recording (source, priority) VALUES {row} RETURNING id"));
    }
}

/// Writes the files of the long recordings, which last `minutes` or, without it, a few seconds.
fn write_long_recordings(scenario: &Scenario, minutes: Option<u64>) {
    for n in 0..LONG {
        let path = scenario.dir.copy("speech/pauses.wav", &format!("long {n}.wav"));
        if let Some(minutes) = minutes {
            lengthen(&path, minutes);
        }
    }
}

/// Replaces the long recordings by short ones, and runs `fetch` for the rest of the queue.
fn finish_queue(scenario: &Scenario) {
    write_long_recordings(scenario, None);
    scenario.fetch("again", &[]).ends(0, TIMEOUT);
    assert_eq!(scenario.done(), (RECORDINGS + LONG) as i64);
    scenario.assert_complete();
}

/// Extends a 16-bit WAV file of 16 kHz with silence.
fn lengthen(path: &std::path::Path, minutes: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let bytes = minutes * 60 * 32_000;
    file.set_len(44 + bytes).unwrap();
    file.write_all_at(&(bytes as u32 + 36).to_le_bytes(), 4).unwrap();
    file.write_all_at(&(bytes as u32).to_le_bytes(), 40).unwrap();
}

fn start(scenario: &Scenario, more: &[&str]) -> Fetch {
    let fetch = scenario.fetch("log", &[&["--workers", "2"], more].concat());
    wait(TIMEOUT, "two recordings are running", || scenario.count("state = 'running'") == 2);
    fetch
}

/// A run that gets a signal gives back its claims, and the next run prepares the rest.
fn signal_gives_back_claims(scenario: Scenario, signal: &str, more: &[&str], code: i32) {
    add_long_recordings(&scenario);
    scenario.add(RECORDINGS, Duration::ZERO);
    let mut fetch = start(&scenario, more);
    sleep(Duration::from_millis(300));
    fetch.signal(signal);
    println!("{signal} {more:?}: ended after {:?}", fetch.ends(code, ENDED));
    assert_eq!(scenario.count("state = 'running'"), 0, "all claims are given back");
    assert_eq!(scenario.count("state = 'pending' AND (attempts > 0 OR crashes > 0)"), 0, "no attempt is counted");
    finish_queue(&scenario);
    scenario.assert_no_attempt_counted();
}

#[test]
fn ctrl_c_gives_back_running_recordings() {
    signal_gives_back_claims(Scenario::sqlite(RECORDINGS), "INT", &[], 130);
    let Some(scenario) = Scenario::postgres(RECORDINGS) else { return };
    signal_gives_back_claims(scenario, "INT", &[], 130);
}

#[test]
fn sigterm_gives_back_running_recordings() {
    signal_gives_back_claims(Scenario::sqlite(RECORDINGS), "TERM", &[], 130);
    let Some(scenario) = Scenario::postgres(RECORDINGS) else { return };
    signal_gives_back_claims(scenario, "TERM", &["--watch"], 0);
}

/// After a second signal, too, claims are given back. They must not count as crashes, three of which quarantine a recording.
#[test]
fn a_second_signal_ends_a_run_at_once() {
    let second_signal_ends = |scenario: Scenario, lease: &str| {
        add_long_recordings(&scenario);
        scenario.add(RECORDINGS, Duration::ZERO);
        let mut fetch = start(&scenario, &["--lease", lease, "--heartbeat", "1s"]);
        fetch.signal("INT");
        wait(Duration::from_secs(1), "it has handled the first", || fetch.log_count("stopping: ") > 0);
        fetch.signal("INT");
        println!("the second signal took {:?}", fetch.ends(130, ENDED_AT_ONCE));
        assert_eq!(scenario.count("state = 'running'"), 0, "all claims are given back");
        assert_eq!(scenario.count("crashes > 0 OR attempts > 0 AND state = 'pending'"), 0, "no attempt is counted");
        finish_queue(&scenario);
    };
    second_signal_ends(Scenario::sqlite(RECORDINGS), "90s");
    let Some(scenario) = Scenario::postgres(RECORDINGS) else { return };
    second_signal_ends(scenario, "3s");
}

/// A run does not wait for a compute thread that hangs, for example because its disk does not answer.
#[cfg(feature = "fault-injection")]
#[test]
fn recordings_that_hang_are_given_back_too() {
    let scenario = Scenario::sqlite(RECORDINGS);
    scenario.add(RECORDINGS, Duration::ZERO);
    let mut fetch = scenario.fetch_as("log", &["--workers", "2"], |command| {
        command.env("PREPARE_AUDIO_FAULT_HANG", "000");
    });
    wait(TIMEOUT, "two recordings are running", || scenario.count("state = 'running'") == 2);
    sleep(Duration::from_secs(1));
    fetch.signal("INT");
    println!("with hanging threads: ended after {:?}", fetch.ends(130, ENDED));
    assert_eq!(scenario.count("state = 'running'"), 0, "all claims are given back");
    scenario.fetch("again", &[]).ends(0, TIMEOUT);
    scenario.assert_complete();
    scenario.assert_no_attempt_counted();
}
