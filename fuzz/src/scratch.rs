//! A file in memory, for functions that read paths.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Overwrites this process' file for `target` with `bytes`.
pub fn file(target: &str, extension: &str, bytes: &[u8]) -> PathBuf {
    let folder = if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
    let path = folder.join(format!("prepare-audio-fuzz-{target}-{}.{extension}", std::process::id()));
    fs::write(&path, bytes).expect("there is room for a small file");
    path
}
