//! Segment files: where they lie, and how they come to lie there whole or not at all.
//!
//! A file is written under a temporary name that bears the claim's id, synced, renamed, and its folder synced; only
//! then may a row speak of it. Its final name bears the hash of its content, so a worker that comes too late can at
//! most write the same bytes again.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::audio::{self, Written};

/// Temporary files begin with this; whatever does is no segment.
const TEMPORARY: &str = ".tmp.";

/// Longest part of a source's name that goes into a folder's name, in bytes: file systems end at 255.
const MAX_STEM: usize = 80;

/// The folder below which all segments lie.
#[derive(Clone, Debug)]
pub struct Output {
    root: PathBuf,
}

impl Output {
    /// Segments are to lie below `root`, which is made when the first one comes.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder of one recording under one recipe: its name for people, a hash so that no two collide.
    pub fn folder(&self, source: &str, recipe: &str) -> PathBuf {
        let mut digest = Sha256::new();
        digest.update(recipe);
        digest.update([0]);
        digest.update(source);
        let hash: String = digest.finalize()[..6].iter().map(|b| format!("{b:02x}")).collect();
        self.root.join(format!("{}-{hash}", readable_stem(source)))
    }
}

/// The file name's stem with whatever could mean something to a shell or a file system replaced.
fn readable_stem(source: &str) -> String {
    let name = source.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or("");
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem });
    let mut safe = String::new();
    for c in stem.chars() {
        let c = if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        if safe.len() + c.len_utf8() > MAX_STEM {
            break;
        }
        safe.push(c);
    }
    let safe = safe.trim_start_matches('.');
    if safe.is_empty() { "recording".into() } else { safe.into() }
}

/// The files of one claim, temporary until they are published. Dropped before that, it removes them.
#[derive(Debug)]
pub struct Staging {
    folder: PathBuf,
    claim_id: String,
    files: Vec<(PathBuf, PathBuf)>,
    /// The output folder itself is new.
    new_root: bool,
}

impl Staging {
    /// Begins a claim's files in `folder` and clears away what a worker that died there left behind.
    ///
    /// # Errors
    /// What the file system says.
    pub fn begin(folder: PathBuf, claim_id: &str) -> io::Result<Self> {
        remove_temporary(&folder, None)?;
        Ok(Self { folder, claim_id: claim_id.to_owned(), files: Vec::new(), new_root: false })
    }

