//! Where segment files go: the interface between the pipeline and an output folder, and the errors of writing.

use std::{
    borrow::Cow,
    io,
    path::{Path, PathBuf},
};

use prepare_audio_media::{EncodeError, Sample, SegmentSpec, WrittenFile};

/// A place that holds the segments of many recordings.
pub trait SegmentOutput: Send + Sync {
    /// The files of one claim until they are published.
    type Staging: StagedSegments;

    /// The folder of one recording under one recipe.
    fn folder(&self, source: &str, recipe: &str) -> PathBuf;

    /// Begins the files of a claim, and removes what a worker that died there left behind.
    ///
    /// # Errors
    /// [`WriteError`] where the recording's folder cannot be used.
    fn stage(&self, source: &str, recipe: &str, claim_id: &str) -> Result<Self::Staging, WriteError>;
}

/// The files of one claim. They are temporary until they are published; dropping the value removes them.
pub trait StagedSegments: Send {
    /// A folder on the same disk, for samples that do not fit into memory.
    fn scratch_folder(&self) -> &Path;

    /// Encodes `frames` frames, in blocks of interleaved samples, under the next temporary name. Returns the file's number
    /// for [`set_final_name`](Self::set_final_name).
    ///
    /// # Errors
    /// [`WriteError::Unsupported`] where the format cannot hold such samples; otherwise what the disk reports.
    fn write<'s, S: Sample>(
        &mut self,
        spec: &SegmentSpec,
        frames: u64,
        blocks: impl Iterator<Item = io::Result<Cow<'s, [S]>>>,
    ) -> Result<(usize, WrittenFile), WriteError>;

    /// Takes over an existing segment file under the next temporary name. Returns its number and its length in bytes, or
    /// `None` if the file is gone or its content does not have this SHA-256.
    ///
    /// # Errors
    /// What the disk reports about the new file.
    fn reuse(&mut self, file: &Path, sha256: &str) -> Result<Option<(usize, u64)>, WriteError>;

    /// Removes a file: it will not be published.
    fn discard(&mut self, file: usize);

    /// Sets the name that a file gets when it is published: made of its segment's position, its content's hash and its
    /// format. Returns the whole path.
    fn set_final_name(&mut self, file: usize, position: usize, sha256: &str, extension: &str) -> PathBuf;
}

/// Why segment files cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The segment format cannot hold the recording's channels, sample rate or length.
    #[error("{0}")]
    Unsupported(String),
    /// The output folder was there before, and is no longer, or is no longer on its file system.
    #[error("the output folder {} is gone (is its disk still mounted?)", .0.display())]
    Gone(PathBuf),
    /// A link or a file lies where a recording's folder belongs.
    #[error("{} is a link or not a folder: nothing is written through it. Remove it and try again", .0.display())]
    Unsafe(PathBuf),
    /// The file system has too little space left.
    #[error("{} has {free} bytes free, and {needed} are needed", .root.display())]
    NoSpace {
        /// The output folder.
        root: PathBuf,
        /// Free bytes.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// The file system reported an error.
    #[error("{error}")]
    Io {
        /// Its report.
        error: io::Error,
        /// Bytes that the claim's files had, or were about to have.
        needed: u64,
    },
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::Io { error, needed: 0 }
    }
}

impl From<EncodeError> for WriteError {
    fn from(error: EncodeError) -> Self {
        match error {
            EncodeError::Unsupported(reason) => Self::Unsupported(reason),
            EncodeError::Io(error) => error.into(),
        }
    }
}

impl WriteError {
    /// Adds how many bytes the claim's files need.
    pub fn with_needed(self, bytes: u64) -> Self {
        match self {
            Self::Io { error, .. } => Self::Io { error, needed: bytes },
            other => other,
        }
    }

    /// How many bytes the claim needed when the error came, as far as it had got.
    pub fn needed(&self) -> u64 {
        match self {
            Self::Io { needed, .. } | Self::NoSpace { needed, .. } => *needed,
            Self::Unsupported(_) | Self::Gone(_) | Self::Unsafe(_) => 0,
        }
    }

    /// Whether the disk or the network is at fault, so that every other recording would fail too and this one will succeed
    /// once that is repaired. A denied permission counts: if only one recording's folder is denied, a probe of the output
    /// folder succeeds at once.
    pub fn is_disk_fault(&self) -> bool {
        match self {
            Self::Gone(_) | Self::NoSpace { .. } => true,
            Self::Unsafe(_) | Self::Unsupported(_) => false,
            Self::Io { error, .. } => is_disk_fault(error),
        }
    }

    /// Whether the file system has no space, or the user's quota is used up.
    pub fn is_out_of_space(&self) -> bool {
        match self {
            Self::NoSpace { .. } => true,
            Self::Io { error, .. } => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Unsupported(_) | Self::Gone(_) | Self::Unsafe(_) => false,
        }
    }
}

fn is_disk_fault(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        StorageFull
            | QuotaExceeded
            | ReadOnlyFilesystem
            | PermissionDenied
            | StaleNetworkFileHandle
            | HostUnreachable
            | NetworkUnreachable
            | NetworkDown
            | NotConnected
            | TimedOut
    ) || is_device_error(error)
}

/// Errors of a disk that fails or was pulled out, which have no [`io::ErrorKind`].
#[cfg(unix)]
fn is_device_error(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let device_errors = [Errno::IO, Errno::NODEV, Errno::NXIO, Errno::SHUTDOWN, Errno::MFILE, Errno::NFILE];
    error.raw_os_error().is_some_and(|code| device_errors.contains(&Errno::from_raw_os_error(code)))
}

/// Not ready, a general failure, a device error, or a network path that is gone.
#[cfg(windows)]
fn is_device_error(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| [21, 31, 53, 64, 1117, 1167].contains(&code))
}

#[cfg(not(any(unix, windows)))]
fn is_device_error(_: &io::Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use io::ErrorKind::*;

    use super::*;

    #[test]
    fn tells_faults_of_the_disk_from_those_of_one_recording() {
        for (kind, of_disk) in [
            (StorageFull, true),
            (QuotaExceeded, true),
            (ReadOnlyFilesystem, true),
            (PermissionDenied, true),
            (StaleNetworkFileHandle, true),
            (TimedOut, true),
            (NotFound, false), // the root's is `Gone`
            (NotADirectory, false),
            (AlreadyExists, false),
            (InvalidFilename, false),
            (InvalidInput, false),
            (Other, false),
        ] {
            let error = WriteError::from(io::Error::from(kind)).with_needed(7);
            assert_eq!((error.is_disk_fault(), error.needed()), (of_disk, 7), "{kind}");
        }
        assert!(WriteError::Gone("x".into()).is_disk_fault());
        assert!(!WriteError::Unsafe("x".into()).is_disk_fault());
    }

    /// The numbers are Linux's.
    #[cfg(target_os = "linux")]
    #[test]
    fn recognises_device_errors_by_number() {
        let of_disk = |code| WriteError::from(io::Error::from_raw_os_error(code)).is_disk_fault();
        let [eio, enxio, enodev, enospc, erofs, estale, enotconn, edquot] = [5, 6, 19, 28, 30, 116, 107, 122];
        assert!([eio, enxio, enodev, enospc, erofs, estale, enotconn, edquot].into_iter().all(of_disk));
        let [enoent, eexist, einval, enametoolong] = [2, 17, 22, 36];
        assert!(![enoent, eexist, einval, enametoolong].into_iter().any(of_disk));
    }
}
