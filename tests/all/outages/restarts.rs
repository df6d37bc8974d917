//! A server that is stopped as if the power failed, again and again.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    scenario::{Fetch, Scenario, TIMEOUT, all_end, wait},
    server::OwnServer,
};
use crate::support::test_dir::TestDir;

/// How far apart the recordings become available.
const EVERY: Duration = Duration::from_millis(250);

/// How long the server is away at least.
const AWAY: Duration = Duration::from_millis(800);

const LEASE_OPTIONS: [&str; 4] = ["--lease", "20s", "--heartbeat", "1s"];

#[test]
fn restarts_of_the_server_cost_nothing_but_time() {
    let is_long = std::env::var("PREPARE_AUDIO_FAULTS").is_ok_and(|form| form == "long");
    let (restarts, apart) = if is_long { (20, Duration::from_secs(5)) } else { (5, Duration::from_millis(2500)) };
    let Some(mut server) = OwnServer::new(None) else { return };
    server.start();
    server.make("queue");
    let each_time = (apart.as_millis() / EVERY.as_millis()) as usize;
    let recordings = 1 + (restarts + 1) * each_time;
    let scenario = Scenario::at(TestDir::new(), server.at_socket("queue"), recordings);
    // The first comes last and keeps the run from its end, however fast the machine is.
    scenario.add(1, Duration::ZERO);
    let last = scenario.change("UPDATE recording SET available_at = available_at + 3600000 RETURNING id")[0];
    scenario.add(each_time, EVERY);
    let options = [&["--workers", "1"][..], &LEASE_OPTIONS].concat();
    let mut fleet: Vec<Fetch> = (0..4).map(|n| scenario.fetch(&format!("log {n}"), &options)).collect();
    scenario.wait_for_done(3, TIMEOUT);
    let (mut away, mut progress) = (Vec::new(), Vec::new());
    for _ in 0..restarts {
        server.stop_at_once();
        sleep(AWAY);
        server.launch();
        away.push(server.wait());
        let before = scenario.done();
        scenario.add(each_time, EVERY);
        sleep(apart);
        progress.push(scenario.done() - before);
        fleet.iter_mut().for_each(Fetch::is_running);
    }
    scenario.change(&format!("UPDATE recording SET available_at = 0 WHERE id = {last} RETURNING id"));
    let ended = Instant::now();
    all_end(&mut fleet, 0, TIMEOUT);
    let paused: usize = fleet.iter().map(|fetch| fetch.log_count("paused: the database")).sum();
    println!(
        "{restarts} restarts, each over after {away:?}: {paused} pauses, {progress:?} of {recordings} done between them"
    );
    println!("all was done {:?} after the last", ended.elapsed());
    assert!(paused > 0, "the restarts were noticed");
    assert!(progress.iter().sum::<i64>() > 0, "nothing was done between them");
    scenario.is_whole();
    scenario.cost_nothing();
}

#[test]
fn a_run_waits_for_a_server_that_comes_up() {
    let Some(mut server) = OwnServer::new(None) else { return };
    server.start();
    server.make("queue");
    let scenario = Scenario::at(TestDir::new(), server.at_socket("queue"), 3);
    scenario.add(3, Duration::ZERO);
    server.stop_at_once();
    let mut hasty = scenario.fetch("hasty", &["--database-wait", "1s"]);
    hasty.ends(4, Duration::from_secs(5));
    let mut patient = scenario.fetch("patient", &[]);
    wait(Duration::from_secs(5), "it says that it waits", || patient.log_count("Waiting for it") == 1);
    sleep(Duration::from_secs(3));
    patient.is_running();
    server.start();
    let took = patient.ends(0, TIMEOUT);
    println!("done {took:?} after the server took connections");
    scenario.is_whole();
    scenario.cost_nothing();
}

/// Ctrl-C ends a run that waits for its database. It cannot give back what it holds; that comes back by itself.
#[test]
fn a_run_without_its_server_can_be_ended() {
    let Some(mut server) = OwnServer::new(None) else { return };
    server.start();
    server.make("queue");
    let scenario = Scenario::at(TestDir::new(), server.at_socket("queue"), 60);
    scenario.add(60, Duration::from_millis(100));
    let options = [&["--workers", "2"][..], &["--lease", "3s", "--heartbeat", "1s"]].concat();
    let mut fetch = scenario.fetch("log", &options);
    scenario.wait_for_done(3, TIMEOUT);
    server.stop_at_once();
    wait(Duration::from_secs(10), "it pauses", || fetch.log_count("paused: the database") > 0);
    fetch.signal("INT");
    println!("without its server a run ended after {:?}", fetch.ends(130, Duration::from_secs(2)));
    server.start();
    scenario.fetch("again", &options).ends(0, TIMEOUT);
    scenario.is_whole();
}