    /// Writes the next segment's samples under its temporary name; returns its final path.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&mut self, samples: &[i16]) -> io::Result<(PathBuf, Written)> {
        let temporary = self.next()?;
        let written = audio::write_wav(&temporary, samples)?;
        Ok((self.name_last(&written.sha256), written))
    }

    /// Takes over a segment's file from another folder under the next temporary name; returns its final path, or nothing
    /// if the file is gone or its content is not the one with this hash.
    ///
    /// Both names then stand for one file where the file system can do that: nothing ever writes into a segment.
    ///
    /// # Errors
    /// What the file system says about the new file.
    pub fn reuse(&mut self, file: &Path, sha256: &str) -> io::Result<Option<PathBuf>> {
        if !audio::hash_file(file).is_ok_and(|found| found.sha256 == sha256) {
            return Ok(None);
        }
        let temporary = self.next()?;
        fs::hard_link(file, &temporary).or_else(|_| fs::copy(file, &temporary).map(drop))?;
        Ok(Some(self.name_last(sha256)))
    }

    /// The next file's temporary name.
    fn next(&mut self) -> io::Result<PathBuf> {
        let index = self.files.len();
        if index == 0 {
            self.new_root = self.folder.parent().is_some_and(|root| !root.exists());
            fs::create_dir_all(&self.folder)?;
        }
        let temporary = self.folder.join(format!("{TEMPORARY}{}.{index:05}", self.claim_id));
        self.files.push((temporary.clone(), PathBuf::new()));
        Ok(temporary)
    }

    /// The final name of the file that was begun last, by its content.
    fn name_last(&mut self, sha256: &str) -> PathBuf {
        let index = self.files.len() - 1;
        let path = self.folder.join(format!("{index:05}-{}.wav", &sha256[..12]));
        self.files[index].1.clone_from(&path);
        path
    }

    /// The recording's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Syncs the files, gives them their names and syncs the folders. It waits for the disk: not on a thread that
    /// computes.
    ///
    /// # Errors
    /// What the file system says; the temporary files that are left are removed.
    pub fn publish(mut self) -> io::Result<()> {
        for (temporary, _) in &self.files {
            File::open(temporary)?.sync_all()?;
        }
        let mut named = 0;
        let outcome: io::Result<()> = self.files.iter().try_for_each(|(temporary, path)| {
            fs::rename(temporary, path)?;
            // Where both names stood for one file already, renaming leaves both.
            let _ = fs::remove_file(temporary);
            named += 1;
            Ok(())
        });
        self.files.drain(..named);
        outcome?;
        if named > 0 {
            let above = if self.new_root { 3 } else { 2 };
            self.folder.ancestors().take(above).try_for_each(sync_folder)?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        for (temporary, _) in &self.files {
            let _ = fs::remove_file(temporary);
        }
        if !self.files.is_empty() {
            // Succeeds only where nothing else lies in it.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// A new name is only as safe as its folder.
fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// Removes temporary files from a recording's folder: those of the claim `claim_id`, or all. The folder goes too when
/// it is empty then; that it is not there is fine.
///
/// # Errors
/// What the file system says.
pub fn remove_temporary(folder: &Path, claim_id: Option<&str>) -> io::Result<()> {
    let prefix = format!("{TEMPORARY}{}", claim_id.unwrap_or_default());
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    let _ = fs::remove_dir(folder); // succeeds only where nothing lies in it
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn folders_are_readable_and_distinct() {
        let output = Output::new("out");
        let name = |source: &str| output.folder(source, "r").file_name().unwrap().to_str().unwrap().to_owned();
        for (source, stem) in [
            ("/data/call 7.mp3", "call_7-"),
            ("Grüße.flac", "Grüße-"),
            ("../../etc/passwd", "passwd-"),
            (".hidden", "hidden-"),
            ("a/..", "recording-"),
            ("", "recording-"),
        ] {
            assert!(name(source).starts_with(stem), "{source}: {}", name(source));
        }
        assert_ne!(name("a/same.wav"), name("b/same.wav"));
        assert_ne!(output.folder("a.wav", "r1"), output.folder("a.wav", "r2"));
    }

    proptest! {
        #[test]
        fn no_source_leaves_the_output_folder(source in "\\PC{0,300}|[./\\\\\0a]{0,20}") {
            let folder = Output::new("out").folder(&source, "r");
            prop_assert_eq!(folder.parent(), Some(Path::new("out")));
            let name = folder.file_name().unwrap().to_str().unwrap();
            prop_assert!(name.len() <= MAX_STEM + 13 && !name.starts_with('.') && !name.contains('\0'));
        }
    }

    #[test]
    fn published_files_have_their_names_and_no_temporary_is_left() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("r");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(".tmp.dead.00000"), "left by a crash").unwrap();
        let mut staging = Staging::begin(folder.clone(), "c1").unwrap();
        let (path, written) = staging.write(&[1, 2, 3]).unwrap();
        assert!(!path.exists(), "nothing is visible before it is published");
        staging.publish().unwrap();
        assert_eq!(names(&folder), [format!("00000-{}.wav", &written.sha256[..12])]);
    }

    #[test]
    fn what_is_not_published_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("r");
        let mut staging = Staging::begin(folder.clone(), "c1").unwrap();
        staging.write(&[1]).unwrap();
        drop(staging);
        assert!(!folder.exists());
    }

    #[test]
    fn a_recording_without_speech_leaves_no_folder() {
        let root = tempfile::tempdir().unwrap();
        Staging::begin(root.path().join("r"), "c1").unwrap().publish().unwrap();
        assert!(names(root.path()).is_empty());
    }
}
