//! Segment files: where they lie, and how they come to lie there whole or not at all.
//!
//! A file is written under a temporary name that bears the claim's id, synced, renamed, and its folder synced; only
//! then may a row speak of it. Its final name bears the hash of its content, so a worker that comes too late can at
//! most write the same bytes again.
//!
//! Nothing is written outside of the output folder: names are made of letters, digits and `-_.` alone, and a link that
//! somebody put where a recording's folder belongs is refused. Only the output folder itself may be one.

mod check;
mod names;
mod owners;
mod room;
mod staging;
mod stamp;
mod sweep;
#[cfg(test)]
mod tests;
mod trouble;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

pub use self::{
    check::{Difference, check},
    staging::{Staging, remove_temporary},
    sweep::{Sweep, Swept},
    trouble::{Trouble, is_unsafe, is_worlds_fault, needed},
};
use self::{room::Mount, staging::sync_folder};

/// Temporary files begin with this; whatever does is no segment.
const TEMPORARY: &str = ".tmp.";

/// Segments that a sweep has moved aside to look at them once more begin with this; something random, a dot and the old
/// name follow. Only a sweep may take them away: they may be what a row speaks of.
const ASIDE: &str = ".tmp.gc.";

/// The folder below which all segments lie.
#[derive(Clone, Debug)]
pub struct Output {
    root: PathBuf,
    /// What it was found on when it was made ready.
    found: Arc<Mutex<Option<Mount>>>,
}

impl Output {
    /// Segments are to lie below `root`, which is made by [`Output::ready`] or when the first one comes.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), found: Arc::default() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of one recording under one recipe: its name for people, a hash so that no two collide.
    pub fn folder(&self, source: &str, recipe: &str) -> PathBuf {
        self.root.join(names::folder(source, recipe))
    }

    /// Makes the output folder, once. From then on it must be there and stay on its file system: it is not made again,
    /// because a disk that was unmounted would come back as an empty folder on the disk beneath, and fill that.
    ///
    /// # Errors
    /// What the file system says; [`Trouble::Gone`] where it was there and is no more.
    pub fn ready(&self) -> io::Result<()> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match &*found {
            Some(mount) => self.check(mount),
            None => {
                make(&self.root)?;
                *found = Some(Mount::of(&self.root)?);
                Ok(())
            }
        }
    }

    /// Writes down that segments of this database lie here.
    ///
    /// # Errors
    /// What the file system says.
    pub fn belongs_to(&self, database: &str) -> io::Result<()> {
        owners::add(&self.root, database)
    }

    /// How many databases other than this one have written segments here.
    ///
    /// # Errors
    /// What the file system says.
    pub fn other_owners(&self, database: &str) -> io::Result<usize> {
        Ok(owners::others(&self.root, database)?.0)
    }

    /// Whether segments can be written again after trouble: the folder is there, on its file system, with `room` bytes
    /// free, and a small file can be written, synced and removed in it. It waits for the disk.
    ///
    /// # Errors
    /// What is wrong still.
    pub fn probe(&self, room: u64) -> io::Result<()> {
        self.ready()?;
        room::require(&self.root, room)?;
        room::try_to_write(&self.root)
    }

    /// Begins a claim's files and clears away what a worker that died there left behind.
    ///
    /// # Errors
    /// What the file system says; [`Trouble::Unsafe`] where a link lies in the place of the recording's folder.
    pub fn stage(&self, source: &str, recipe: &str, claim_id: &str) -> io::Result<Staging> {
        Staging::begin(self.clone(), self.folder(source, recipe), claim_id)
    }

    /// Says of an error whether it came about because the whole output is gone.
    fn blame(&self, error: io::Error) -> io::Error {
        if trouble::is_told(&error) {
            return error;
        }
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.as_ref().map(|mount| self.check(mount)) {
            Some(Err(gone)) => gone,
            _ => error,
        }
    }

    fn check(&self, mount: &Mount) -> io::Result<()> {
        let there = fs::metadata(&self.root);
        match there {
            Ok(there) if there.is_dir() && mount.stands() => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Err(Trouble::Gone(self.root.clone()).into()),
        }
    }
}

/// Length of a file of so many 16-bit mono samples in WAV, in bytes: rows of the first versions do not say it.
pub fn wav_bytes(samples: u64) -> u64 {
    44 + 2 * samples
}

/// Makes a folder with those above it, and syncs the folders that got a new name.
fn make(root: &Path) -> io::Result<()> {
    let new: Vec<&Path> = root.ancestors().take_while(|folder| !is_there(folder)).collect();
    fs::create_dir_all(root)?;
    new.iter().filter_map(|folder| folder.parent()).try_for_each(sync_folder)
}

fn is_there(folder: &Path) -> bool {
    folder.as_os_str().is_empty() || folder.exists()
}
