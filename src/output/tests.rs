//! Staging, seen from the file system.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use prepare_audio_media::{SegmentFormat, SegmentSpec, WrittenFile};
use prepare_audio_pipeline::StagedSegments;

use super::*;

impl Staging {
    /// Writes samples that are in memory.
    pub(super) fn put(&mut self, samples: &[i16]) -> Result<(PathBuf, WrittenFile), WriteError> {
        let spec = SegmentSpec::analysis(SegmentFormat::Wav, None);
        let (file, written) = self.write(&spec, samples.len() as u64, std::iter::once(Ok(samples.into())))?;
        Ok((self.set_final_name(file, file, &written.sha256, "wav"), written))
    }
}

/// The output folder `out` of a desk of its own.
fn output() -> (tempfile::TempDir, OutputFolder) {
    let desk = tempfile::tempdir().unwrap();
    let output = OutputFolder::new(desk.path().join("out"));
    (desk, output)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Everything below a folder, links as links.
fn tree(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(|e| e.unwrap().into_path()).collect()
}

#[test]
fn published_files_have_their_names_and_no_temporary_is_left() {
    let (_desk, output) = output();
    let folder = output.folder("a.wav", "r");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(".tmp.dead.00000"), "left by a crash").unwrap();
    let aside = ".tmp.gc.0f.00000-0123456789ab.wav"; // `gc` may be about to put it back
    fs::write(folder.join(aside), "moved aside").unwrap();
    let mut staging = output.stage("a.wav", "r", "c1").unwrap();
    let (path, written) = staging.put(&[1, 2, 3]).unwrap();
    assert_eq!((staging.bytes(), written.bytes), (50, 50));
    assert!(!path.exists(), "nothing is visible before it is published");
    staging.publish().unwrap();
    assert_eq!(names(&folder), [aside.to_owned(), format!("00000-{}.wav", &written.sha256[..12])]);
}

#[test]
fn what_is_not_published_is_removed() {
    let (_desk, output) = output();
    let mut staging = output.stage("a.wav", "r", "c1").unwrap();
    staging.put(&[1]).unwrap();
    drop(staging);
    assert!(names(output.root()).is_empty());
}

#[test]
fn a_recording_without_speech_leaves_nothing() {
    let (desk, output) = output();
    output.stage("a.wav", "r", "c1").unwrap().publish().unwrap();
    assert!(names(desk.path()).is_empty());
}

/// The output folder of an unmounted disk is not made again on the disk below.
#[test]
fn a_root_that_went_away_is_not_made_again() {
    let (desk, output) = output();
    output.ready().unwrap();
    let mut waiting = output.stage("a.wav", "r", "c1").unwrap();
    let mut writing = output.stage("b.wav", "r", "c2").unwrap();
    let mut written = output.stage("c.wav", "r", "c3").unwrap();
    writing.put(&[1]).unwrap();
    written.put(&[1]).unwrap();
    fs::rename(output.root(), desk.path().join("unmounted")).unwrap();
    let errors = [waiting.put(&[1]).unwrap_err(), writing.put(&[1]).unwrap_err(), written.publish().unwrap_err()];
    for error in errors {
        assert!(error.is_disk_fault() && error.to_string().contains("is gone"), "{error}");
    }
    assert_eq!(names(desk.path()), ["unmounted"]);
}

/// `gc` and late workers may remove empty folders at any moment.
#[test]
fn a_folder_that_is_taken_away_before_the_first_file_is_made_again() {
    let (_desk, output) = output();
    let folder = output.folder("a.wav", "r");
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = fs::remove_dir(&folder);
                std::thread::sleep(std::time::Duration::from_micros(50));
            }
        });
        let written = (0..200).try_for_each(|_| output.stage("a.wav", "r", "c1").unwrap().put(&[1]).map(drop));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        written.unwrap();
    });
}

#[cfg(unix)]
#[test]
fn nothing_is_written_or_removed_through_a_link() {
    use std::os::unix::fs::symlink;
    let (desk, output) = output();
    output.ready().unwrap();
    let elsewhere = desk.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join(".tmp.mine"), "somebody else's").unwrap();
    let folder = output.folder("a.wav", "r");
    let refused = |error: WriteError| {
        assert!(
            matches!(error, WriteError::Unsafe(_)) && error.to_string().contains(folder.to_str().unwrap()),
            "{error}"
        );
    };
    let plant = || symlink(&elsewhere, &folder).unwrap();
    plant();
    let before = tree(desk.path());
    refused(output.stage("a.wav", "r", "c1").unwrap_err());
    refused(remove_temporary(&folder, Some("mine")).unwrap_err());
    assert_eq!(tree(desk.path()), before);
    // Planted later: before the first file, and before the names are given.
    fs::remove_file(&folder).unwrap();
    let mut staging = output.stage("a.wav", "r", "c1").unwrap();
    plant();
    refused(staging.put(&[1]).unwrap_err());
    drop(staging);
    fs::remove_file(&folder).unwrap();
    let mut staging = output.stage("a.wav", "r", "c1").unwrap();
    staging.put(&[1]).unwrap();
    fs::rename(&folder, desk.path().join("moved")).unwrap();
    fs::write(elsewhere.join(".tmp.c1.00000"), "bait").unwrap();
    plant();
    refused(staging.publish().unwrap_err());
    assert_eq!(names(&elsewhere), [".tmp.c1.00000", ".tmp.mine"]);
}

