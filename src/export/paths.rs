//! Paths in manifests.

use std::path::{Component, Path, PathBuf};

/// The path with the current folder before it, if it is relative. No link is followed.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The way from `folder` to `path`, both absolute: `../segments/a.wav`.
pub(super) fn relative_to(path: &Path, folder: &Path) -> PathBuf {
    let (mut path_parts, mut folder_parts) = (path.components().peekable(), folder.components().peekable());
    if path_parts.peek() != folder_parts.peek() {
        return path.to_owned(); // another drive
    }
    while path_parts.peek().is_some() && path_parts.peek() == folder_parts.peek() {
        path_parts.next();
        folder_parts.next();
    }
    folder_parts.map(|_| Component::ParentDir).chain(path_parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_lead_from_the_folder_to_the_file() {
        for (path, folder, relative) in [
            ("/corpus/segments/a.wav", "/corpus", "segments/a.wav"),
            ("/corpus/segments/a.wav", "/corpus/lhotse/train", "../../segments/a.wav"),
            ("/a.wav", "/b/c", "../../a.wav"),
        ] {
            assert_eq!(relative_to(Path::new(path), Path::new(folder)), Path::new(relative));
        }
    }
}
