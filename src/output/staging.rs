//! The files of one claim, from the first temporary one to the names that rows may speak of.

use std::{
    borrow::Cow,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{ASIDE, Output, TEMPORARY, Trouble, names};
use crate::audio::{self, Sample, Spec, Written};

/// How often the recording's folder is made again when `gc` or a worker that came late takes it away, empty as it is,
/// before the first file is in it.
const FOLDER_ATTEMPTS: usize = 10;

/// The files of one claim, temporary until they are published. Dropped before that, it removes them.
#[derive(Debug)]
pub struct Staging {
    output: Output,
    folder: PathBuf,
    claim_id: String,
    files: Vec<(PathBuf, PathBuf)>,
    bytes: u64,
}

impl Staging {
    pub(super) fn begin(output: Output, folder: PathBuf, claim_id: &str) -> io::Result<Self> {
        let staging = Self { output, folder, claim_id: claim_id.to_owned(), files: Vec::new(), bytes: 0 };
        remove_temporary(&staging.folder, None).map_err(|error| staging.tell(error))?;
        Ok(staging)
    }

    /// Writes the next segment's frames, so many, under a temporary name; returns the file's number for
    /// [`name`](Self::name).
    ///
    /// # Errors
    /// What the file system says, or [`Trouble`]; [`io::ErrorKind::Unsupported`] where the format cannot hold them.
    pub fn write<'s, S: Sample>(
        &mut self,
        spec: &Spec,
        frames: u64,
        blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
    ) -> io::Result<(usize, Written)> {
        // Without compression, so that what is asked of the disk is enough.
        self.bytes += spec.bytes(frames);
        let file = self.create(|temporary| File::options().read(true).write(true).create_new(true).open(temporary))?;
        let written = audio::write_segment(file, spec, frames, blocks).map_err(|error| self.tell(error))?;
        Ok((self.files.len() - 1, written))
    }

    /// The output folder, where there is room for what is to become a segment.
    pub fn root(&self) -> &Path {
        self.output.root()
    }

    /// Takes over a segment's file from another folder under the next temporary name; returns its number for
    /// [`name`](Self::name) and its bytes, or nothing if the file is gone or its content is not the one with this hash.
    ///
    /// Both names then stand for one file where the file system can do that: nothing ever writes into a segment.
    ///
    /// # Errors
    /// What the file system says about the new file, or [`Trouble`].
    pub fn reuse(&mut self, file: &Path, sha256: &str) -> io::Result<Option<(usize, u64)>> {
        let Ok(old) = fs::symlink_metadata(file) else { return Ok(None) };
        if !old.is_file() || !audio::hash_file(file).is_ok_and(|found| found.sha256 == sha256) {
            return Ok(None);
        }
        self.bytes += old.len();
        self.create(|temporary| fs::hard_link(file, temporary).or_else(|_| copy(file, temporary)))?;
        Ok(Some((self.files.len() - 1, old.len())))
    }

    /// Bytes of the claim's files so far; those that are taken over count as if they were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The recording's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the next file by its temporary name.
    fn create<T>(&mut self, make: impl Fn(&Path) -> io::Result<T>) -> io::Result<T> {
        let index = self.files.len();
        let temporary = self.folder.join(names::temporary(&self.claim_id, index));
        if index == 0 {
            self.output.ready().map_err(|error| self.tell(error))?;
        }
        self.files.push((temporary.clone(), PathBuf::new()));
        let mut attempts = if index == 0 { FOLDER_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match self.enter(index == 0).and_then(|()| make(&temporary)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempts > 0 => {}
                made => return made.map_err(|error| self.tell(error)),
            }
        }
    }

    /// Makes sure of the recording's folder before something is written into it. The output folder itself is not made.
    fn enter(&self, may_make: bool) -> io::Result<()> {
        if !is_folder(&self.folder)? && may_make {
            match fs::create_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return is_folder(&self.folder).map(drop),
                made => return made,
            }
        }
        Ok(())
    }

    /// The final path of the file of this number: by its segment's position, its content and its format.
    pub fn name(&mut self, file: usize, position: usize, sha256: &str, ending: &str) -> PathBuf {
        let path = self.folder.join(names::file(position, sha256, ending));
        if let Some((_, last)) = self.files.get_mut(file) {
            last.clone_from(&path);
        }
        path
    }

    /// Syncs the files, gives them their names and syncs the folders. It waits for the disk: not on a thread that
    /// computes.
    ///
    /// # Errors
    /// What the file system says, or [`Trouble`]; the temporary files that are left are removed.
    pub fn publish(mut self) -> io::Result<()> {
        self.give_names().map_err(|error| self.tell(error))
    }

    fn give_names(&mut self) -> io::Result<()> {
        if self.files.is_empty() {
            return Ok(());
        }
        for (temporary, _) in &self.files {
            File::open(temporary)?.sync_all()?;
        }
        // Once more: somebody may have put a link there since the files were begun.
        is_folder(&self.folder)?;
        if self.files.iter().any(|(_, path)| path.as_os_str().is_empty()) {
            return Err(io::Error::other("a segment's file has no name"));
        }
        let mut named = 0;
        let outcome: io::Result<()> = self.files.iter().try_for_each(|(temporary, path)| {
            fs::rename(temporary, path)?;
            // Where both names stood for one file already, renaming leaves both.
            let _ = fs::remove_file(temporary);
            named += 1;
            Ok(())
        });
        self.files.drain(..named);
        outcome?;
        self.folder.ancestors().take(2).try_for_each(sync_folder)
    }

    /// An error with what it means for the whole output, and how much room the claim needs.
    fn tell(&self, error: io::Error) -> io::Error {
        match self.output.blame(error) {
            told if super::trouble::is_told(&told) => told,
            error => Trouble::Writing { error, needed: self.bytes }.into(),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.files.is_empty() || !is_folder(&self.folder).unwrap_or(false) {
            return;
        }
        for (temporary, _) in &self.files {
            let _ = fs::remove_file(temporary);
        }
        // Succeeds only where nothing else lies in it.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Whether a recording's folder is there.
///
/// # Errors
/// [`Trouble::Unsafe`] where it is a link or a file: what is written into it would lie elsewhere, and what is removed
/// there would be somebody else's.
fn is_folder(folder: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err(Trouble::Unsafe(folder.to_owned()).into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Copies into a file that must not be there: `fs::copy` would write through a link.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create_new(to)?);
    io::copy(&mut from, &mut to).map(drop)
}

/// A new name is only as safe as its folder.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Removes temporary files from a recording's folder: those of the claim `claim_id`, or all. The folder goes too when
/// it is empty then; that it is not there is fine.
///
/// # Errors
/// What the file system says; [`Trouble::Unsafe`] where it is no folder.
pub fn remove_temporary(folder: &Path, claim_id: Option<&str>) -> io::Result<()> {
    if !is_folder(folder)? {
        return Ok(());
    }
    let prefix = format!("{TEMPORARY}{}", claim_id.unwrap_or_default());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && !name.starts_with(ASIDE) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    let _ = fs::remove_dir(folder); // succeeds only where nothing lies in it
    Ok(())
}
