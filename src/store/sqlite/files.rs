//! The files beside the database: `<db>.lock`, and `<db>-workers/` with one locked file for each living worker.
//!
//! The operating system drops a lock when its process dies, however it dies, so a file that can be locked is a dead
//! worker's. That tells at once what a lease tells after a minute and a half.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{Problem, Result, StoreError};

/// Held by the one process that migrates, signs in, or looks for the dead.
pub struct Gate(#[expect(dead_code, reason = "its lock is what counts")] File);

impl Gate {
    /// Waits for its turn.
    pub async fn of(name: &str, database: &Path) -> Result<Self> {
        let path = beside(database, ".lock");
        let locked = tokio::task::spawn_blocking(move || {
            let file = open(&path)?;
            let asked = Instant::now();
            let mut told = false;
            loop {
                match file.try_lock() {
                    Err(fs::TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(5)),
                    locked => return locked.map(|()| file).map_err(io::Error::from),
                }
                if !told && asked.elapsed() > SILENCE {
                    tracing::warn!("waiting for another process, which holds {}", path.display());
                    told = true;
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

/// How long one waits for the gate without a word.
const SILENCE: Duration = Duration::from_secs(2);

/// What the signs say of the workers.
#[derive(Default)]
pub struct Signs {
    /// Dead: their signs are taken over, and taken down when this goes.
    pub dead: Vec<Sign>,
    /// Names of those whose signs are held.
    pub living: Vec<String>,
}

/// A worker's file, locked by this value and removed with it.
pub struct Sign {
    worker: String,
    path: PathBuf,
    _lock: File,
}

impl Sign {
    /// Puts up the sign of `worker`. The gate keeps others from taking it for dead before it is locked.
    pub fn set(_: &Gate, database: &Path, worker: &str) -> io::Result<Self> {
        let folder = beside(database, "-workers");
        fs::create_dir_all(&folder)?;
        let path = folder.join(file_name(worker));
        let mut file = open(&path)?;
        file.try_lock()?;
        file.set_len(0)?;
        file.write_all(worker.as_bytes())?;
        Ok(Self { worker: worker.to_owned(), path, _lock: file })
    }

    /// Looks at all signs, and takes over those whose workers are dead.
    pub fn all(_: &Gate, database: &Path) -> io::Result<Signs> {
        let entries = match fs::read_dir(beside(database, "-workers")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Signs::default()),
            entries => entries?,
        };
        let mut signs = Signs::default();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == "lock") {
                Self::look(path, &mut signs)?;
            }
        }
        Ok(signs)
    }

    /// Looks at one sign, unless its worker has just taken it down.
    fn look(path: PathBuf, signs: &mut Signs) -> io::Result<()> {
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let is_held = match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => true,
            locked => locked.map(|()| false)?,
        };
        let mut worker = String::new();
        file.read_to_string(&mut worker)?;
        if is_held {
            signs.living.push(worker);
        } else {
            signs.dead.push(Self { worker, path, _lock: file });
        }
        Ok(())
    }

    /// The worker's name.
    pub fn name(&self) -> &str {
        &self.worker
    }
}

impl Drop for Sign {
    fn drop(&mut self) {
        // Removed while it is still locked, so that nobody can lock what is about to go. A file that stays is found to
        // be dead by the next look around.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a worker's sign was not removed");
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

/// A worker's name as a file name: what is not plain becomes `%XX`, so that two names never share a file.
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
