//! From what a user names (files, folders, patterns, lists, manifests) to the sources that go into the table.

mod list_row;
mod manifest;
mod query;

use std::{
    env, io,
    path::{Component, Path, PathBuf},
};

use globset::GlobBuilder;
use walkdir::WalkDir;

pub use query::{Page, Query};

use crate::store::{NewRecording, StoreError};

/// Names of files that a folder's walk takes; a file that is named itself is always taken.
const EXTENSIONS: &[&str] = &[
    "3gp", "aac", "ac3", "aif", "aifc", "aiff", "alac", "amr", "avi", "caf", "dts", "eac3", "flac", "flv", "gsm",
    "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp1", "mp2", "mp3", "mp4", "mpeg", "mpg", "mts", "oga", "ogg", "ogv",
    "opus", "ra", "rf64", "sph", "spx", "ts", "w64", "wav", "wave", "weba", "webm", "wma", "wmv", "wv",
];

/// Further names that a folder's walk takes if the format of files without a header is known.
const RAW_EXTENSIONS: [&str; 5] = ["alaw", "pcm", "raw", "ulaw", "vox"];

/// Why a source that was named could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A path that is not there.
    #[error("{0}: no such file or folder")]
    Missing(String),
    /// A pattern that matches nothing.
    #[error("{0}: no file matches this pattern")]
    NoMatch(String),
    /// A pattern that is none.
    #[error("{0}: not a valid pattern: {1}")]
    Pattern(String, globset::Error),
    /// A name that no column of text can hold.
    #[error("{0}: the name is not valid UTF-8, so the table cannot hold it; rename it")]
    NotUtf8(String),
    /// A folder or list that cannot be read.
    #[error("{0}: {1}")]
    Read(String, io::Error),
    /// A manifest that is not what its name says.
    #[error("{0}: {1}")]
    Manifest(String, String),
    /// A query to another database that is none, or whose answer names no recordings.
    #[error("the query: {0}")]
    Query(String),
    /// Another database that cannot be asked.
    #[error(transparent)]
    Store(StoreError),
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Recordings in the order they were named, as they go into the table.
    pub recordings: Vec<NewRecording>,
    /// Files in folders that were passed over because their names do not end as audio does.
    pub skipped: usize,
    /// Files in folders whose names no row can hold. Each was told.
    pub unnameable: usize,
}

impl Found {
    /// The sources of the recordings.
    pub fn sources(&self) -> Vec<String> {
        self.recordings.iter().map(|recording| recording.source.clone()).collect()
    }

    /// The same with a priority, the least first.
    pub fn with_priority(mut self, priority: i64) -> Self {
        self.recordings.iter_mut().for_each(|recording| recording.priority = priority);
        self
    }
}

/// Turns names into sources.
///
/// A path becomes absolute, so that the same file is the same source from wherever it is named; below `base`, where one
/// is set, it stays relative to it, so that machines may keep the audio in different places.
#[derive(Clone, Debug)]
pub struct Resolver {
    base: Option<PathBuf>,
    current: PathBuf,
    output: PathBuf,
    takes_raw: bool,
}

impl Resolver {
    /// `base` is the folder that relative sources are read from (AUDIO_FILE_DIR); none means the current folder.
    /// `output` is where segments go: they are no recordings, so no walk through folders enters it.
    ///
    /// # Errors
    /// Where the current folder is gone.
    pub fn new(base: Option<&Path>, output: &Path) -> io::Result<Self> {
        let current = env::current_dir()?;
        let [base, output] = [base, Some(output)].map(|path| path.map(|path| normalise(&current.join(path))));
        Ok(Self { base, output: output.unwrap_or_default(), current, takes_raw: false })
    }

    /// Sets whether a folder's walk takes files without a header (`.pcm`, `.ulaw` and others) as well.
    #[must_use]
    pub fn taking_raw(self, takes_raw: bool) -> Self {
        Self { takes_raw, ..self }
    }

    /// Finds what each of `names` stands for; `-` reads a list from `stdin`.
    ///
    /// # Errors
    /// The first name that stands for nothing.
    pub fn find(&self, names: &[String], stdin: &mut dyn io::BufRead) -> Result<Found, SourceError> {
        let mut found = Found::default();
        for name in names {
            self.find_one(name, stdin, &mut found)?;
        }
        Ok(found)
    }

