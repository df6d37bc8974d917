//! The files of one claim, from the first temporary file to the final names that rows refer to.

use std::{
    borrow::Cow,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use prepare_audio_media::{self as media, Sample, SegmentSpec, WrittenFile};
use prepare_audio_pipeline::{StagedSegments, WriteError};

use super::{ASIDE, OutputFolder, TEMPORARY, names};

/// How often the recording's folder is made again when `gc` or a late worker removes it, empty as it is, before the first
/// file is in it. Many times: the two contend for one lock of the file system, which may hand it over in turns.
const FOLDER_ATTEMPTS: usize = 100;

/// The files of one claim. They are temporary until [`publish`]; dropping the value removes them.
#[derive(Debug)]
pub struct Staging {
    output: OutputFolder,
    folder: PathBuf,
    claim_id: String,
    /// Temporary path and final path of each file; `None` for one that was discarded.
    files: Vec<Option<(PathBuf, PathBuf)>>,
    bytes: u64,
    /// Whether files were taken over, which may be hard links.
    reuses: bool,
}

impl StagedSegments for Staging {
    fn scratch_folder(&self) -> &Path {
        self.output.root()
    }

    fn write<'s, S: Sample>(
        &mut self,
        spec: &SegmentSpec,
        frames: u64,
        blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
    ) -> Result<(usize, WrittenFile), WriteError> {
        // The uncompressed size, so that the disk has enough space in any case.
        self.bytes += spec.bytes(frames);
        let file = self.create(|temporary| File::options().read(true).write(true).create_new(true).open(temporary))?;
        let written = media::write_segment(file, spec, frames, blocks).map_err(|error| self.explain(error.into()))?;
        Ok((self.files.len() - 1, written))
    }

    /// Both names then belong to one file where the file system supports hard links. Nothing ever writes into a segment.
    fn reuse(&mut self, file: &Path, sha256: &str) -> Result<Option<(usize, u64)>, WriteError> {
        let Ok(old) = fs::symlink_metadata(file) else { return Ok(None) };
        if !old.is_file() || !media::hash_file(file).is_ok_and(|found| found.sha256 == sha256) {
            return Ok(None);
        }
        self.bytes += old.len();
        self.reuses = true;
        self.create(|temporary| fs::hard_link(file, temporary).or_else(|_| copy(file, temporary)))?;
        Ok(Some((self.files.len() - 1, old.len())))
    }

    fn set_final_name(&mut self, file: usize, position: usize, sha256: &str, extension: &str) -> PathBuf {
        let path = self.folder.join(names::file(position, sha256, extension));
        if let Some(Some((_, last))) = self.files.get_mut(file) {
            last.clone_from(&path);
        }
        path
    }

    fn discard(&mut self, file: usize) {
        if let Some((temporary, _)) = self.files.get_mut(file).and_then(Option::take) {
            // What stays is removed with other temporary files when the recording is prepared again, or by `gc`.
            let _ = fs::remove_file(temporary);
        }
    }
}

impl Staging {
    pub(super) fn begin(output: OutputFolder, folder: PathBuf, claim_id: &str) -> Result<Self, WriteError> {
        let staging =
            Self { output, folder, claim_id: claim_id.to_owned(), files: Vec::new(), bytes: 0, reuses: false };
        remove_temporary(&staging.folder, None).map_err(|error| staging.explain(error))?;
        Ok(staging)
    }

    /// Whether there is anything to publish.
    pub fn has_files(&self) -> bool {
        self.files.iter().any(Option::is_some)
    }

    /// Bytes of the claim's files so far. Files that are taken over count as if they were written.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The recording's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the next file under its temporary name.
    fn create<T>(&mut self, make: impl Fn(&Path) -> io::Result<T>) -> Result<T, WriteError> {
        let index = self.files.len();
        let temporary = self.folder.join(names::temporary(&self.claim_id, index));
        if index == 0 {
            self.output.ready().map_err(|error| self.explain(error))?;
        }
        self.files.push(Some((temporary.clone(), PathBuf::new())));
        let mut attempts = if index == 0 { FOLDER_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match self.prepare_folder(index == 0).and_then(|()| Ok(make(&temporary)?)) {
                Err(WriteError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound && attempts > 0 => {}
                made => return made.map_err(|error| self.explain(error)),
            }
        }
    }

    /// Checks the recording's folder before something is written into it, and makes it for the first file. The output
    /// folder itself is not made.
    fn prepare_folder(&self, may_make: bool) -> Result<(), WriteError> {
        if !is_folder(&self.folder)? && may_make {
            match fs::create_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return is_folder(&self.folder).map(drop),
                made => made?,
            }
        }
        Ok(())
    }

