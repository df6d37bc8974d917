//! Which process has the file locked for writing. SQLite says only "database is locked".
//!
//! A process that is stopped (Ctrl-Z, a debugger, a suspended container) in the middle of a write keeps all others from
//! writing. On Linux /proc/locks names it. Finding out by fcntl would mean to open and close the file beside SQLite, and
//! closing it would release the locks of this process.

use std::{fs, path::Path, process};

/// What keeps this process from writing to `database` (its address), as far as that can be found out, and what to do.
pub fn describe(database: &str) -> String {
    let path = database.strip_prefix("sqlite://").unwrap_or(database);
    match writer(Path::new(path)) {
        Some(writer) if writer.id == process::id() => {
            "an earlier write of this process is not done yet: its disk is slow, or hangs".to_owned()
        }
        Some(Writer { id, name, is_stopped: true }) => format!(
            "process {id} ({name}) was stopped in the middle of a write. `kill -CONT {id}` lets it go on; `kill -9 {id}` \
             ends it, and nothing is lost by that"
        ),
        Some(Writer { id, name, .. }) => {
            format!("process {id} ({name}) is in the middle of a write and does not come to its end")
        }
        None => "another process is in the middle of a write and does not come to its end, or was stopped in it".into(),
    }
}

/// The process that holds the lock.
#[derive(Debug, PartialEq, Eq)]
struct Writer {
    id: u32,
    name: String,
    is_stopped: bool,
}

/// The byte of `<database>-shm` that a writer locks: <https://www.sqlite.org/walformat.html#wal_locks>.
#[cfg(target_os = "linux")]
const WRITE_LOCK: u64 = 120;

#[cfg(target_os = "linux")]
fn writer(database: &Path) -> Option<Writer> {
    use std::os::unix::fs::MetadataExt;
    let mut shared = database.as_os_str().to_owned();
    shared.push("-shm");
    let file = fs::metadata(shared).ok()?;
    let file = format!("{:02x}:{:02x}:{}", rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()), file.ino());
    let id = holder(&fs::read_to_string("/proc/locks").ok()?, &file)?;
    let (name, is_stopped) = state(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)?;
    Some(Writer { id, name, is_stopped })
}

/// Not implemented on this system.
#[cfg(not(target_os = "linux"))]
fn writer(_: &Path) -> Option<Writer> {
    None
}

/// The process that holds the lock of writers on `file` according to the text of /proc/locks, whose lines are
/// `1: POSIX  ADVISORY  WRITE 4711 08:01:131 120 120`.
#[cfg(target_os = "linux")]
fn holder(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "POSIX", _, "WRITE", id, of, first, last] = words[..] else { return None };
        let last = if last == "EOF" { u64::MAX } else { last.parse().ok()? };
        let holds = of == file && (first.parse::<u64>().ok()?..=last).contains(&WRITE_LOCK);
        holds.then(|| id.parse().ok()).flatten()
    })
}

/// Name of a process, and whether it is stopped, from the text of its /proc/PID/stat: `4711 (a name) T 1 ...`.
#[cfg(target_os = "linux")]
fn state(stat: &str) -> Option<(String, bool)> {
    let (before, after) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    Some((name.to_owned(), matches!(after.trim_start().chars().next(), Some('T' | 't'))))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_writer_is_found_among_all_locks() {
        let locks = "\
1: POSIX  ADVISORY  READ  11 08:01:131 123 123
2: POSIX  ADVISORY  WRITE 12 08:01:132 120 120
3: -> POSIX  ADVISORY  WRITE 13 08:01:131 120 120
4: FLOCK  ADVISORY  WRITE 14 08:01:131 0 EOF
5: POSIX  ADVISORY  WRITE 15 08:01:131 121 121
6: POSIX  ADVISORY  WRITE 16 08:01:131 120 122
";
        assert_eq!(holder(locks, "08:01:131"), Some(16));
        assert_eq!(holder(locks, "08:01:132"), Some(12));
        assert_eq!(holder("7: POSIX  ADVISORY  WRITE 17 08:01:131 0 EOF\n", "08:01:131"), Some(17));
        assert_eq!(holder(locks, "08:02:131"), None);
    }

    #[test]
    fn a_process_is_read_whatever_its_name_is() {
        assert_eq!(state("4711 (a) b) T 1 2"), Some(("a) b".to_owned(), true)));
        assert_eq!(state("4711 (sqlite3) S 1 2"), Some(("sqlite3".to_owned(), false)));
        assert_eq!(state(""), None);
    }
}
