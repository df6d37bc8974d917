//! Disks that are full, read-only, or gone for a while.

use std::{fs, thread::sleep, time::Duration};

use super::{
    site::{Fetch, PATIENCE, Site, all_end, wait},
    system::{Disk, as_root},
};
use crate::support::desk::Desk;

/// How soon a run goes on when what was wrong is mended.
const SOON: Duration = Duration::from_secs(5);

/// How soon Ctrl-C ends a run.
const RELEASED: Duration = Duration::from_secs(2);

const RECORDINGS: usize = 60;

const OPTIONS: [&str; 6] = ["--workers", "2", "--lease", "9s", "--heartbeat", "1s"];

/// What can be wrong with a disk.
struct Trouble<'a> {
    begin: &'a dyn Fn(),
    mend: &'a dyn Fn(),
    /// What a run says of it.
    words: &'a [&'a str],
    /// Whether one that is started meanwhile meets it too.
    meets_newcomers: bool,
}

/// Two processes meet trouble and go on after it; a third is ended while it waits.
#[track_caller]
fn passes(site: &Site, trouble: &Trouble<'_>) {
    site.add(RECORDINGS, Duration::from_millis(80));
    let mut fleet = [site.fetch("log 0", &OPTIONS), site.fetch("log 1", &OPTIONS)];
    site.wait_for_done(3, PATIENCE);
    (trouble.begin)();
    let told = wait(2 * SOON, "one says why it pauses", || fleet.iter().any(|f| f.said("paused: ") > 0));
    let third = trouble.meets_newcomers.then(|| site.fetch("log 2", &OPTIONS));
    sleep(Duration::from_secs(2));
    let ended = third.map(|mut third| {
        third.signal("INT");
        third.ends(130, RELEASED)
    });
    fleet.iter_mut().for_each(Fetch::is_running);
    let log: String = fleet.iter().map(Fetch::log).collect();
    assert!(trouble.words.iter().all(|words| log.contains(words)), "{:?}: {log}", trouble.words);
    let done = site.done();
    assert!(done < RECORDINGS as i64, "the trouble came too late to show anything");
    (trouble.mend)();
    let resumed = site.wait_for_done(done + 1, SOON);
    println!("{:?}: told after {told:?}, Ctrl-C took {ended:?}, going on {resumed:?} after the end", trouble.words);
    all_end(&mut fleet, 0, PATIENCE);
    site.is_whole();
    site.cost_nothing();
}

/// A site whose output lies on a disk of its own.
fn on_a_disk() -> (Site, Disk) {
    let mut site = Site::sqlite(RECORDINGS);
    let disk = Disk::mount(site.desk.path("disk"), 32);
    site.output = disk.folder.join("segments");
    (site, disk)
}

#[test]
fn a_full_output_is_waited_for() {
    if !as_root("disks::a_full_output_is_waited_for", true) {
        return;
    }
    let (site, disk) = on_a_disk();
    let words = ["paused: ", "No space left"];
    passes(&site, &Trouble { begin: &|| disk.fill(), mend: &|| disk.free(), words: &words, meets_newcomers: true });
}

#[test]
fn a_read_only_output_is_waited_for() {
    if !as_root("disks::a_read_only_output_is_waited_for", true) {
        return;
    }
    let (site, disk) = on_a_disk();
    let words = ["paused: ", "Read-only file system"];
    passes(
        &site,
        &Trouble { begin: &|| disk.remount("ro"), mend: &|| disk.remount("rw"), words: &words, meets_newcomers: true },
    );
}

#[test]
fn an_output_that_is_gone_is_waited_for() {
    let site = Site::sqlite(RECORDINGS);
    let (there, away) = (site.output.clone(), site.desk.path("away"));
    let words = ["paused: ", "segments is gone"];
    let begin = || fs::rename(&there, &away).unwrap();
    let mend = || fs::rename(&away, &there).unwrap();
    // One that is started now would begin with a new folder.
    passes(&site, &Trouble { begin: &begin, mend: &mend, words: &words, meets_newcomers: false });
}

#[test]
fn a_full_disk_below_the_database_is_waited_for() {
    if !as_root("disks::a_full_disk_below_the_database_is_waited_for", true) {
        return;
    }
    let desk = Desk::new();
    let disk = Disk::mount(desk.path("disk"), 16);
    let address = format!("sqlite://{}", disk.folder.join("queue.db").display());
    let site = Site::at(desk, address, RECORDINGS);
    let words = ["paused: ", "has no space left"];
    passes(&site, &Trouble { begin: &|| disk.fill(), mend: &|| disk.free(), words: &words, meets_newcomers: true });
    drop(disk);
}
