//! Distinguishes a file from another one that gets its name.

use std::{
    fs::Metadata,
    hash::{DefaultHasher, Hash, Hasher},
    time::SystemTime,
};

/// A file at some time. Renaming the file does not change this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64);

impl Stamp {
    pub fn of(file: &Metadata) -> Self {
        Self(hashed((number(file), file.modified().ok(), file.len())))
    }
}

/// A file at some time, and when it was last written, linked or renamed. Never 0.
pub(super) fn seen(file: &Metadata) -> u64 {
    hashed((Stamp::of(file).0, last_change(file))) | 1
}

/// When a file was last written, linked or renamed; the current time if the system does not provide that.
///
/// The later of the two times: a hard link from `resegment` has the age of the old file's content.
pub(super) fn last_change(file: &Metadata) -> SystemTime {
    let changed = changed(file);
    file.modified().map_or(changed, |modified| modified.max(changed))
}

/// A hash that is stable within this process only.
pub(super) fn hashed(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(unix)]
fn number(file: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}

#[cfg(not(unix))]
fn number(file: &Metadata) -> Option<SystemTime> {
    file.created().ok()
}

#[cfg(unix)]
fn changed(file: &Metadata) -> SystemTime {
    use std::{os::unix::fs::MetadataExt, time::Duration};
    let since = Duration::new(file.ctime().max(0) as u64, file.ctime_nsec().clamp(0, 999_999_999) as u32);
    SystemTime::UNIX_EPOCH + since
}

#[cfg(not(unix))]
fn changed(file: &Metadata) -> SystemTime {
    file.created().unwrap_or_else(|_| SystemTime::now())
}
