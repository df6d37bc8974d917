//! Turns names into sources.

use std::{
    env, io,
    ops::ControlFlow,
    path::{Component, Path, PathBuf},
};

use fast_glob::glob_match;
use prepare_audio_types::Part;

use super::{
    SourceError,
    error::End,
    lists,
    walk::{self, Hidden},
};
use crate::store::NewRecording;

/// What a search found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Recordings.
    pub recordings: u64,
    /// Files in folders that were passed over, because their extensions are not those of audio.
    pub skipped: u64,
    /// Files in folders whose names no row can hold. Each was logged.
    pub unnameable: u64,
}

/// Turns names into sources.
///
/// A path becomes absolute, so that a file is the same source from wherever it is named. Below `base`, if that is set, it
/// stays relative to it, so that machines may keep the audio in different places.
#[derive(Clone, Debug)]
pub struct Resolver {
    base: Option<PathBuf>,
    current: PathBuf,
    output: PathBuf,
    takes_raw: bool,
}

/// A search in progress.
struct Search<'a> {
    receive: &'a mut dyn FnMut(NewRecording) -> ControlFlow<()>,
    found: Found,
}

impl Search<'_> {
    fn found(&mut self, recording: NewRecording) -> Result<(), End> {
        self.found.recordings += 1;
        match (self.receive)(recording) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(End::Received),
        }
    }
}

impl Resolver {
    /// `base` is the folder that relative sources are read from (AUDIO_FILE_DIR); `None` means the current folder.
    /// `output` is where segments go. They are no recordings, so no search enters it.
    ///
    /// # Errors
    /// If the current folder is gone.
    pub fn new(base: Option<&Path>, output: &Path) -> io::Result<Self> {
        let current = env::current_dir()?;
        let [base, output] = [base, Some(output)].map(|path| path.map(|path| normalise(&current.join(path))));
        Ok(Self { base, output: output.unwrap_or_default(), current, takes_raw: false })
    }

    /// Sets whether a search of folders takes files without a header (`.pcm`, `.ulaw` and others) as well.
    #[must_use]
    pub fn taking_raw(self, takes_raw: bool) -> Self {
        Self { takes_raw, ..self }
    }

    /// Finds what each of `names` stands for, in this order, and passes each recording to `receive` as it is found; `-`
    /// reads a list from `stdin`. `receive` may end the search.
    ///
    /// # Errors
    /// The first name that stands for nothing. Names that do not exist are found before anything is passed on.
    pub fn find(
        &self,
        names: &[String],
        stdin: &mut dyn io::BufRead,
        receive: &mut dyn FnMut(NewRecording) -> ControlFlow<()>,
    ) -> Result<Found, SourceError> {
        if let Some(missing) = names.iter().find(|name| self.is_missing(name)) {
            return Err(SourceError::Missing(missing.to_owned()));
        }
        let mut search = Search { receive, found: Found::default() };
        match names.iter().try_for_each(|name| self.find_one(name, stdin, &mut search)) {
            Ok(()) | Err(End::Received) => Ok(search.found),
            Err(End::Failed(error)) => Err(error),
        }
    }

    fn is_missing(&self, name: &str) -> bool {
        name != "-" && !is_pattern(name) && !self.locate(name).exists() && self.part(name).is_none()
    }

    /// The file and the part that a name such as `talk.flac#t=10,20` stands for.
    fn part(&self, name: &str) -> Option<(PathBuf, Part)> {
        let (path, part) = Part::split(name);
        let path = self.locate(path);
        part.filter(|_| path.is_file()).map(|part| (path, part))
    }

    fn find_one(&self, name: &str, stdin: &mut dyn io::BufRead, search: &mut Search) -> Result<(), End> {
        if name == "-" {
            let read = |receive: &mut lists::Receiver| lists::lines(stdin, "standard input", receive);
            return self.list(&self.current, search, read);
        }
        let path = self.locate(name);
        if path.is_dir() {
            return self.folder(&path, search);
        }
        if let Some(kind) = lists::Kind::of(&path).filter(|_| path.is_file()) {
            let folder = path.parent().unwrap_or(&self.current);
            return self.list(folder, search, |receive| kind.read(&path, receive));
        }
        if path.exists() {
            return search.found(self.source(&path)?.into());
        }
        if let Some((path, part)) = self.part(name) {
            return search.found(part.source(&self.source(&path)?).into());
        }
        if is_pattern(name) {
            return self.pattern(name, search);
        }
        Err(SourceError::Missing(name.to_owned()).into())
    }

    /// Where a typed name is: in the current folder, or else below the base.
    fn locate(&self, name: &str) -> PathBuf {
        let here = self.current.join(name);
        match &self.base {
            Some(base) if !here.exists() => base.join(name),
            _ => here,
        }
    }

