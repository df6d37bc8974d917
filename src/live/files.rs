//! The files of sessions.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use prepare_audio_live::{AudioFormat, WavSpool};

/// Keeps a folder to one server.
const LOCK: &str = ".lock";

/// Makes the folder and locks it for this process.
pub(super) fn lock_folder(folder: &Path) -> Result<File, TryLockError> {
    fs::create_dir_all(folder).map_err(TryLockError::Error)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK));
    let file = file.map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

/// The file of a session that is resumed. It was not created yet if the process died right after it had written the row.
pub(super) fn open(path: PathBuf, format: AudioFormat) -> io::Result<WavSpool> {
    match WavSpool::open(&path, format) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => WavSpool::create(path, format),
        opened => opened,
    }
}

/// Completes a file, and returns its length in samples. One without audio is removed.
pub(super) fn complete(mut spool: WavSpool) -> io::Result<u64> {
    let samples = spool.samples();
    if samples == 0 {
        fs::remove_file(spool.path())?;
    } else {
        spool.complete()?;
    }
    Ok(samples)
}
