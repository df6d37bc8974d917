//! Removes files that no row refers to, beside runs that go on.
//!
//! The order of the steps makes it safe: list the files ([`Sweep::list`]); query which recordings are running; read
//! what rows refer to ([`Sweep::keep`]); query again which are running before each folder is cleared ([`Sweep::clear`]).
//! A listed file was published before the listing ended. So either its row was there to be read, or its recording was
//! running at the first query. A file that is published after the listing is not the one that was listed.

use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, DirEntry, Metadata},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    ASIDE, OutputFolder,
    file_identity::{Stamp, hashed, last_change, seen},
    names,
};

/// Stands for a file that is too young to be removed.
const YOUNG: u64 = 0;

/// Files in an output folder that no known row refers to.
#[derive(Debug)]
pub struct Sweep {
    root: PathBuf,
    limit: SystemTime,
    /// Hashes of names to hashes of the files as they were listed; 16 bytes for each file. If two names have the same hash, a
    /// file too many is kept.
    listed: HashMap<u64, u64>,
    /// Segment files that are old enough to be removed.
    segments: u64,
    /// Segment files that a row refers to.
    referenced: u64,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// How many of them are segments' files.
    pub segment_files: u64,
    /// How many are temporary.
    pub temporary_files: u64,
    /// Their total length.
    pub bytes: u64,
    /// Folders that were empty after that.
    pub folders: u64,
}

