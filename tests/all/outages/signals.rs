//! Ctrl-C and SIGTERM, once and twice.

use std::{thread::sleep, time::Duration};

use super::scenario::{Fetch, Scenario, TIMEOUT, wait};
/// How soon a run ends that is told to: everything is given back by then.
const RELEASED: Duration = Duration::from_secs(2);

/// How soon it ends that is told twice: in some 100 ms on a machine that does nothing else, and in any case long before
/// it would have ended for being told once, which takes a second.
const AT_ONCE: Duration = Duration::from_millis(700);

const RECORDINGS: usize = 40;

/// How many recordings are so long that they are caught in the middle.
const LONG: usize = 2;

/// Adds recordings that take long, and come first.
fn add_long_ones(scenario: &Scenario) {
    make(scenario, Some(60));
    for n in 0..LONG {
        let row = format!("('long {n}.wav', -1)");
        scenario.change(&format!("INSERT INTO recording (source, priority) VALUES {row} RETURNING id"));
    }
}

/// Makes their files: so many minutes long, or short.
fn make(scenario: &Scenario, minutes: Option<u64>) {
    for n in 0..LONG {
        let path = scenario.dir.copy("speech/pauses.wav", &format!("long {n}.wav"));
        if let Some(minutes) = minutes {
            lengthen(&path, minutes);
        }
    }
}

/// Another run does what is left, now that nothing takes long.
fn goes_on(scenario: &Scenario) {
    make(scenario, None);
    scenario.fetch("again", &[]).ends(0, TIMEOUT);
    assert_eq!(scenario.done(), (RECORDINGS + LONG) as i64);
    scenario.is_whole();
}

/// Makes a 16-bit WAV file of 16 kHz longer by silence.
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
    wait(TIMEOUT, "it is at work", || scenario.count("state = 'running'") == 2);
    fetch
}

/// A run that is told to end gives back what it holds, and the next one does the rest.
fn is_released(scenario: Scenario, signal: &str, more: &[&str], code: i32) {
    add_long_ones(&scenario);
    scenario.add(RECORDINGS, Duration::ZERO);
    let mut fetch = start(&scenario, more);
    sleep(Duration::from_millis(300));
    fetch.signal(signal);
    println!("{signal} {more:?}: ended after {:?}", fetch.ends(code, RELEASED));
    assert_eq!(scenario.count("state = 'running'"), 0, "nothing is held any more");
    assert_eq!(scenario.count("state = 'pending' AND (attempts > 0 OR crashes > 0)"), 0, "no attempt is counted");
    goes_on(&scenario);
    scenario.cost_nothing();
}

#[test]
fn ctrl_c_gives_back_what_runs() {
    is_released(Scenario::sqlite(RECORDINGS), "INT", &[], 130);
    let Some(scenario) = Scenario::postgres(RECORDINGS) else { return };
    is_released(scenario, "INT", &[], 130);
}

#[test]
fn sigterm_gives_back_what_runs() {
    is_released(Scenario::sqlite(RECORDINGS), "TERM", &[], 130);
    let Some(scenario) = Scenario::postgres(RECORDINGS) else { return };
    is_released(scenario, "TERM", &["--watch"], 0);
}

/// Even in a hurry what is held is given back: a person's impatience is no crash, three of which set a recording aside.
#[test]
fn a_second_signal_ends_at_once() {
    let at_once = |scenario: Scenario, lease: &str| {
        add_long_ones(&scenario);
        scenario.add(RECORDINGS, Duration::ZERO);
        let mut fetch = start(&scenario, &["--lease", lease, "--heartbeat", "1s"]);
        fetch.signal("INT");
        wait(Duration::from_secs(1), "it has heard the first", || fetch.log_count("stopping: ") > 0);
        fetch.signal("INT");
        println!("the second signal took {:?}", fetch.ends(130, AT_ONCE));
        assert_eq!(scenario.count("state = 'running'"), 0, "nothing is held any more");
        assert_eq!(scenario.count("crashes > 0 OR attempts > 0 AND state = 'pending'"), 0, "and no attempt is counted");
        goes_on(&scenario);
    };
    at_once(Scenario::sqlite(RECORDINGS), "90s");
    let Some(scenario) = Scenario::postgres(RECORDINGS) else { return };
    at_once(scenario, "3s");
}

/// A thread that does not look up any more, as one that waits for a disk that hangs, is left to itself.
#[cfg(feature = "fault-injection")]
#[test]
fn what_hangs_is_given_back_as_well() {
    let scenario = Scenario::sqlite(RECORDINGS);
    scenario.add(RECORDINGS, Duration::ZERO);
    let mut fetch = scenario.fetch_as("log", &["--workers", "2"], |command| {
        command.env("PREPARE_AUDIO_FAULT_HANG", "000");
    });
    wait(TIMEOUT, "it is at work", || scenario.count("state = 'running'") == 2);
    sleep(Duration::from_secs(1));
    fetch.signal("INT");
    println!("while it hung: ended after {:?}", fetch.ends(130, RELEASED));
    assert_eq!(scenario.count("state = 'running'"), 0, "nothing is held any more");
    scenario.fetch("again", &[]).ends(0, TIMEOUT);
    scenario.is_whole();
    scenario.cost_nothing();
}
