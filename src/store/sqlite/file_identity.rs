//! Whether the file that a connection has open is still the one at its path.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A path, and the file at it.
#[derive(Debug)]
pub struct FileIdentity {
    path: PathBuf,
    file: Option<(u64, u64)>,
    /// Since when that file has been observed there.
    since: Instant,
}

impl FileIdentity {
    /// The file at `path` now.
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), file: identity(path), since: Instant::now() }
    }

    /// Whether a connection of this age has the file open that is there now.
    pub fn is_open_in(&mut self, age: Duration) -> bool {
        let file = identity(&self.path);
        if file != self.file {
            (self.file, self.since) = (file, Instant::now());
        }
        file.is_some() && age <= self.since.elapsed()
    }
}

/// Device and inode number of the file; `None` if it is gone.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Whether it is there, which is all that can be found out.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|_| (0, 0))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn detects_connections_to_a_file_that_was_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        fs::write(&path, "first").unwrap();
        let mut file = FileIdentity::of(&path);
        assert!(file.is_open_in(Duration::ZERO));
        fs::rename(&path, folder.path().join("elsewhere.db")).unwrap();
        assert!(!file.is_open_in(Duration::ZERO), "gone");
        fs::write(&path, "second").unwrap();
        assert!(!file.is_open_in(Duration::from_secs(60)), "opened before");
        std::thread::sleep(Duration::from_millis(2));
        assert!(file.is_open_in(Duration::ZERO), "opened after");
    }
}
