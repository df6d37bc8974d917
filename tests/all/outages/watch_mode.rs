//! `fetch --watch`, which keeps running and prepares recordings as they are added.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::scenario::{Scenario, TIMEOUT, wait};

/// How soon after it is added by plain SQL a recording is done, not counting its preparation.
const SOON: Duration = Duration::from_millis(1500);

/// Recordings that are added during a run are done within about a second, also while other runs start and end.
fn added_recordings_are_done_soon(scenario: &Scenario) {
    let mut watching = scenario.fetch("log", &["--watch", "--workers", "2"]);
    scenario.add(1, Duration::ZERO);
    scenario.wait_for_done(1, TIMEOUT);
    let mut took = Vec::new();
    for number in 2..=6 {
        sleep(Duration::from_millis(1300)); // by now the idle run polls at its longest interval
        took.push(time_until_done(scenario, number));
    }
    took.sort();
    println!("done {took:?} after they were added, without their preparation");
    // The median, because other tests run at the same time, and the machine may be busy for a second.
    assert!(took[took.len() / 2] < SOON, "{took:?}\n{}", watching.log());
    let mut beside = scenario.fetch("beside", &[]);
    beside.ends(0, TIMEOUT);
    scenario.add(1, Duration::ZERO);
    scenario.wait_for_done(7, TIMEOUT);
    watching.assert_running();
    watching.signal("INT");
    watching.ends(0, Duration::from_secs(2));
    scenario.assert_complete();
    scenario.assert_no_attempt_counted();
}

/// Adds a recording. Returns the time until `number` recordings are done, without the time of its preparation.
fn time_until_done(scenario: &Scenario, number: i64) -> Duration {
    let begun = Instant::now();
    scenario.add(1, Duration::ZERO);
    wait(TIMEOUT, "it is done", || scenario.done() == number);
    let all = begun.elapsed();
    let preparing = scenario.change("SELECT CAST(total_ms AS BIGINT) FROM recording ORDER BY id DESC LIMIT 1")[0];
    all.saturating_sub(Duration::from_millis(preparing as u64))
}

#[test]
fn added_recordings_are_done_soon_on_sqlite() {
    added_recordings_are_done_soon(&Scenario::sqlite(7));
}

#[test]
fn added_recordings_are_done_soon_on_postgres() {
    let Some(scenario) = Scenario::postgres(7) else { return };
    added_recordings_are_done_soon(&scenario);
}