    /// Entries of a list. Relative ones are relative to the base, or else to the list's own folder. They need not exist: a
    /// missing recording becomes a row that says so.
    fn list(
        &self,
        folder: &Path,
        search: &mut Search,
        read: impl FnOnce(&mut lists::Receiver) -> Result<(), End>,
    ) -> Result<(), End> {
        let folder = self.base.as_deref().unwrap_or(folder);
        read(&mut |entry| {
            let source = self.source(&folder.join(&entry.source))?;
            search.found(NewRecording { source, ..entry })
        })
    }

    fn source(&self, path: &Path) -> Result<String, SourceError> {
        let whole = normalise(&self.current.join(path));
        let shown = self.base.as_ref().and_then(|base| whole.strip_prefix(base).ok()).unwrap_or(&whole);
        shown.to_str().map(str::to_owned).ok_or_else(|| SourceError::NotUtf8(whole.display().to_string()))
    }

    fn folder(&self, folder: &Path, search: &mut Search) -> Result<(), End> {
        walk::for_each_file(folder, Hidden::Skipped, self.is_output(), |path| {
            if !walk::is_audio_name(&path, self.takes_raw) {
                search.found.skipped += 1;
                return Ok(());
            }
            match self.source(&path) {
                Ok(source) => search.found(source.into()),
                // The user did not type this name: one such file is no reason to leave out all others.
                Err(error @ SourceError::NotUtf8(_)) => {
                    tracing::error!("{error}");
                    search.found.unnameable += 1;
                    Ok(())
                }
                Err(error) => Err(error.into()),
            }
        })
    }

    /// A pattern that the shell did not expand: `*` and `?` match within a folder's name, `**` across folders.
    fn pattern(&self, pattern: &str, search: &mut Search) -> Result<(), End> {
        let whole = self.current.join(pattern);
        let before = search.found.recordings;
        // As in a shell, `*` does not match a hidden folder, but `.*` does.
        let fixed = fixed_part(&whole);
        let mut wild = whole.components().skip(fixed.components().count());
        let names_hidden = wild.any(|c| c.as_os_str().as_encoded_bytes().starts_with(b"."));
        let hidden = if names_hidden { Hidden::Searched } else { Hidden::Skipped };
        walk::for_each_file(&fixed, hidden, self.is_output(), |path| {
            let matches = glob_match(whole.as_os_str().as_encoded_bytes(), path.as_os_str().as_encoded_bytes());
            if matches { search.found(self.source(&path)?.into()) } else { Ok(()) }
        })?;
        if search.found.recordings == before { Err(SourceError::NoMatch(pattern.to_owned()).into()) } else { Ok(()) }
    }

    fn is_output(&self) -> impl Fn(&Path) -> bool {
        |path| normalise(path) == self.output
    }
}

fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '[', '{'])
}

/// The folders of a pattern before its first wildcard.
fn fixed_part(pattern: &Path) -> PathBuf {
    pattern.components().take_while(|c| !is_pattern(&c.as_os_str().to_string_lossy())).collect()
}

