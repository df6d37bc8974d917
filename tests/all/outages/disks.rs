//! Disks that are full, read-only, or gone for a while.

use std::{fs, thread::sleep, time::Duration};

use super::{
    privileges::{Disk, as_root},
    scenario::{Fetch, Scenario, TIMEOUT, all_end, wait},
};
use crate::support::test_dir::TestDir;

/// How soon a run goes on when what was wrong is mended.
const SOON: Duration = Duration::from_secs(5);

/// How soon Ctrl-C ends a run.
const RELEASED: Duration = Duration::from_secs(2);

const RECORDINGS: usize = 60;

const OPTIONS: [&str; 6] = ["--workers", "2", "--lease", "9s", "--heartbeat", "1s"];

/// What can be wrong with a disk.
struct Trouble<'a> {
    begin: &'a dyn Fn(),
    repair: &'a dyn Fn(),
    /// What a run says of it.
    words: &'a [&'a str],
    /// Whether one that is started meanwhile meets it too.
    meets_newcomers: bool,
}

/// Two processes meet trouble and go on after it; a third is ended while it waits.
#[track_caller]
fn passes(scenario: &Scenario, trouble: &Trouble<'_>) {
    scenario.add(RECORDINGS, Duration::from_millis(80));
    let mut fleet = [scenario.fetch("log 0", &OPTIONS), scenario.fetch("log 1", &OPTIONS)];
    scenario.wait_for_done(3, TIMEOUT);
    (trouble.begin)();
    let told = wait(2 * SOON, "one says why it pauses", || fleet.iter().any(|f| f.log_count("paused: ") > 0));
    let third = trouble.meets_newcomers.then(|| scenario.fetch("log 2", &OPTIONS));
    sleep(Duration::from_secs(2));
    let ended = third.map(|mut third| {
        third.signal("INT");
        third.ends(130, RELEASED)
    });
    fleet.iter_mut().for_each(Fetch::is_running);
    let log: String = fleet.iter().map(Fetch::log).collect();
    assert!(trouble.words.iter().all(|words| log.contains(words)), "{:?}: {log}", trouble.words);
    let done = scenario.done();
    assert!(done < RECORDINGS as i64, "the trouble came too late to show anything");
    (trouble.repair)();
    let resumed = scenario.wait_for_done(done + 1, SOON);
    println!("{:?}: told after {told:?}, Ctrl-C took {ended:?}, going on {resumed:?} after the end", trouble.words);
    all_end(&mut fleet, 0, TIMEOUT);
    scenario.is_whole();
    scenario.cost_nothing();
}

/// A site whose output lies on a disk of its own.
fn on_a_disk() -> (Scenario, Disk) {
    let mut scenario = Scenario::sqlite(RECORDINGS);
    let disk = Disk::mount(scenario.dir.path("disk"), 32);
    scenario.output = disk.folder.join("segments");
    (scenario, disk)
}

#[test]
fn a_full_output_is_waited_for() {
    if !as_root("outages::disks::a_full_output_is_waited_for", true) {
        return;
    }
    let (scenario, disk) = on_a_disk();
    let words = ["paused: ", "No space left"];
    passes(
        &scenario,
        &Trouble { begin: &|| disk.fill(), repair: &|| disk.free(), words: &words, meets_newcomers: true },
    );
}

#[test]
fn a_read_only_output_is_waited_for() {
    if !as_root("outages::disks::a_read_only_output_is_waited_for", true) {
        return;
    }
    let (scenario, disk) = on_a_disk();
    let words = ["paused: ", "Read-only file system"];
    passes(
        &scenario,
        &Trouble {
            begin: &|| disk.remount("ro"),
            repair: &|| disk.remount("rw"),
            words: &words,
            meets_newcomers: true,
        },
    );
}

#[test]
fn an_output_that_is_gone_is_waited_for() {
    let scenario = Scenario::sqlite(RECORDINGS);
    let (there, away) = (scenario.output.clone(), scenario.dir.path("away"));
    let words = ["paused: ", "segments is gone"];
    let begin = || fs::rename(&there, &away).unwrap();
    let repair = || fs::rename(&away, &there).unwrap();
    // One that is started now would begin with a new folder.
    passes(&scenario, &Trouble { begin: &begin, repair: &repair, words: &words, meets_newcomers: false });
}

#[test]
fn a_full_disk_below_the_database_is_waited_for() {
    if !as_root("outages::disks::a_full_disk_below_the_database_is_waited_for", true) {
        return;
    }
    let dir = TestDir::new();
    let disk = Disk::mount(dir.path("disk"), 16);
    let address = format!("sqlite://{}", disk.folder.join("queue.db").display());
    let scenario = Scenario::at(dir, address, RECORDINGS);
    let words = ["paused: ", "has no space left"];
    passes(
        &scenario,
        &Trouble { begin: &|| disk.fill(), repair: &|| disk.free(), words: &words, meets_newcomers: true },
    );
    drop(disk);
}
