//! Ctrl-C and SIGTERM, once and twice.

use std::{thread::sleep, time::Duration};

use super::site::{Fetch, PATIENCE, Site, wait};
/// How soon a run ends that is told to: everything is given back by then.
const RELEASED: Duration = Duration::from_secs(2);

/// How soon it ends that is told twice: in some 100 ms on a machine that does nothing else, and in any case long before
/// it would have ended for being told once, which takes a second.
const AT_ONCE: Duration = Duration::from_millis(700);

const RECORDINGS: usize = 40;

/// How many recordings are so long that they are caught in the middle.
const LONG: usize = 2;

/// Adds recordings that take long, and come first.
fn add_long_ones(site: &Site) {
    make(site, Some(60));
    for n in 0..LONG {
        let row = format!("('long {n}.wav', -1)");
        site.change(&format!("INSERT INTO recording (source, priority) VALUES {row} RETURNING id"));
    }
}

/// Makes their files: so many minutes long, or short.
fn make(site: &Site, minutes: Option<u64>) {
    for n in 0..LONG {
        let path = site.desk.copy("speech/pauses.wav", &format!("long {n}.wav"));
        if let Some(minutes) = minutes {
            lengthen(&path, minutes);
        }
    }
}

/// Another run does what is left, now that nothing takes long.
fn goes_on(site: &Site) {
    make(site, None);
    site.fetch("again", &[]).ends(0, PATIENCE);
    assert_eq!(site.done(), (RECORDINGS + LONG) as i64);
    site.is_whole();
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

fn start(site: &Site, more: &[&str]) -> Fetch {
    let fetch = site.fetch("log", &[&["--workers", "2"], more].concat());
    wait(PATIENCE, "it is at work", || site.count("state = 'running'") == 2);
    fetch
}

/// A run that is told to end gives back what it holds, and the next one does the rest.
fn is_released(site: Site, signal: &str, more: &[&str], code: i32) {
    add_long_ones(&site);
    site.add(RECORDINGS, Duration::ZERO);
    let mut fetch = start(&site, more);
    sleep(Duration::from_millis(300));
    fetch.signal(signal);
    println!("{signal} {more:?}: ended after {:?}", fetch.ends(code, RELEASED));
    assert_eq!(site.count("state = 'running'"), 0, "nothing is held any more");
    assert_eq!(site.count("state = 'pending' AND (attempts > 0 OR crashes > 0)"), 0, "no attempt is counted");
    goes_on(&site);
    site.cost_nothing();
}

#[test]
fn ctrl_c_gives_back_what_runs() {
    is_released(Site::sqlite(RECORDINGS), "INT", &[], 130);
    let Some(site) = Site::postgres(RECORDINGS) else { return };
    is_released(site, "INT", &[], 130);
}

#[test]
fn sigterm_gives_back_what_runs() {
    is_released(Site::sqlite(RECORDINGS), "TERM", &[], 130);
    let Some(site) = Site::postgres(RECORDINGS) else { return };
    is_released(site, "TERM", &["--watch"], 0);
}

/// Even in a hurry what is held is given back: a person's impatience is no crash, three of which set a recording aside.
#[test]
fn a_second_signal_ends_at_once() {
    let at_once = |site: Site, lease: &str| {
        add_long_ones(&site);
        site.add(RECORDINGS, Duration::ZERO);
        let mut fetch = start(&site, &["--lease", lease, "--heartbeat", "1s"]);
        fetch.signal("INT");
        wait(Duration::from_secs(1), "it has heard the first", || fetch.said("stopping: ") > 0);
        fetch.signal("INT");
        println!("the second signal took {:?}", fetch.ends(130, AT_ONCE));
        assert_eq!(site.count("state = 'running'"), 0, "nothing is held any more");
        assert_eq!(site.count("crashes > 0 OR attempts > 0 AND state = 'pending'"), 0, "and no attempt is counted");
        goes_on(&site);
    };
    at_once(Site::sqlite(RECORDINGS), "90s");
    let Some(site) = Site::postgres(RECORDINGS) else { return };
    at_once(site, "3s");
}

/// A thread that does not look up any more, as one that waits for a disk that hangs, is left to itself.
#[cfg(feature = "fault-injection")]
#[test]
fn what_hangs_is_given_back_as_well() {
    let site = Site::sqlite(RECORDINGS);
    site.add(RECORDINGS, Duration::ZERO);
    let mut fetch = site.fetch_as("log", &["--workers", "2"], |command| {
        command.env("PREPARE_AUDIO_FAULT_HANG", "000");
    });
    wait(PATIENCE, "it is at work", || site.count("state = 'running'") == 2);
    sleep(Duration::from_secs(1));
    fetch.signal("INT");
    println!("while it hung: ended after {:?}", fetch.ends(130, RELEASED));
    assert_eq!(site.count("state = 'running'"), 0, "nothing is held any more");
    site.fetch("again", &[]).ends(0, PATIENCE);
    site.is_whole();
    site.cost_nothing();
}
