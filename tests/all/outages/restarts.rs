//! A database server that is stopped repeatedly, as by a power failure, or is started late.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    scenario::{Fetch, Scenario, TIMEOUT, all_end, wait},
    server::OwnServer,
};
use crate::support::test_dir::TestDir;

/// The interval at which recordings become available.
const EVERY: Duration = Duration::from_millis(250);

/// How long the server stays stopped.
const DOWNTIME: Duration = Duration::from_millis(800);

const LEASE_OPTIONS: [&str; 4] = ["--lease", "20s", "--heartbeat", "1s"];

#[test]
fn restarts_of_the_server_lose_and_count_nothing() {
    let is_long = std::env::var("PREPARE_AUDIO_FAULTS").is_ok_and(|form| form == "long");
    let (restarts, interval) = if is_long { (20, Duration::from_secs(5)) } else { (5, Duration::from_millis(2500)) };
    let Some(mut server) = OwnServer::new(None) else { return };
    server.start();
    server.create_database("queue");
    let each_time = (interval.as_millis() / EVERY.as_millis()) as usize;
    let recordings = 1 + (restarts + 1) * each_time;
    let scenario = Scenario::at(TestDir::new(), server.at_socket("queue"), recordings);
    // The first recording becomes available last, so that the run does not end early on a fast machine.
    scenario.add(1, Duration::ZERO);
    let last = scenario.change("UPDATE recording SET available_at = available_at + 3600000 RETURNING id")[0];
    scenario.add(each_time, EVERY);
    let options = [&["--workers", "1"][..], &LEASE_OPTIONS].concat();
    let mut fleet: Vec<Fetch> = (0..4).map(|n| scenario.fetch(&format!("log {n}"), &options)).collect();
    scenario.wait_for_done(3, TIMEOUT);
    let (mut startup, mut progress) = (Vec::new(), Vec::new());
    for _ in 0..restarts {
        server.stop_immediately();
        sleep(DOWNTIME);
        server.launch();
        startup.push(server.wait());
        let before = scenario.done();
        scenario.add(each_time, EVERY);
        sleep(interval);
        progress.push(scenario.done() - before);
        fleet.iter_mut().for_each(Fetch::assert_running);
    }
    scenario.change(&format!("UPDATE recording SET available_at = 0 WHERE id = {last} RETURNING id"));
    let ended = Instant::now();
    all_end(&mut fleet, 0, TIMEOUT);
    let paused: usize = fleet.iter().map(|fetch| fetch.log_count("paused: the database")).sum();
    println!(
        "{restarts} restarts, startup took {startup:?}: {paused} pauses, {progress:?} of {recordings} done between them"
    );
    println!("everything was done {:?} after the last", ended.elapsed());
    assert!(paused > 0, "the runs noticed the restarts");
    assert!(progress.iter().sum::<i64>() > 0, "recordings were done between the restarts");
    scenario.assert_complete();
    scenario.assert_no_attempt_counted();
}

#[test]
fn a_run_waits_for_a_server_that_starts_later() {
    let Some(mut server) = OwnServer::new(None) else { return };
    server.start();
    server.create_database("queue");
    let scenario = Scenario::at(TestDir::new(), server.at_socket("queue"), 3);
    scenario.add(3, Duration::ZERO);
    server.stop_immediately();
    let mut short_wait = scenario.fetch("short wait", &["--database-wait", "1s"]);
    short_wait.ends(4, Duration::from_secs(5));
    let mut default_wait = scenario.fetch("default wait", &[]);
    wait(Duration::from_secs(5), "it reports that it waits", || default_wait.log_count("Waiting for it") == 1);
    sleep(Duration::from_secs(3));
    default_wait.assert_running();
    server.start();
    let took = default_wait.ends(0, TIMEOUT);
    println!("done {took:?} after the server accepted connections");
    scenario.assert_complete();
    scenario.assert_no_attempt_counted();
}

/// Ctrl-C ends a run that waits for its database. It cannot give back its claims, so these end with their lease.
#[test]
fn a_run_without_its_server_can_be_interrupted() {
    let Some(mut server) = OwnServer::new(None) else { return };
    server.start();
    server.create_database("queue");
    let scenario = Scenario::at(TestDir::new(), server.at_socket("queue"), 60);
    scenario.add(60, Duration::from_millis(100));
    let options = [&["--workers", "2"][..], &["--lease", "3s", "--heartbeat", "1s"]].concat();
    let mut fetch = scenario.fetch("log", &options);
    scenario.wait_for_done(3, TIMEOUT);
    server.stop_immediately();
    wait(Duration::from_secs(10), "it pauses", || fetch.log_count("paused: the database") > 0);
    fetch.signal("INT");
    println!("without its server a run ended after {:?}", fetch.ends(130, Duration::from_secs(2)));
    server.start();
    scenario.fetch("again", &options).ends(0, TIMEOUT);
    scenario.assert_complete();
}
