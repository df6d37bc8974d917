//! The output's file system: whether it is still mounted, has free space, and can be written.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

#[cfg(not(unix))]
use self::elsewhere as system;
#[cfg(unix)]
use self::unix as system;
use prepare_audio_pipeline::WriteError;

use super::TEMPORARY;

/// Length of the test file in bytes: more than a file system stores beside a file's name.
const PROBE: usize = 64 << 10;

/// The mount point above a folder, if it is known and not the root.
#[derive(Debug)]
pub(super) struct Mount(Option<PathBuf>);

impl Mount {
    pub fn of(folder: &Path) -> io::Result<Self> {
        system::mount_point(folder).map(Self)
    }

    /// Whether something is mounted there. A file system that was mounted again may have another device number.
    pub fn is_mounted(&self) -> bool {
        self.0.as_ref().is_none_or(|point| system::is_mount_point(point).unwrap_or(false))
    }
}

/// # Errors
/// [`WriteError::NoSpace`] where fewer than `needed` bytes are free for this user.
pub(super) fn require(root: &Path, needed: u64) -> Result<(), WriteError> {
    match system::free(root)? {
        Some(free) if free < needed => Err(WriteError::NoSpace { root: root.to_owned(), free, needed }),
        _ => Ok(()),
    }
}

/// Writes, syncs and removes a file.
pub(super) fn write_test_file(root: &Path) -> io::Result<()> {
    let path = root.join(format!("{TEMPORARY}probe.{}", uuid::Uuid::new_v4().simple()));
    let mut file = File::create_new(&path)?;
    // Not zeros: a file system may store these as nothing.
    let written = file.write_all(&[0x5a; PROBE]).and_then(|()| file.sync_all());
    let removed = match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()), // `gc --older-than 0s` was faster
        removed => removed,
    };
    written.and(removed)
}

#[cfg(unix)]
mod unix {
    use std::{
        fs, io,
        os::unix::fs::MetadataExt,
        path::{Path, PathBuf},
    };

    /// This folder, or the nearest one above, that is on another device than its parent folder.
    pub fn mount_point(folder: &Path) -> io::Result<Option<PathBuf>> {
        for folder in folder.canonicalize()?.ancestors() {
            if is_mount_point(folder)? {
                return Ok(Some(folder.to_owned()));
            }
        }
        Ok(None)
    }

    pub fn is_mount_point(folder: &Path) -> io::Result<bool> {
        let Some(above) = folder.parent() else { return Ok(false) };
        Ok(fs::metadata(folder)?.dev() != fs::metadata(above)?.dev())
    }

    /// Bytes that a user without privileges may still write.
    pub fn free(folder: &Path) -> io::Result<Option<u64>> {
        let system = rustix::fs::statvfs(folder)?;
        Ok(Some(system.f_bavail.saturating_mul(system.f_frsize)))
    }
}

#[cfg(not(unix))]
mod elsewhere {
    use std::{
        io,
        path::{Path, PathBuf},
    };

    pub fn mount_point(_: &Path) -> io::Result<Option<PathBuf>> {
        Ok(None)
    }

    pub fn is_mount_point(_: &Path) -> io::Result<bool> {
        Ok(true)
    }

    pub fn free(_: &Path) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn mount_points_are_found() {
        assert_eq!(Mount::of(Path::new("/proc/self/fd")).unwrap().0, Some("/proc".into()));
        assert_eq!(Mount::of(Path::new("/")).unwrap().0, None);
        assert!(Mount(Some("/proc".into())).is_mounted() && Mount(None).is_mounted());
        assert!(!Mount(Some("/proc/self".into())).is_mounted() && !Mount(Some("/not/there".into())).is_mounted());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write_test_file(&folder.path().join("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
        write_test_file(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