impl Sweep {
    /// Lists the output folder. Files that were written, linked or renamed within `older_than` are left alone.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn list(output: &OutputFolder, older_than: Duration) -> io::Result<Self> {
        let limit = SystemTime::now().checked_sub(older_than).unwrap_or(SystemTime::UNIX_EPOCH);
        let root = output.root().canonicalize()?;
        let mut sweep = Self { root, limit, listed: HashMap::new(), segments: 0, referenced: 0 };
        for folder in sweep.folders()? {
            let folder = folder?;
            for (name, file) in sweep.files(&folder)? {
                let stamp = if last_change(&file) <= limit { seen(&file) } else { YOUNG };
                sweep.listed.insert(sweep.key(&folder, &name), stamp);
                sweep.segments += u64::from(stamp != YOUNG && names::is_file(&name));
            }
        }
        Ok(sweep)
    }

    /// Takes a file that a row refers to off the list. Only the names of the file and of its folder are compared: machines
    /// may reach one output by different paths, and the names contain hashes of content and source.
    pub fn keep(&mut self, path: &str) {
        let mut parts = path.rsplit(['/', '\\']);
        let (Some(name), Some(folder)) = (parts.next(), parts.next()) else { return };
        self.referenced += u64::from(self.listed.remove(&hashed((folder, name))).is_some());
    }

    /// Segment files that a row refers to.
    pub fn referenced(&self) -> u64 {
        self.referenced
    }

    /// Files that no row refers to, but that are too young to be removed.
    pub fn young(&self) -> u64 {
        self.listed.values().filter(|&&stamp| stamp == YOUNG).count() as u64
    }

    /// Whether segments would be removed and no row refers to any file in the output: most likely it is another database's.
    pub fn is_foreign(&self) -> bool {
        self.segments > 0 && self.referenced == 0
    }

    /// The recordings' folders, and the output folder itself.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn folders(&self) -> io::Result<impl Iterator<Item = io::Result<PathBuf>> + use<>> {
        let is_ours = |entry: &DirEntry| {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir()); // a link is none
            is_folder && entry.file_name().to_str().is_some_and(names::is_folder)
        };
        let below = fs::read_dir(&self.root)?.filter_map(move |entry| match entry {
            Ok(entry) => is_ours(&entry).then(|| Ok(entry.path())),
            Err(error) => Some(Err(error)),
        });
        Ok(below.chain([Ok(self.root.clone())]))
    }

    /// What may be removed from `folder`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn look(&self, folder: &Path) -> io::Result<Swept> {
        let mut swept = Swept::default();
        for (name, file) in self.listed_in(folder)? {
            swept.add(folder.join(&name), &file);
        }
        let entries = entries(folder)?.len();
        let is_old = || fs::symlink_metadata(folder).is_ok_and(|folder| last_change(&folder) <= self.limit);
        let goes = folder != self.root && entries == swept.paths.len() && (entries > 0 || is_old());
        swept.folders = u64::from(goes);
        Ok(swept)
    }

    /// Removes it. The caller has just checked that the folder's recording is not running.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn clear(&self, folder: &Path) -> io::Result<Swept> {
        let mut swept = Swept::default();
        let planned = self.look(folder)?;
        for (name, file) in self.listed_in(folder)? {
            if remove(folder, &name, &file)? {
                swept.add(folder.join(&name), &file);
            }
        }
        // Fails if something was written into it meanwhile.
        swept.folders = u64::from(planned.folders > 0 && fs::remove_dir(folder).is_ok());
        Ok(swept)
    }

    /// Those files of a folder that were listed, have not changed since, and are old enough.
    fn listed_in(&self, folder: &Path) -> io::Result<Vec<(String, Metadata)>> {
        let mut files = self.files(folder)?;
        files.retain(|(name, file)| {
            self.listed.get(&self.key(folder, name)).is_some_and(|&listed| listed == seen(file))
        });
        Ok(files)
    }

    /// Our files in a folder: segments and temporary files in a recording's folder, temporary files in the output folder.
    fn files(&self, folder: &Path) -> io::Result<Vec<(String, Metadata)>> {
        let of_recording = folder != self.root;
        let mut files = Vec::new();
        for entry in entries(folder)? {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if names::is_temporary(&name) || of_recording && names::is_file(&name) {
                match entry.metadata() {
                    Ok(file) if file.is_file() => files.push((name, file)), // a link is none: it is not followed
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(files)
    }

    fn key(&self, folder: &Path, name: &str) -> u64 {
        let folder = if folder == self.root { None } else { folder.file_name().and_then(OsStr::to_str) };
        hashed((folder.unwrap_or_default(), name))
    }
}

impl Swept {
    fn add(&mut self, path: PathBuf, file: &Metadata) {
        let is_segment = path.file_name().and_then(OsStr::to_str).is_some_and(names::is_file);
        self.segment_files += u64::from(is_segment);
        self.temporary_files += u64::from(!is_segment);
        self.bytes += file.len();
        self.paths.push(path);
    }

    /// Keeps the counts only.
    pub fn forget_paths(&mut self) {
        self.paths.clear();
    }

    /// Adds the result of another folder.
    pub fn merge(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.segment_files += other.segment_files;
        self.temporary_files += other.temporary_files;
        self.bytes += other.bytes;
        self.folders += other.folders;
    }
}

/// The entries of a folder; none if it is gone.
fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

/// Removes a file that was listed as `file`. Returns `false` if another file has its name by now.
///
/// Checking and unlinking are two steps, and between them a worker may publish the segment anew under the same name. Its
/// row would then refer to a file that was unlinked here. So the file is first moved aside under a name that nobody else
/// uses, and checked there. If it is not the listed file, it is put back.
fn remove(folder: &Path, name: &str, file: &Metadata) -> io::Result<bool> {
    let path = folder.join(name);
    if let Some(old_name) = name.strip_prefix(ASIDE) {
        return put_back(folder, &path, old_name);
    }
    if names::is_temporary(name) {
        return gone(fs::remove_file(&path)); // its name is one claim's alone
    }
    let aside = folder.join(format!("{ASIDE}{}.{name}", uuid::Uuid::new_v4().simple()));
    if !gone(fs::rename(&path, &aside))? {
        return Ok(false);
    }
    match fs::symlink_metadata(&aside) {
        Ok(moved) if Stamp::of(&moved) == Stamp::of(file) => gone(fs::remove_file(&aside)),
        // If the worker has published it a second time, these are the same bytes: the name contains their hash.
        Ok(_) => gone(fs::rename(&aside, &path)).map(|_| false),
        Err(error) => gone(Err(error)), // another sweep put it back
    }
}

/// Finishes what an earlier sweep had begun when it was killed. A row may refer to the file that it moved aside, so the file
/// gets its name back if that is free; the next sweep decides about it.
fn put_back(folder: &Path, aside: &Path, old_name: &str) -> io::Result<bool> {
    let old_name = old_name.split_once('.').map(|(_, name)| name).filter(|name| names::is_file(name));
    match old_name.map(|name| folder.join(name)) {
        Some(path) if fs::symlink_metadata(&path).is_err() => fs::rename(aside, path).map(|()| false),
        _ => gone(fs::remove_file(aside)),
    }
}

/// Whether the file was there.
fn gone(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