    /// Syncs the files, renames them to their final names and syncs the folders. Blocks on the disk: not to be called on a
    /// compute thread.
    ///
    /// # Errors
    /// What the file system reports. The temporary files that are left are removed.
    #[cfg(test)]
    pub fn publish(self) -> Result<(), WriteError> {
        publish(vec![self]).pop().unwrap_or(Ok(()))
    }

    /// Syncs the files.
    fn sync_files(&self) -> Result<(), WriteError> {
        Ok(self.files.iter().flatten().try_for_each(|(temporary, _)| File::open(temporary)?.sync_all())?)
    }

    /// Renames the files to their final names.
    fn rename_all(&mut self) -> Result<(), WriteError> {
        // Once more: a link may have been put there since the files were begun.
        is_folder(&self.folder)?;
        self.files.retain(Option::is_some);
        if self.files.iter().flatten().any(|(_, path)| path.as_os_str().is_empty()) {
            return Err(io::Error::other("a segment's file has no final name").into());
        }
        let mut renamed = 0;
        let outcome: io::Result<()> = self.files.iter().flatten().try_for_each(|(temporary, path)| {
            fs::rename(temporary, path)?;
            if self.reuses {
                // Where both names belonged to one file already, renaming keeps both.
                let _ = fs::remove_file(temporary);
            }
            renamed += 1;
            Ok(())
        });
        self.files.drain(..renamed);
        Ok(outcome?)
    }

    /// Adds to an error what it means for the whole output, and how much space the claim needs.
    fn explain(&self, error: WriteError) -> WriteError {
        self.output.explain(error).with_needed(self.bytes)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.files.is_empty() || !is_folder(&self.folder).unwrap_or(false) {
            return;
        }
        for (temporary, _) in self.files.iter().flatten() {
            let _ = fs::remove_file(temporary);
        }
        // Succeeds only where nothing else lies in it.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Whether a recording's folder is there.
///
/// # Errors
/// [`WriteError::Unsafe`] where it is a link or a file: files would be written, and removed, in another place.
fn is_folder(folder: &Path) -> Result<bool, WriteError> {
    match fs::symlink_metadata(folder) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err(WriteError::Unsafe(folder.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Copies into a file that must not exist: `fs::copy` would write through a link.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create_new(to)?);
    io::copy(&mut from, &mut to).map(drop)
}

/// Makes new names in a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Removes temporary files from a recording's folder: those of the claim `claim_id`, or all; and the folder, if it is empty
/// after that. A folder that is missing is no error.
///
/// # Errors
/// Those of the file system; [`WriteError::Unsafe`] where it is no folder.
pub fn remove_temporary(folder: &Path, claim_id: Option<&str>) -> Result<(), WriteError> {
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
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
    }
    let _ = fs::remove_dir(folder); // succeeds only where nothing lies in it
    Ok(())
}

/// One step of publishing a claim's files.
type Step = fn(&mut Staging) -> Result<(), WriteError>;

/// Publishes the files of several claims; returns the result of each, in the same order. All files are synced, then all are
/// renamed to their final names, then the folders are synced: after the first sync of each kind the file system has little
/// left to do. Blocks on the disk: not to be called on a compute thread.
///
/// The errors are what the file system reports. Temporary files of a claim that failed are removed.
pub fn publish(mut claims: Vec<Staging>) -> Vec<Result<(), WriteError>> {
    let mut outcomes: Vec<Result<(), WriteError>> = claims.iter().map(|_| Ok(())).collect();
    let writes: Vec<bool> = claims.iter().map(Staging::has_files).collect();
    let steps: [Step; 3] =
        [|staging| staging.sync_files(), |staging| staging.rename_all(), |staging| Ok(sync_folder(&staging.folder)?)];
    for step in steps {
        for ((staging, outcome), writes) in claims.iter_mut().zip(&mut outcomes).zip(&writes) {
            if *writes && outcome.is_ok() {
                *outcome = step(staging).map_err(|error| staging.explain(error));
            }
        }
    }
    // The output folder, in which the claims' folders may be new, is the same for most: it is synced once for all.
    let mut synced: Vec<(PathBuf, io::Result<()>)> = Vec::new();
    for ((staging, outcome), writes) in claims.iter().zip(&mut outcomes).zip(&writes) {
        let root = staging.folder.parent().unwrap_or(&staging.folder);
        if !*writes || outcome.is_err() {
            continue;
        }
        let known = synced.iter().position(|(folder, _)| folder == root);
        let known = known.unwrap_or_else(|| {
            synced.push((root.to_owned(), sync_folder(root)));
            synced.len() - 1
        });
        if let Err(error) = &synced[known].1 {
            *outcome = Err(staging.explain(copy_of(error).into()));
        }
    }
    outcomes
}

/// An error that concerns several claims.
fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
