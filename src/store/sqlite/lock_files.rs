//! The files beside the database: `<db>.lock`, and `<db>-workers/` with one locked file for each live worker.
//!
//! The operating system releases a lock when its process dies, however it dies, so a file that can be locked is a dead
//! worker's. That shows at once what a lease shows after a minute and a half. The file's content, its name and what it
//! was working on, is written by `work_record.rs`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::work_record::{self, SlotFile};
use crate::store::{Problem, Result, StoreError};

/// Held by the one process that migrates, registers a worker, or looks for dead workers.
pub struct SetupLock(#[expect(dead_code, reason = "held for its lock")] File);

impl SetupLock {
    /// Waits until no other process holds it.
    pub async fn acquire(name: &str, database: &Path) -> Result<Self> {
        let path = beside(database, ".lock");
        let locked = tokio::task::spawn_blocking(move || {
            let file = open(&path)?;
            let started = Instant::now();
            let mut logged = false;
            loop {
                match file.try_lock() {
                    Err(fs::TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
                    locked => return locked.map(|()| file).map_err(io::Error::from),
                }
                if !logged && started.elapsed() > WARN_AFTER {
                    tracing::warn!("waiting for another process, which holds {}", path.display());
                    logged = true;
                }
            }
        });
        match locked.await {
            Ok(Ok(file)) => Ok(Self(file)),
            Ok(Err(error)) => Err(StoreError::file(name, "its lock file cannot be used", &error)),
            Err(ended) => Err(StoreError::problem(Problem::Other, name, ended)),
        }
    }
}

/// How long to wait for the setup lock before that is logged.
const WARN_AFTER: Duration = Duration::from_secs(2);

/// The workers, by their locks.
#[derive(Default)]
pub struct WorkerLocks {
    /// Dead: their locks are taken over, and their files removed when this is dropped.
    pub dead: Vec<WorkerLock>,
    /// Names of those whose locks are held.
    pub alive: Vec<String>,
}

/// A worker's file, locked by this value and removed with it.
pub struct WorkerLock {
    worker: String,
    path: PathBuf,
    /// The recordings, as id and token, that a dead worker was working on; `None` if it did not record that.
    begun: Option<Vec<(i64, i64)>>,
    /// The locked file, shared with the record of this process's work.
    file: Arc<File>,
}

impl WorkerLock {
    /// Creates and locks the file of `worker`. The setup lock keeps others from taking it for dead before it is locked.
    pub fn create(_: &SetupLock, database: &Path, worker: &str) -> io::Result<Self> {
        let folder = beside(database, "-workers");
        fs::create_dir_all(&folder)?;
        let path = folder.join(file_name(worker));
        let mut file = open(&path)?;
        file.try_lock()?;
        file.set_len(0)?;
        file.write_all(worker.as_bytes())?;
        Ok(Self { worker: worker.to_owned(), path, begun: None, file: Arc::new(file) })
    }

    /// Records in the file what this process is working on.
    pub fn record(&self) -> Arc<SlotFile> {
        Arc::new(SlotFile::begin(Arc::clone(&self.file), &self.worker))
    }

    /// Checks all locks, and takes over those whose workers are dead.
    pub fn check_all(_: &SetupLock, database: &Path) -> io::Result<WorkerLocks> {
        let entries = match fs::read_dir(beside(database, "-workers")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(WorkerLocks::default()),
            entries => entries?,
        };
        let mut locks = WorkerLocks::default();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "lock") {
                Self::check(path, &mut locks)?;
            }
        }
        Ok(locks)
    }

    /// Checks one file, unless its worker has just removed it.
    fn check(path: PathBuf, locks: &mut WorkerLocks) -> io::Result<()> {
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let is_held = match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => true,
            locked => locked.map(|()| false)?,
        };
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let (worker, begun) = work_record::parse(&content);
        if is_held {
            locks.alive.push(worker);
        } else {
            locks.dead.push(Self { worker, path, begun, file: Arc::new(file) });
        }
        Ok(())
    }

    /// The recordings, as id and token, that the worker was working on when it died; `None` if that is not known.
    pub fn begun(&self) -> Option<&[(i64, i64)]> {
        self.begun.as_deref()
    }

    /// The worker's name.
    pub fn name(&self) -> &str {
        &self.worker
    }
}

impl Drop for WorkerLock {
    fn drop(&mut self) {
        // Removed while it is still locked, so that no other process can lock it before. A file that stays is found to
        // be a dead worker's by the next check.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a worker's lock file was not removed");
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// `<database><end>`.
fn beside(database: &Path, end: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// A worker's name as a file name: other characters become `%XX`, so that two names never share a file.
fn file_name(worker: &str) -> String {
    let mut name = String::with_capacity(worker.len() + 5);
    for byte in worker.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name + ".lock"
}
