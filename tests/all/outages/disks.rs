//! Disks that are full, read-only or missing for a while.

use std::{fs, thread::sleep, time::Duration};

use super::{
    privileges::{Disk, as_root},
    scenario::{Fetch, Scenario, TIMEOUT, all_end, wait},
};
use crate::support::{inspect::Inspect, test_dir::TestDir};

/// How soon a run resumes after the fault is repaired.
const RESUMED: Duration = Duration::from_secs(5);

/// How soon Ctrl-C ends a run.
const ENDED: Duration = Duration::from_secs(2);

const RECORDINGS: usize = 60;

const OPTIONS: [&str; 6] = ["--workers", "2", "--lease", "9s", "--heartbeat", "1s"];

/// A fault of a disk.
struct DiskFault<'a> {
    begin: &'a dyn Fn(),
    repair: &'a dyn Fn(),
    /// Texts that the log has during the fault.
    words: &'a [&'a str],
    /// Whether the fault also pauses a process that is started during it.
    affects_new_processes: bool,
}

/// Two processes pause during the fault and resume after it. A third process is interrupted while it pauses.
#[track_caller]
fn runs_pause_and_resume(scenario: &Scenario, fault: &DiskFault<'_>) {
    scenario.add(RECORDINGS, Duration::from_millis(80));
    let mut fleet = [scenario.fetch("log 0", &OPTIONS), scenario.fetch("log 1", &OPTIONS)];
    scenario.wait_for_done(3, TIMEOUT);
    (fault.begin)();
    let paused = wait(2 * RESUMED, "a run pauses", || fleet.iter().any(|f| f.log_count("paused: ") > 0));
    let third = fault.affects_new_processes.then(|| scenario.fetch("log 2", &OPTIONS));
    sleep(Duration::from_secs(2));
    let ended = third.map(|mut third| {
        third.signal("INT");
        third.ends(130, ENDED)
    });
    fleet.iter_mut().for_each(Fetch::assert_running);
    let log: String = fleet.iter().map(Fetch::log).collect();
    assert!(fault.words.iter().all(|words| log.contains(words)), "{:?}: {log}", fault.words);
    let done = scenario.done();
    assert!(done < RECORDINGS as i64, "the fault began while recordings were left");
    (fault.repair)();
    let resumed = scenario.wait_for_done(done + 1, RESUMED);
    println!("{:?}: paused after {paused:?}, Ctrl-C took {ended:?}, resumed {resumed:?} after the repair", fault.words);
    all_end(&mut fleet, 0, TIMEOUT);
    scenario.assert_complete();
    scenario.assert_no_attempt_counted();
}

/// A scenario whose output folder is on a separate small disk.
fn on_a_disk() -> (Scenario, Disk) {
    let mut scenario = Scenario::sqlite(RECORDINGS);
    let disk = Disk::mount(scenario.dir.path("disk"), 32);
    scenario.output = disk.folder.join("segments");
    (scenario, disk)
}

#[test]
fn runs_wait_for_a_full_output_disk() {
    if !as_root("outages::disks::runs_wait_for_a_full_output_disk", true) {
        return;
    }
    let (scenario, disk) = on_a_disk();
    let words = ["paused: ", "No space left"];
    runs_pause_and_resume(
        &scenario,
        &DiskFault { begin: &|| disk.fill(), repair: &|| disk.free(), words: &words, affects_new_processes: true },
    );
}

#[test]
fn runs_wait_for_a_read_only_output_disk() {
    if !as_root("outages::disks::runs_wait_for_a_read_only_output_disk", true) {
        return;
    }
    let (scenario, disk) = on_a_disk();
    let words = ["paused: ", "Read-only file system"];
    runs_pause_and_resume(
        &scenario,
        &DiskFault {
            begin: &|| disk.remount("ro"),
            repair: &|| disk.remount("rw"),
            words: &words,
            affects_new_processes: true,
        },
    );
}

#[test]
fn runs_wait_for_a_missing_output_folder() {
    let scenario = Scenario::sqlite(RECORDINGS);
    let (folder, elsewhere) = (scenario.output.clone(), scenario.dir.path("elsewhere"));
    let words = ["paused: ", "segments is gone"];
    let begin = || fs::rename(&folder, &elsewhere).unwrap();
    let repair = || fs::rename(&elsewhere, &folder).unwrap();
    // A process that is started during the fault would create a new folder.
    let fault = DiskFault { begin: &begin, repair: &repair, words: &words, affects_new_processes: false };
    runs_pause_and_resume(&scenario, &fault);
}

#[test]
fn runs_wait_for_a_full_database_disk() {
    if !as_root("outages::disks::runs_wait_for_a_full_database_disk", true) {
        return;
    }
    let dir = TestDir::new();
    let disk = Disk::mount(dir.path("disk"), 16);
    let address = format!("sqlite://{}", disk.folder.join("queue.db").display());
    let scenario = Scenario::at(dir, address, RECORDINGS);
    let words = ["paused: ", "has no space left"];
    runs_pause_and_resume(
        &scenario,
        &DiskFault { begin: &|| disk.fill(), repair: &|| disk.free(), words: &words, affects_new_processes: true },
    );
    drop(disk);
}

#[test]
fn inspect_needs_no_right_to_write_except_for_notes() {
    if !as_root("outages::disks::inspect_needs_no_right_to_write_except_for_notes", true) {
        return;
    }
    let dir = TestDir::new();
    let disk = Disk::mount(dir.path("disk"), 20);
    dir.copy("speech/pauses.wav", "pauses.wav");
    let database = format!("sqlite://{}", disk.folder.join("queue.db").display());
    dir.run(&["fetch", "pauses.wav", "--quiet", "--database", &database]).exits(0);
    disk.remount("ro");
    let inspect = Inspect::start(&dir, &["--database", &database]);
    assert_eq!([inspect.get("/").status, inspect.get("/recording/1").status], [200, 200]);
    let segment = inspect.get("/recording/1/data").json()["segments"][0].clone();
    assert_eq!(inspect.get("/recording/1/cuts?threshold=0.6").status, 200);
    let said = serde_json::json!({ "start": segment["start"], "end": segment["end"], "tag": "bad", "note": null });
    let refused = inspect.post("/recording/1/segment/0/annotation", &said);
    assert_eq!(refused.status, 409);
    assert!(
        refused.text().contains("Tags and notes cannot be kept") && refused.text().contains("cannot be written"),
        "{}",
        refused.text()
    );
}