/// Removes `.` and `..` by name alone: links stay as they are, because they may lead elsewhere on another machine.
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in ["a.wav", "b.txt.bak", "sub/c.MP3", "sub/deep/d.flac", "sub/notes.md", ".cache/e.wav"] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    fn resolver(current: &Path, base: Option<&Path>) -> Resolver {
        let (base, current) = (base.map(Path::to_owned), current.to_owned());
        Resolver { base, output: current.join("segments"), current, takes_raw: false }
    }

    fn find(resolver: &Resolver, names: &[&str], stdin: &str) -> Result<(Vec<String>, Found), SourceError> {
        let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
        let mut sources = Vec::new();
        let mut receive = |recording: NewRecording| {
            sources.push(recording.source);
            ControlFlow::Continue(())
        };
        let found = resolver.find(&names, &mut stdin.as_bytes(), &mut receive)?;
        assert_eq!(found.recordings, sources.len() as u64);
        Ok((sources, found))
    }

    fn sources(resolver: &Resolver, names: &[&str]) -> Vec<String> {
        find(resolver, names, "").unwrap().0
    }

    fn below(root: &Path, names: &[&str]) -> Vec<String> {
        names.iter().map(|n| root.join(n).to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn folders_are_searched_and_other_files_passed_over() {
        let root = tree();
        let (sources, found) = find(&resolver(root.path(), None), &["."], "").unwrap();
        assert_eq!(sources, below(root.path(), &["a.wav", "sub/c.MP3", "sub/deep/d.flac"]));
        assert_eq!(found.skipped, 2);
    }

    #[test]
    fn files_without_a_header_are_taken_on_request() {
        let root = tree();
        fs::write(root.path().join("call.ULAW"), "x").unwrap();
        let found = |raw| sources(&resolver(root.path(), None).taking_raw(raw), &["."]).len();
        assert_eq!((found(false), found(true)), (3, 4));
    }

    #[test]
    fn a_file_is_the_same_source_however_it_is_named() {
        let root = tree();
        let here = resolver(root.path(), None);
        let named = root.path().join("sub/../a.wav");
        let sources = sources(&here, &["a.wav", "./a.wav", "sub/../a.wav", named.to_str().unwrap()]);
        assert_eq!(sources, below(root.path(), &["a.wav"; 4]));
    }

    #[test]
    fn below_the_base_sources_are_relative_to_it() {
        let root = tree();
        let base = root.path().join("sub");
        let with_base = resolver(root.path(), Some(&base));
        let found = sources(&with_base, &["sub/c.MP3", "deep/d.flac", "a.wav"]);
        assert_eq!(found[..2], ["c.MP3", "deep/d.flac"]);
        assert_eq!(found[2..], below(root.path(), &["a.wav"]));
        assert_eq!(find(&with_base, &["-"], "x/y.wav\n").unwrap().0, ["x/y.wav"]);
    }

    #[test]
    fn patterns_stay_in_their_folder_unless_doubled() {
        let root = tree();
        let here = resolver(root.path(), None);
        assert_eq!(sources(&here, &["*.wav"]), below(root.path(), &["a.wav"]));
        assert_eq!(sources(&here, &["**/*.flac"]), below(root.path(), &["sub/deep/d.flac"]));
        assert_eq!(sources(&here, &["**/*.wav"]), below(root.path(), &["a.wav"]), "no hidden folder");
        assert_eq!(sources(&here, &[".c*/*.wav"]), below(root.path(), &[".cache/e.wav"]), "the pattern names it");
        assert!(matches!(find(&here, &["*.opus"], ""), Err(SourceError::NoMatch(_))));
        assert_eq!(sources(&here, &["{a,b}.wa[v-z]"]), below(root.path(), &["a.wav"]));
        assert!(matches!(find(&here, &["{a"], ""), Err(SourceError::NoMatch(_))));
    }

    #[test]
    fn segments_are_no_recordings() {
        let root = tree();
        fs::create_dir_all(root.path().join("segments/a-1")).unwrap();
        fs::write(root.path().join("segments/a-1/0.wav"), "x").unwrap();
        let here = resolver(root.path(), None);
        for name in [".", "**/*.wav"] {
            let found = sources(&here, &[name]);
            assert!(found.iter().all(|source| !source.contains("segments")), "{name}: {found:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn dangling_links_do_not_stop_a_search() {
        use std::os::unix::fs::symlink;
        let root = tree();
        symlink("gone", root.path().join("notes.txt")).unwrap();
        symlink("gone.wav", root.path().join("link.wav")).unwrap();
        symlink(root.path(), root.path().join("sub/loop")).unwrap();
        let found = sources(&resolver(root.path(), None), &["."]);
        assert_eq!(found, below(root.path(), &["a.wav", "link.wav", "sub/c.MP3", "sub/deep/d.flac"]));
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_no_row_can_hold_is_passed_over() {
        use std::os::unix::ffi::OsStrExt;
        let root = tree();
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"bad\xff.wav")), "x").unwrap();
        let (_, found) = find(&resolver(root.path(), None), &["."], "").unwrap();
        assert_eq!((found.unnameable, found.recordings), (1, 3));
    }

    #[test]
    fn a_typed_name_must_exist_but_a_listed_one_need_not() {
        let root = tree();
        let here = resolver(root.path(), None);
        let mut receive = |_: NewRecording| panic!("nothing is passed on");
        let names = ["a.wav".to_owned(), "gone.wav".to_owned()];
        let error = here.find(&names, &mut io::empty(), &mut receive).unwrap_err();
        assert!(matches!(error, SourceError::Missing(_)), "{error}");
        fs::write(root.path().join("sub/list.txt"), "gone.wav\n\n# a comment\n/abs/x.wav\r\n").unwrap();
        let mut want = below(root.path(), &["sub/gone.wav"]);
        want.push("/abs/x.wav".into());
        assert_eq!(sources(&here, &["sub/list.txt"]), want);
    }

    #[test]
    fn a_part_of_a_file_is_named_by_its_times() {
        let root = tree();
        fs::write(root.path().join("list.txt"), "a.wav#t=1,2.5\n").unwrap();
        let here = resolver(root.path(), None);
        let found = sources(&here, &["./a.wav#t=1.0,2.50", "list.txt"]);
        assert_eq!(found, below(root.path(), &["a.wav#t=1,2.5"; 2]));
        assert!(matches!(find(&here, &["gone.wav#t=1,2"], ""), Err(SourceError::Missing(_))));
    }

    #[test]
    fn the_receiver_can_end_a_search() {
        let root = tree();
        fs::write(root.path().join("list.txt"), "x\ny\nz\n").unwrap();
        for name in [".", "list.txt", "**/*", "a.wav"] {
            let mut receive = |_: NewRecording| ControlFlow::Break(());
            let names = [name.to_owned(), name.to_owned()];
            let found = resolver(root.path(), None).find(&names, &mut io::empty(), &mut receive).unwrap();
            assert_eq!(found.recordings, 1, "{name}");
        }
    }
}