    fn find_one(&self, name: &str, stdin: &mut dyn io::BufRead, found: &mut Found) -> Result<(), SourceError> {
        if name == "-" {
            let list = manifest::lines(stdin).map_err(|e| SourceError::Read("standard input".into(), e))?;
            return self.list(list.into_iter().map(NewRecording::from), &self.current, found);
        }
        let path = self.locate(name);
        if path.is_dir() {
            return self.walk(&path, found);
        }
        if let Some(kind) = manifest::Kind::of(&path).filter(|_| path.is_file()) {
            let listed = kind.read(&path)?;
            let folder = path.parent().unwrap_or(&self.current);
            return self.list(listed.into_iter(), folder, found);
        }
        if path.exists() {
            found.recordings.push(self.source(&path)?.into());
            return Ok(());
        }
        if name.contains(['*', '?', '[', '{']) {
            return self.glob(name, found);
        }
        Err(SourceError::Missing(name.to_owned()))
    }

    /// Where a typed name is: as the shell sees it, or else below the base.
    fn locate(&self, name: &str) -> PathBuf {
        let here = self.current.join(name);
        match &self.base {
            Some(base) if !here.exists() => base.join(name),
            _ => here,
        }
    }

    /// Entries of a list: relative ones are relative to the base, or else to the list's own folder. They need not
    /// exist: a missing recording becomes a row that says so.
    fn list(
        &self,
        entries: impl Iterator<Item = NewRecording>,
        folder: &Path,
        found: &mut Found,
    ) -> Result<(), SourceError> {
        let folder = self.base.as_deref().unwrap_or(folder);
        for entry in entries {
            let source = self.source(&folder.join(&entry.source))?;
            found.recordings.push(NewRecording { source, ..entry });
        }
        Ok(())
    }

    fn source(&self, path: &Path) -> Result<String, SourceError> {
        let whole = normalise(&self.current.join(path));
        let shown = self.base.as_ref().and_then(|base| whole.strip_prefix(base).ok()).unwrap_or(&whole);
        shown.to_str().map(str::to_owned).ok_or_else(|| SourceError::NotUtf8(whole.display().to_string()))
    }

    fn walk(&self, folder: &Path, found: &mut Found) -> Result<(), SourceError> {
        for path in self.files_below(folder) {
            if is_audio_name(&path, self.takes_raw) {
                match self.source(&path) {
                    Ok(source) => found.recordings.push(source.into()),
                    // It was found, not typed: one such file is no reason to leave all others.
                    Err(error @ SourceError::NotUtf8(_)) => {
                        tracing::error!("{error}");
                        found.unnameable += 1;
                    }
                    Err(error) => return Err(error),
                }
            } else {
                found.skipped += 1;
            }
        }
        Ok(())
    }

    /// All files below `folder` in order, but for those of the output. What cannot be looked at is told and passed over;
    /// a link that leads nowhere counts as a file, so that its row can say so.
    fn files_below(&self, folder: &Path) -> impl Iterator<Item = PathBuf> {
        let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
        let output = self.output.clone();
        let walk = walk.filter_entry(move |entry| normalise(entry.path()) != output);
        walk.filter_map(|entry| match entry {
            Ok(entry) => entry.file_type().is_file().then(|| entry.into_path()),
            Err(error) => {
                let dangling = error.path().filter(|path| error.loop_ancestor().is_none() && path.is_symlink());
                if dangling.is_none() {
                    tracing::warn!("passed over: {error}");
                }
                dangling.map(Path::to_owned)
            }
        })
    }

    /// Patterns that the shell left alone: `*` and `?` within a folder's name, `**` across folders.
    fn glob(&self, pattern: &str, found: &mut Found) -> Result<(), SourceError> {
        let whole = self.current.join(pattern);
        let matcher = GlobBuilder::new(&whole.to_string_lossy())
            .literal_separator(true)
            .build()
            .map_err(|e| SourceError::Pattern(pattern.to_owned(), e))?
            .compile_matcher();
        let before = found.recordings.len();
        for path in self.files_below(&fixed_part(&whole)) {
            if matcher.is_match(&path) {
                found.recordings.push(self.source(&path)?.into());
            }
        }
        if found.recordings.len() == before { Err(SourceError::NoMatch(pattern.to_owned())) } else { Ok(()) }
    }
}

/// The folders of a pattern before its first wildcard.
fn fixed_part(pattern: &Path) -> PathBuf {
    pattern.components().take_while(|c| !c.as_os_str().to_string_lossy().contains(['*', '?', '[', '{'])).collect()
}

