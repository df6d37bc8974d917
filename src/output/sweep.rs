//! Clearing away what no row speaks of, beside runs that go on.
//!
//! In this order, which is what makes it safe: list the files ([`Sweep::list`]); ask which recordings are running; read
//! what rows speak of ([`Sweep::keep`]); ask again which are running before each folder is cleared ([`Sweep::clear`]).
//! A file of the list was published before the listing ended, so its row either was there to be read, or its recording
//! was running when that was asked first; and what is published after the listing is not the file that was listed.

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

/// Stands for a file that is too young to go.
const YOUNG: u64 = 0;

/// Files in an output folder that nothing is known to speak of.
#[derive(Debug)]
pub struct Sweep {
    root: PathBuf,
    limit: SystemTime,
    /// Hashes of names to hashes of the files as they were seen; 16 bytes a file. Two names of one hash keep a file too
    /// many, at worst.
    listed: HashMap<u64, u64>,
    /// Segments' files that are old enough to go.
    segments: u64,
    /// Those that a row speaks of.
    referenced: u64,
}

/// What was cleared away, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// How many of them are segments' files.
    pub segment_files: u64,
    /// How many are temporary.
    pub temporary_files: u64,
    /// Their length together.
    pub bytes: u64,
    /// Folders that were empty then.
    pub folders: u64,
}

impl Sweep {
    /// Lists what lies in the output folder. What something was done to within `older_than` is left alone.
    ///
    /// # Errors
    /// What the file system says.
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

    /// Takes a file that a row speaks of off the list. The names of the file and of its folder count, wherever they lie:
    /// machines may reach one output by different paths, and the names bear hashes of content and source.
    pub fn keep(&mut self, path: &str) {
        let mut parts = path.rsplit(['/', '\\']);
        let (Some(name), Some(folder)) = (parts.next(), parts.next()) else { return };
        self.referenced += u64::from(self.listed.remove(&hashed((folder, name))).is_some());
    }

    /// Segments' files that a row speaks of.
    pub fn referenced(&self) -> u64 {
        self.referenced
    }

    /// Files that no row speaks of, but that are too young to go.
    pub fn young(&self) -> u64 {
        self.listed.values().filter(|&&stamp| stamp == YOUNG).count() as u64
    }

    /// Whether segments would go and not one in the whole output is known: most likely it is another database's.
    pub fn is_foreign(&self) -> bool {
        self.segments > 0 && self.referenced == 0
    }

    /// The recordings' folders, and the output folder itself.
    ///
    /// # Errors
    /// What the file system says.
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

    /// What may go from `folder`.
    ///
    /// # Errors
    /// What the file system says.
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

    /// Removes it. The folder's recording must have been asked for just now: it must not be running.
    ///
    /// # Errors
    /// What the file system says.
    pub fn clear(&self, folder: &Path) -> io::Result<Swept> {
        let mut swept = Swept::default();
        let planned = self.look(folder)?;
        for (name, file) in self.listed_in(folder)? {
            if remove(folder, &name, &file)? {
                swept.add(folder.join(&name), &file);
            }
        }
        // Fails where something has come into it meanwhile.
        swept.folders = u64::from(planned.folders > 0 && fs::remove_dir(folder).is_ok());
        Ok(swept)
    }

    /// Those files of a folder that still are as they were listed, and old.
    fn listed_in(&self, folder: &Path) -> io::Result<Vec<(String, Metadata)>> {
        let mut files = self.files(folder)?;
        files.retain(|(name, file)| {
            self.listed.get(&self.key(folder, name)).is_some_and(|&listed| listed == seen(file))
        });
        Ok(files)
    }

    /// Files of ours in a folder: in a recording's, segments and temporary ones; in the output folder, temporary ones.
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

    /// Keeps the counts alone.
    pub fn forget_paths(&mut self) {
        self.paths.clear();
    }

    /// Takes another folder's in.
    pub fn merge(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.segment_files += other.segment_files;
        self.temporary_files += other.temporary_files;
        self.bytes += other.bytes;
        self.folders += other.folders;
    }
}

/// What lies in a folder; nothing where it is gone.
fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.collect(),
    }
}

/// Removes a file that was listed as `file`; `false` where it is another by now.
///
/// Looking and unlinking are two steps, and between them a worker may publish the segment anew under the same name:
/// its row would then speak of a file that we unlinked. So the file is first moved aside under a name that nobody else
/// uses. Whatever has been moved stays what it is; when it is not what was listed, it is put back.
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
        // Should the worker have published it a second time, these are the same bytes: the name bears their hash.
        Ok(_) => gone(fs::rename(&aside, &path)).map(|_| false),
        Err(error) => gone(Err(error)), // another sweep put it back
    }
}

/// Ends what an earlier sweep was killed at. What it had moved aside may be what a row speaks of, so it gets its name
/// back where that is free; the next sweep will know.
fn put_back(folder: &Path, aside: &Path, old_name: &str) -> io::Result<bool> {
    let old_name = old_name.split_once('.').map(|(_, name)| name).filter(|name| names::is_file(name));
    match old_name.map(|name| folder.join(name)) {
        Some(path) if fs::symlink_metadata(&path).is_err() => fs::rename(aside, path).map(|()| false),
        _ => gone(fs::remove_file(aside)),
    }
}

/// Whether it was there to be done.
fn gone(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