#[cfg(unix)]
#[test]
fn links_in_the_place_of_files_are_not_followed() {
    use std::os::unix::fs::symlink;
    let (desk, output) = output();
    let (folder, victim) = (output.folder("a.wav", "r"), desk.path().join("victim"));
    fs::write(&victim, "precious").unwrap();
    // In the place of a temporary file, put there after the folder was cleared.
    let mut staging = output.stage("a.wav", "r", "c1").unwrap();
    fs::create_dir_all(&folder).unwrap();
    symlink(&victim, folder.join(".tmp.c1.00000")).unwrap();
    let error = staging.put(&[1]).unwrap_err();
    assert!(matches!(&error, WriteError::Io { error, .. } if error.kind() == io::ErrorKind::AlreadyExists), "{error}");
    drop(staging);
    // In the place of the final one: the link is replaced.
    let mut staging = output.stage("a.wav", "r", "c2").unwrap();
    let (path, _) = staging.put(&[1]).unwrap();
    symlink(&victim, &path).unwrap();
    staging.publish().unwrap();
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn only_whole_files_are_taken_over() {
    let (desk, output) = output();
    let mut first = output.stage("a.wav", "r1", "c1").unwrap();
    let (old, written) = first.put(&[1, 2]).unwrap();
    first.publish().unwrap();
    let mut second = output.stage("a.wav", "r2", "c2").unwrap();
    assert_eq!(second.reuse(&old, &"0".repeat(64)).unwrap(), None);
    assert_eq!(second.reuse(desk.path(), &written.sha256).unwrap(), None);
    let (file, bytes) = second.reuse(&old, &written.sha256).unwrap().unwrap();
    let new = second.set_final_name(file, 7, &written.sha256, "wav");
    second.publish().unwrap();
    assert_eq!((fs::read(&new).unwrap(), bytes), (fs::read(old).unwrap(), 48));
    assert!(new.file_name().unwrap().to_str().unwrap().starts_with("00007-"));
}

#[test]
fn what_has_no_name_is_not_published() {
    let (_desk, output) = output();
    let mut staging = output.stage("a.wav", "r", "c").unwrap();
    let spec = SegmentSpec::analysis(SegmentFormat::Wav, None);
    staging.write(&spec, 1, std::iter::once(Ok([1i16][..].into()))).unwrap();
    assert!(staging.publish().is_err());
    assert!(!output.folder("a.wav", "r").exists());
}

#[test]
fn the_root_is_made_once_and_not_again() {
    let desk = tempfile::tempdir().unwrap();
    let root = desk.path().join("a/b");
    let output = OutputFolder::new(&root);
    output.ready().unwrap();
    output.ready().unwrap();
    assert!(root.is_dir());
    fs::remove_dir(&root).unwrap();
    for error in [output.ready().unwrap_err(), output.probe(0).unwrap_err()] {
        assert!(error.is_disk_fault() && error.to_string().contains("is gone"), "{error}");
    }
    assert!(!root.exists());
    fs::write(&root, "a file").unwrap();
    assert!(output.ready().unwrap_err().is_disk_fault());
    fs::remove_file(&root).unwrap();
    fs::create_dir(&root).unwrap();
    output.probe(1).unwrap();
    assert_eq!(fs::read_dir(&root).unwrap().count(), 0, "the probe leaves nothing");
}

#[test]
fn a_probe_asks_for_the_room_that_is_needed() {
    let desk = tempfile::tempdir().unwrap();
    let output = OutputFolder::new(desk.path());
    output.probe(1_000).unwrap();
    let error = output.probe(u64::MAX).unwrap_err();
    assert!(error.is_disk_fault() && error.is_out_of_space(), "{error}");
}

#[cfg(unix)]
#[test]
fn the_root_may_be_a_link() {
    let desk = tempfile::tempdir().unwrap();
    let (root, link) = (desk.path().join("disk"), desk.path().join("segments"));
    fs::create_dir(&root).unwrap();
    std::os::unix::fs::symlink(&root, &link).unwrap();
    let output = OutputFolder::new(&link);
    output.probe(0).unwrap();
    fs::remove_dir(&root).unwrap();
    assert!(output.ready().unwrap_err().is_disk_fault(), "the link leads nowhere");
}