/// Takes `.` and `..` out by name alone: links are left as they are, as they may be different elsewhere.
fn normalise(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

fn is_audio_name(path: &Path, takes_raw: bool) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
    EXTENSIONS.binary_search(&extension.as_str()).is_ok() || takes_raw && RAW_EXTENSIONS.contains(&extension.as_str())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.wav", "b.txt.bak", "sub/c.MP3", "sub/deep/d.flac", "sub/notes.md"] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    fn resolver(current: &Path, base: Option<&Path>) -> Resolver {
        Resolver { base: base.map(Path::to_owned), current: current.to_owned(), output: current.join("segments") }
    }

    fn find(resolver: &Resolver, names: &[&str], stdin: &str) -> Result<Found, SourceError> {
        let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
        resolver.find(&names, &mut stdin.as_bytes())
    }

    fn below(root: &Path, names: &[&str]) -> Vec<String> {
        names.iter().map(|n| root.join(n).to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_extensions_are_sorted() {
        assert!(EXTENSIONS.is_sorted(), "binary search needs it");
    }

    #[test]
    fn folders_are_walked_and_other_files_passed_over() {
        let root = tree();
        let found = find(&resolver(root.path(), None), &["."], "").unwrap();
        assert_eq!(found.sources(), below(root.path(), &["a.wav", "sub/c.MP3", "sub/deep/d.flac"]));
        assert_eq!(found.skipped, 2);
    }

    #[test]
    fn files_without_a_header_are_taken_on_request() {
        let root = tree();
        fs::write(root.path().join("call.ULAW"), "x").unwrap();
        let found = |raw| {
            let resolver = resolver(root.path(), None).taking_raw(raw);
            resolver.find(&[".".to_owned()], &mut std::io::empty()).unwrap().sources().len()
        };
        assert_eq!((found(false), found(true)), (3, 4));
    }

    #[test]
    fn a_file_is_the_same_source_however_it_is_named() {
        let root = tree();
        let here = resolver(root.path(), None);
        let named = root.path().join("sub/../a.wav");
        let found = find(&here, &["a.wav", "./a.wav", "sub/../a.wav", named.to_str().unwrap()], "").unwrap();
        assert_eq!(found.sources(), below(root.path(), &["a.wav"; 4]));
    }

    #[test]
    fn below_the_base_sources_are_relative_to_it() {
        let root = tree();
        let base = root.path().join("sub");
        let with_base = resolver(root.path(), Some(&base));
        let found = find(&with_base, &["sub/c.MP3", "deep/d.flac", "a.wav"], "").unwrap();
        assert_eq!(found.sources()[..2], ["c.MP3", "deep/d.flac"]);
        assert_eq!(found.sources()[2..], below(root.path(), &["a.wav"]));
        assert_eq!(find(&with_base, &["-"], "x/y.wav\n").unwrap().sources(), ["x/y.wav"]);
    }

    #[test]
    fn patterns_stay_in_their_folder_unless_doubled() {
        let root = tree();
        let here = resolver(root.path(), None);
        assert_eq!(find(&here, &["*.wav"], "").unwrap().sources(), below(root.path(), &["a.wav"]));
        assert_eq!(find(&here, &["**/*.flac"], "").unwrap().sources(), below(root.path(), &["sub/deep/d.flac"]));
        assert!(matches!(find(&here, &["*.opus"], ""), Err(SourceError::NoMatch(_))));
        assert!(matches!(find(&here, &["{a"], ""), Err(SourceError::Pattern(..))));
    }

    #[test]
    fn segments_are_no_recordings() {
        let root = tree();
        fs::create_dir_all(root.path().join("segments/a-1")).unwrap();
        fs::write(root.path().join("segments/a-1/0.wav"), "x").unwrap();
        let here = resolver(root.path(), None);
        for name in [".", "**/*.wav"] {
            let found = find(&here, &[name], "").unwrap();
            assert!(found.sources().iter().all(|source| !source.contains("segments")), "{name}: {found:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_nowhere_do_not_stop_a_walk() {
        use std::os::unix::fs::symlink;
        let root = tree();
        symlink("gone", root.path().join("notes.txt")).unwrap();
        symlink("gone.wav", root.path().join("link.wav")).unwrap();
        symlink(root.path(), root.path().join("sub/loop")).unwrap();
        let found = find(&resolver(root.path(), None), &["."], "").unwrap();
        assert_eq!(found.sources(), below(root.path(), &["a.wav", "link.wav", "sub/c.MP3", "sub/deep/d.flac"]));
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_no_row_can_hold_is_passed_over() {
        use std::os::unix::ffi::OsStrExt;
        let root = tree();
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"bad\xff.wav")), "x").unwrap();
        let found = find(&resolver(root.path(), None), &["."], "").unwrap();
        assert_eq!(found.unnameable, 1);
        assert!(!found.recordings.is_empty(), "the others are taken");
    }

    #[test]
    fn a_typed_name_must_exist_but_a_listed_one_need_not() {
        let root = tree();
        let here = resolver(root.path(), None);
        assert!(matches!(find(&here, &["gone.wav"], ""), Err(SourceError::Missing(_))));
        fs::write(root.path().join("sub/list.txt"), "gone.wav\n\n# a comment\n/abs/x.wav\r\n").unwrap();
        let mut want = below(root.path(), &["sub/gone.wav"]);
        want.push("/abs/x.wav".into());
        assert_eq!(find(&here, &["sub/list.txt"], "").unwrap().sources(), want);
    }
}
