//! Errors of writing, sorted: those of one recording, and those of the disk that all recordings share.

use std::{io, path::PathBuf};

/// What is wrong with the output. It travels within an [`io::Error`].
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The output folder was there, and is no more, or no longer on its file system.
    #[error("the output folder {} is gone (is its disk still mounted?)", .0.display())]
    Gone(PathBuf),
    /// Something else lies where a recording's folder belongs.
    #[error("{} is a link, or no folder: nothing is written through it. Remove it and try again", .0.display())]
    Unsafe(PathBuf),
    /// The file system is too full.
    #[error("{} has {free} bytes free, and {needed} are needed", .root.display())]
    NoRoom {
        /// The output folder.
        root: PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are needed.
        needed: u64,
    },
    /// What the file system said to a claim's files.
    #[error("{error}")]
    Writing {
        /// Its words.
        error: io::Error,
        /// Bytes that the claim's files had, or were about to get.
        needed: u64,
    },
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        let kind = match &trouble {
            Trouble::Gone(_) => io::ErrorKind::NotFound,
            Trouble::Unsafe(_) => io::ErrorKind::NotADirectory,
            Trouble::NoRoom { .. } => io::ErrorKind::StorageFull,
            Trouble::Writing { error, .. } => error.kind(),
        };
        Self::new(kind, trouble)
    }
}

/// Whether an error of writing is the disk's or the network's, so that any other recording would meet it too, and the
/// same recording will not when it is mended. A denied permission counts as such; where it is one recording's folder
/// alone that is denied, [`Output::probe`](super::Output::probe) succeeds at once.
pub fn is_worlds_fault(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    match trouble(error) {
        Some(Trouble::Gone(_) | Trouble::NoRoom { .. }) => return true,
        Some(Trouble::Unsafe(_)) => return false,
        Some(Trouble::Writing { error, .. }) => return is_worlds_fault(error),
        None => {}
    }
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
    ) || is_of_device(error)
}

/// Errors of a disk that fails or was pulled out, which have no kind of their own.
#[cfg(unix)]
fn is_of_device(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let of_device = [Errno::IO, Errno::NODEV, Errno::NXIO, Errno::SHUTDOWN, Errno::MFILE, Errno::NFILE];
    error.raw_os_error().is_some_and(|code| of_device.contains(&Errno::from_raw_os_error(code)))
}

/// Not ready, a general failure, an error of the device, a path of a network that is gone.
#[cfg(windows)]
fn is_of_device(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| [21, 31, 53, 64, 1117, 1167].contains(&code))
}

#[cfg(not(any(unix, windows)))]
fn is_of_device(_: &io::Error) -> bool {
    false
}

/// Whether it is a link, or another thing, in the place of a recording's folder.
pub fn is_unsafe(error: &io::Error) -> bool {
    matches!(trouble(error), Some(Trouble::Unsafe(_)))
}

/// How many bytes the claim needed when this error came, as far as it had got: what to ask
/// [`Output::probe`](super::Output::probe) for.
pub fn needed(error: &io::Error) -> u64 {
    match trouble(error) {
        Some(Trouble::Writing { needed, .. } | Trouble::NoRoom { needed, .. }) => *needed,
        _ => 0,
    }
}

/// Whether it is sorted already.
pub(super) fn is_told(error: &io::Error) -> bool {
    trouble(error).is_some()
}

fn trouble(error: &io::Error) -> Option<&Trouble> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use io::ErrorKind::*;

    use super::*;

    #[test]
    fn errors_are_sorted() {
        for (kind, of_world) in [
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
            let error = || io::Error::from(kind);
            let wrapped = io::Error::from(Trouble::Writing { error: error(), needed: 7 });
            assert_eq!(wrapped.kind(), kind);
            assert_eq!((is_worlds_fault(&error()), is_worlds_fault(&wrapped)), (of_world, of_world), "{kind}");
            assert_eq!((needed(&error()), needed(&wrapped)), (0, 7));
        }
        let (gone, link) = (io::Error::from(Trouble::Gone("x".into())), io::Error::from(Trouble::Unsafe("x".into())));
        assert!(is_worlds_fault(&gone) && !is_unsafe(&gone));
        assert!(is_unsafe(&link) && !is_worlds_fault(&link));
    }

    /// Numbers as Linux has them.
    #[cfg(target_os = "linux")]
    #[test]
    fn numbers_without_a_kind_are_sorted() {
        let of_world = |code| is_worlds_fault(&io::Error::from_raw_os_error(code));
        let [eio, enxio, enodev, enospc, erofs, estale, enotconn, edquot] = [5, 6, 19, 28, 30, 116, 107, 122];
        assert!([eio, enxio, enodev, enospc, erofs, estale, enotconn, edquot].into_iter().all(of_world));
        let [enoent, eexist, einval, enametoolong] = [2, 17, 22, 36];
        assert!(![enoent, eexist, einval, enametoolong].into_iter().any(of_world));
    }
}
