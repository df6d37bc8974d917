//! `fetch --watch`, which stays and takes what is added.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::scenario::{Scenario, TIMEOUT, wait};

/// How soon a recording of some seconds is done that somebody adds by plain SQL.
const SOON: Duration = Duration::from_millis(1500);

/// What is added while a run watches is done within about a second, whether another run comes and goes or not.
fn what_is_added_is_done_soon(scenario: &Scenario) {
    let mut watching = scenario.fetch("log", &["--watch", "--workers", "2"]);
    scenario.add(1, Duration::ZERO);
    scenario.wait_for_done(1, TIMEOUT);
    let mut took = Vec::new();
    for number in 2..=6 {
        sleep(Duration::from_millis(1300)); // it is idle, and sleeps as long as it ever does
        took.push(one_is_added(scenario, number));
    }
    took.sort();
    println!("done {took:?} after they were added, their preparation left out");
    // Not the slowest: other tests run beside this one, and a machine may be busy for a second.
    assert!(took[took.len() / 2] < SOON, "{took:?}\n{}", watching.log());
    let mut beside = scenario.fetch("beside", &[]);
    beside.ends(0, TIMEOUT);
    scenario.add(1, Duration::ZERO);
    scenario.wait_for_done(7, TIMEOUT);
    watching.is_running();
    watching.signal("INT");
    watching.ends(0, Duration::from_secs(2));
    scenario.is_whole();
    scenario.cost_nothing();
}

/// How long it takes until it is done, but for the preparing.
fn one_is_added(scenario: &Scenario, number: i64) -> Duration {
    let begun = Instant::now();
    scenario.add(1, Duration::ZERO);
    wait(TIMEOUT, "it is done", || scenario.done() == number);
    let all = begun.elapsed();
    let preparing = scenario.change("SELECT CAST(total_ms AS BIGINT) FROM recording ORDER BY id DESC LIMIT 1")[0];
    all.saturating_sub(Duration::from_millis(preparing as u64))
}

#[test]
fn what_is_added_is_done_soon_on_sqlite() {
    what_is_added_is_done_soon(&Scenario::sqlite(7));
}

#[test]
fn what_is_added_is_done_soon_on_postgres() {
    let Some(scenario) = Scenario::postgres(7) else { return };
    what_is_added_is_done_soon(&scenario);
}
