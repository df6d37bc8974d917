//! The output folder: where segment files lie, and how a file appears there whole or not at all.
//!
//! A file is written under a temporary name that contains the claim's id, synced, renamed, and its folder synced. Only
//! then may a row refer to it. Its final name contains the hash of its content, so a worker that is late can only write
//! the same bytes again.
//!
//! Nothing is written outside of the output folder. Names consist of letters, digits and `-_.` alone, and a link in the
//! place of a recording's folder is refused. Only the output folder itself may be a link.

mod file_identity;
mod free_space;
mod names;
mod owners;
mod staging;
mod sweep;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use prepare_audio_pipeline::{SegmentOutput, WriteError};

pub(crate) use self::names::{folder as recording_folder, readable_stem};
use self::{free_space::Mount, staging::sync_folder};
pub use self::{
    staging::{Staging, publish, remove_temporary},
    sweep::{Sweep, Swept},
    verify::{Difference, verify},
};

/// Prefix of temporary files. No segment's name begins with it.
const TEMPORARY: &str = ".tmp.";

/// Prefix of segments that a sweep has moved aside to examine them once more, followed by something random, a dot and the
/// old name. Only a sweep may remove them, because a row may refer to them.
const ASIDE: &str = ".tmp.gc.";

/// The folder below which all segments lie.
#[derive(Clone, Debug)]
pub struct OutputFolder {
    root: PathBuf,
    /// The mount that the folder was on when it was first used.
    mount: Arc<Mutex<Option<Mount>>>,
}

impl OutputFolder {
    /// An output folder at `root`. The folder is made by [`ready`](Self::ready), or when the first segment comes.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), mount: Arc::default() }
    }

    /// The folder's path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the output folder, once. From then on it must exist and stay on its file system. It is not made again,
    /// because a disk that was unmounted would come back as an empty folder on the disk beneath, and fill that disk.
    ///
    /// # Errors
    /// What the file system reports; [`WriteError::Gone`] where the folder existed and does so no longer.
    pub fn ready(&self) -> Result<(), WriteError> {
        let mut mount = self.mount.lock().unwrap_or_else(PoisonError::into_inner);
        match &*mount {
            Some(mount) => self.check(mount),
            None => {
                make(&self.root)?;
                *mount = Some(Mount::of(&self.root)?);
                Ok(())
            }
        }
    }

    /// Records that segments of this database lie here.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn add_owner(&self, database: &str) -> io::Result<()> {
        owners::add(&self.root, database)
    }

    /// How many databases other than this one have written segments here.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn other_owners(&self, database: &str) -> io::Result<usize> {
        Ok(owners::others(&self.root, database)?.0)
    }

    /// Checks whether segments can be written again after an error: the folder exists, is on its file system, has
    /// `needed` bytes free, and a small file can be written, synced and removed in it. Blocks on the disk.
    ///
    /// # Errors
    /// What is still wrong.
    pub fn probe(&self, needed: u64) -> Result<(), WriteError> {
        self.ready()?;
        free_space::require(&self.root, needed)?;
        Ok(free_space::write_test_file(&self.root)?)
    }

    /// Explains an error by the whole output being gone, if it is.
    fn explain(&self, error: WriteError) -> WriteError {
        if !matches!(error, WriteError::Io { .. }) {
            return error;
        }
        let mount = self.mount.lock().unwrap_or_else(PoisonError::into_inner);
        match mount.as_ref().map(|mount| self.check(mount)) {
            Some(Err(gone)) => gone,
            _ => error,
        }
    }

    fn check(&self, mount: &Mount) -> Result<(), WriteError> {
        match fs::metadata(&self.root) {
            Ok(found) if found.is_dir() && mount.is_mounted() => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Err(WriteError::Gone(self.root.clone())),
        }
    }
}

impl SegmentOutput for OutputFolder {
    type Staging = Staging;

    /// A readable name, and a hash so that no two folders collide.
    fn folder(&self, source: &str, recipe: &str) -> PathBuf {
        self.root.join(names::folder(source, recipe))
    }

    fn stage(&self, source: &str, recipe: &str, claim_id: &str) -> Result<Staging, WriteError> {
        Staging::begin(self.clone(), self.folder(source, recipe), claim_id)
    }
}

/// Length of a WAV file of 16-bit mono samples, in bytes. Rows of the first versions do not contain it.
pub fn wav_bytes(samples: u64) -> u64 {
    44 + 2 * samples
}

/// Makes a folder with its parents, and syncs the folders that got a new entry.
fn make(root: &Path) -> io::Result<()> {
    let new: Vec<&Path> = root.ancestors().take_while(|folder| !exists(folder)).collect();
    fs::create_dir_all(root)?;
    new.iter().filter_map(|folder| folder.parent()).try_for_each(sync_folder)
}

fn exists(folder: &Path) -> bool {
    folder.as_os_str().is_empty() || folder.exists()
}
