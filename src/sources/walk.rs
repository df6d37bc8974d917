//! Folders searched through, and which of their files are taken for recordings.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use walkdir::{DirEntry, WalkDir};

/// Extensions of the files that a search takes. A file that a user names is taken whatever its extension is.
const EXTENSIONS: &[&str] = &[
    "3gp", "aac", "ac3", "aif", "aifc", "aiff", "alac", "amr", "avi", "caf", "dts", "eac3", "flac", "flv", "gsm",
    "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp1", "mp2", "mp3", "mp4", "mpeg", "mpg", "mts", "oga", "ogg", "ogv",
    "opus", "ra", "rf64", "sph", "spx", "ts", "w64", "wav", "wave", "weba", "webm", "wma", "wmv", "wv",
];

/// Further extensions that a search takes if the format of files without a header is known.
const RAW_EXTENSIONS: [&str; 5] = ["alaw", "pcm", "raw", "ulaw", "vox"];

/// Folders in which file servers keep data of their own: thumbnails and extended attributes under the names of the recordings.
const SERVER_FOLDERS: [&str; 2] = ["@eaDir", ".AppleDouble"];

/// Files that are sorted at once. A folder of millions of files is never held as a whole.
const SORTED_AT_ONCE: usize = 10_000;

/// Whether hidden folders are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    Skipped,
    Searched,
}

/// Whether a file's name ends as those of recordings do; with `takes_raw`, also as those of files without a header.
pub(super) fn is_audio_name(path: &Path, takes_raw: bool) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    EXTENSIONS.binary_search(&extension.as_str()).is_ok() || takes_raw && RAW_EXTENSIONS.contains(&extension.as_str())
}

/// Passes on all files below `folder`, except those below `without`, sorted in groups of [`SORTED_AT_ONCE`].
///
/// An entry that cannot be read is logged and skipped. A dangling link counts as a file, so that its row says what is
/// wrong.
pub(super) fn for_each_file<E>(
    folder: &Path,
    hidden: Hidden,
    without: impl Fn(&Path) -> bool,
    mut receive: impl FnMut(PathBuf) -> Result<(), E>,
) -> Result<(), E> {
    let walk = WalkDir::new(folder).follow_links(true).into_iter();
    let walk = walk.filter_entry(|entry| is_wanted(entry, hidden) && !without(entry.path()));
    let mut files = walk.filter_map(|entry| match entry {
        Ok(entry) => entry.file_type().is_file().then(|| entry.into_path()),
        Err(error) => {
            let dangling = error.path().filter(|path| error.loop_ancestor().is_none() && path.is_symlink());
            if dangling.is_none() {
                tracing::warn!("passed over: {error}");
            }
            dangling.map(Path::to_owned)
        }
    });
    loop {
        let mut group: Vec<PathBuf> = files.by_ref().take(SORTED_AT_ONCE).collect();
        if group.is_empty() {
            return Ok(());
        }
        group.sort();
        group.into_iter().try_for_each(&mut receive)?;
    }
}

/// Whether an entry belongs to the user's own files. The folder that was named always does.
fn is_wanted(entry: &DirEntry, hidden: Hidden) -> bool {
    let name = entry.file_name();
    if entry.depth() == 0 {
        return true;
    }
    let is_folder = entry.file_type().is_dir();
    let is_of_server = is_folder && SERVER_FOLDERS.iter().any(|folder| name == OsStr::new(folder));
    let is_hidden_folder = is_folder && hidden == Hidden::Skipped && starts_with(name, ".");
    // `._talk.wav` is the resource fork that macOS stores beside `talk.wav` on foreign file systems.
    !(is_of_server || is_hidden_folder || starts_with(name, "._"))
}

fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.as_encoded_bytes().starts_with(prefix.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, fs};

    use super::*;

    fn files(folder: &Path, hidden: Hidden) -> Vec<String> {
        let mut found = Vec::new();
        let receive = |path: PathBuf| {
            found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            Ok::<_, Infallible>(())
        };
        for_each_file(folder, hidden, |_| false, receive).unwrap();
        found
    }

    #[test]
    fn the_extensions_are_sorted() {
        assert!(EXTENSIONS.is_sorted(), "binary search needs it");
    }

    #[test]
    fn what_systems_store_beside_recordings_is_skipped() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(".recordings"); // a hidden folder that is named is searched
        for name in [
            "a.wav",
            "._a.wav",
            ".b.wav",
            ".AppleDouble/a.wav",
            "@eaDir/a.wav/SYNOINDEX_MEDIA_INFO",
            ".Trash/c.wav",
            "sub/@eaDir/d.wav",
            "sub/d.wav",
        ] {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        assert_eq!(files(&folder, Hidden::Skipped), [".b.wav", "a.wav", "sub/d.wav"]);
        assert_eq!(files(&folder, Hidden::Searched), [".Trash/c.wav", ".b.wav", "a.wav", "sub/d.wav"]);
    }
}
