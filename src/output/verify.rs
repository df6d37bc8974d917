//! Compares a segment's file with its row.

use std::{fs, io, path::Path};

use prepare_audio_media::hash_file;

/// How a file differs from its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// There is no file.
    Missing,
    /// Something else has its name, such as a folder.
    NotAFile,
    /// It has another length, in bytes.
    Length {
        /// The expected length.
        expected: u64,
        /// The actual length.
        found: u64,
    },
    /// It has the expected length and other bytes. Their SHA-256, in hex.
    Content(String),
    /// It could not be read; the file system's error.
    Unreadable(String),
}

impl Difference {
    /// A stable name, for scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotAFile => "not_a_file",
            Self::Length { .. } => "length",
            Self::Content(_) => "content",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::NotAFile => f.write_str("not a file"),
            Self::Length { expected, found } => write!(f, "{found} bytes long instead of {expected}"),
            Self::Content(_) => f.write_str("its content is another"),
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

/// Compares a file with its expected length in bytes and its hash. Without a hash, only the length is compared.
pub fn verify(file: &Path, expected: u64, sha256: Option<&str>) -> Option<Difference> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Difference::Missing,
        _ => Difference::Unreadable(error.to_string()),
    };
    let found = match fs::metadata(file) {
        Err(error) => return Some(unreadable(error)),
        Ok(found) if !found.is_file() => return Some(Difference::NotAFile),
        Ok(found) => found.len(),
    };
    if found != expected {
        return Some(Difference::Length { expected, found });
    }
    let sha256 = sha256?;
    match hash_file(file) {
        Err(error) => Some(unreadable(error)),
        Ok(read) => (read.sha256 != sha256).then_some(Difference::Content(read.sha256)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found() {
        let desk = tempfile::tempdir().unwrap();
        let path = |name| desk.path().join(name);
        // 44 zero bytes and two samples; the hash is sha256sum's.
        fs::write(path("good"), [0; 48]).unwrap();
        let hash = "17b0761f87b081d5cf10757ccc89f12be355c70e2e29df288b65b30710dcbcd1";
        fs::write(path("other"), [1; 48]).unwrap();
        fs::write(path("short"), [0; 47]).unwrap();
        fs::create_dir(path("folder")).unwrap();
        for (name, quick, full) in [
            ("good", None, None),
            ("other", None, Some("content")),
            ("short", Some("length"), Some("length")),
            ("folder", Some("not_a_file"), Some("not_a_file")),
            ("gone", Some("missing"), Some("missing")),
            ("good/below", Some("missing"), Some("missing")),
        ] {
            let found = |sha256| verify(&path(name), 48, sha256).map(|difference| difference.name());
            assert_eq!((found(None), found(Some(hash))), (quick, full), "{name}");
        }
    }
}
