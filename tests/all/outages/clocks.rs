//! Clocks that are an hour ahead, or are changed during a run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use super::{
    privileges::require_tool,
    scenario::{Fetch, Scenario, now_ms},
};

/// How often recordings are added in each half of the test. The clock is changed in the middle of each half.
const HALF: usize = 20;

/// Recordings that are added at a time: one for each process.
const AT_A_TIME: usize = 3;

/// How often more are added at the end: as many times as processes may have got none, one having got all.
const SPARE_ROUNDS: usize = 2;

/// All recordings.
const RECORDINGS: usize = AT_A_TIME * (2 * HALF + SPARE_ROUNDS);

/// The time limit of each half. It is much shorter than an hour, so waiting for a clock would fail the test.
const SOON: Duration = Duration::from_secs(30);

const OPTIONS: [&str; 7] = ["--watch", "--workers", "1", "--lease", "9s", "--heartbeat", "1s"];

/// The library of Debian's faketime, which changes the clock of the programs that load it.
fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = folders.chain([PathBuf::from("/usr/lib64")]).map(|folder| folder.join("faketime"));
    let library = folders.map(|folder| folder.join("libfaketimeMT.so.1")).find(|path| path.exists());
    require_tool("faketime", library.is_some(), "PREPARE_AUDIO_REQUIRE_FAKETIME").then_some(library).flatten()
}

/// Makes the process's wall clock differ by the offset that is in a file. Monotonic clocks are not changed, because no
/// machine's can be set.
fn fake(command: &mut Command, library: &Path, file: &Path) {
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", file).env("FAKETIME_NO_CACHE", "1");
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
}

fn set(file: &Path, ahead: &str) {
    let new = file.with_extension("new");
    fs::write(&new, ahead).unwrap();
    fs::rename(new, file).unwrap();
}

/// Three processes: one with the right clock, one whose clock is an hour ahead, and one whose clock is set ahead in the
/// first half and back in the second.
fn clocks_do_not_matter(scenario: &Scenario, library: &Path) -> [Fetch; 3] {
    let (ahead, stepping) = (scenario.dir.path("ahead"), scenario.dir.path("stepping"));
    set(&ahead, "+1h");
    set(&stepping, "+0");
    let mut fleet = [
        scenario.fetch("log right", &OPTIONS),
        scenario.fetch_as("log ahead", &OPTIONS, |command| fake(command, library, &ahead)),
        scenario.fetch_as("log stepping", &OPTIONS, |command| fake(command, library, &stepping)),
    ];
    let half = |step: &str| {
        for n in 0..HALF {
            scenario.add(AT_A_TIME, Duration::ZERO);
            sleep(Duration::from_millis(80));
            if n == HALF / 2 {
                set(&stepping, step);
            }
        }
    };
    half("+1h");
    let first = scenario.wait_for_done((AT_A_TIME * HALF) as i64, SOON);
    half("+0");
    let second = scenario.wait_for_done((2 * AT_A_TIME * HALF) as i64, SOON);
    println!("the last recording of each half was done {first:?} and {second:?} after it was added");
    // A process that claims ahead may have left nothing for another one. Those that have worked end, and the others get more.
    let mut is_running = [true; 3];
    for round in 1..=SPARE_ROUNDS {
        let is_idle = fleet.iter().any(|fetch| fetch.log_count(" done ") == 0);
        for (fetch, is_running) in fleet.iter_mut().zip(&mut is_running) {
            if is_idle && *is_running && fetch.log_count(" done ") > 0 {
                fetch.signal("TERM");
                fetch.ends(0, Duration::from_secs(3));
                *is_running = false;
            }
        }
        scenario.add(AT_A_TIME, Duration::ZERO);
        scenario.wait_for_done((AT_A_TIME * (2 * HALF + round)) as i64, SOON);
    }
    for (fetch, _) in fleet.iter_mut().zip(is_running).filter(|(_, is_running)| *is_running) {
        fetch.assert_running();
        fetch.signal("TERM");
        fetch.ends(0, Duration::from_secs(3));
    }
    for fetch in &fleet {
        assert!(fetch.log_count(" done ") > 0, "each process prepared recordings");
    }
    scenario.assert_complete();
    scenario.assert_no_attempt_counted();
    fleet
}

#[test]
fn clocks_do_not_matter_on_sqlite() {
    let Some(library) = faketime() else { return };
    let scenario = Scenario::sqlite(RECORDINGS);
    clocks_do_not_matter(&scenario, &library);
    // SQLite has no server: times in rows are those of the process that writes them.
    let ahead = scenario.count(&format!("finished_at > {}", now_ms() + 1_800_000));
    println!("{ahead} recordings were done an hour ahead");
    assert!(ahead > 0, "faketime changed the clocks");
}

#[test]
fn clocks_do_not_matter_on_postgres() {
    let Some(library) = faketime() else { return };
    let Some(scenario) = Scenario::postgres(RECORDINGS) else { return };
    let fleet = clocks_do_not_matter(&scenario, &library);
    assert_eq!(
        scenario.count(&format!("finished_at > {}", now_ms() + 60_000)),
        0,
        "the server's clock is the only one"
    );
    let stamp = |fetch: &Fetch| fetch.log().lines().last().unwrap_or_default()[..16].to_owned();
    assert_ne!(stamp(&fleet[0]), stamp(&fleet[1]), "faketime changed the clocks");
}
