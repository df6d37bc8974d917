//! Whether the file that a connection has open is still the one of that name.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A name in the file system, and the file that has it.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    file: Option<(u64, u64)>,
    /// Since when that file was seen there.
    since: Instant,
}

impl Place {
    /// What lies at `path` now.
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), file: identity(path), since: Instant::now() }
    }

    /// Whether a connection of this age has the file open that lies there now.
    pub fn holds(&mut self, age: Duration) -> bool {
        let file = identity(&self.path);
        if file != self.file {
            (self.file, self.since) = (file, Instant::now());
        }
        file.is_some() && age <= self.since.elapsed()
    }
}

/// Device and number of the file. Nothing where it is gone.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Whether it is there, which is all that can be told.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|_| (0, 0))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn connections_to_a_file_that_was_replaced_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        fs::write(&path, "first").unwrap();
        let mut place = Place::of(&path);
        assert!(place.holds(Duration::ZERO));
        fs::rename(&path, folder.path().join("elsewhere.db")).unwrap();
        assert!(!place.holds(Duration::ZERO), "gone");
        fs::write(&path, "second").unwrap();
        assert!(!place.holds(Duration::from_secs(60)), "opened before");
        std::thread::sleep(Duration::from_millis(2));
        assert!(place.holds(Duration::ZERO), "opened after");
    }
}
