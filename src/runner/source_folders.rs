//! Folders of recordings that are away: not mounted, or on a disk that does not read. Their recordings are not claimed, and
//! not failed, until the folder is back.
//!
//! A recording that is missing from a folder with other files is that recording's own fault. Where the folder is missing or
//! empty too, the recording says nothing of itself.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use prepare_audio_media::AudioError;
use prepare_audio_pipeline::PrepareError;
use tokio::task::spawn_blocking;

use super::Run;
use crate::store::Exclusion;

/// How often it is checked whether a folder is back.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// How often a lasting absence is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How long the file system may take to answer. Of a server that is gone, NFS may wait for ever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Recordings in a row that a file system must fail to read before it is at fault.
const READ_ERRORS: u32 = 3;

/// The first pause after read errors. It doubles with each further one, up to [`LONGEST_PAUSE`].
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);

const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Folders that are kept in mind at once. Each makes claims slower; recordings of further ones fail.
const MOST_FOLDERS: usize = 100;

/// Bytes that are read of a file to find out whether its file system works again.
const PROBE_BYTES: u64 = 1 << 20;

/// How long after the last call of [`SourceFolders::wait`] another one begins to wait anew.
const FORGET: Duration = Duration::from_secs(10);

/// The folders that are away at the moment.
pub(super) struct SourceFolders {
    /// Base of relative sources.
    audio_dir: PathBuf,
    /// Keeps their recordings from being claimed.
    exclusion: Exclusion,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    away: Vec<Away>,
    probed: Option<Instant>,
    /// Consecutive read errors by device.
    read_errors: HashMap<u64, u32>,
    /// Pauses after read errors by device.
    pauses: HashMap<u64, u32>,
    /// Recordings that were given back because of read errors. None is given back twice: it may be the only one at fault.
    given_back: HashSet<String>,
    waiting: Option<Waiting>,
}

/// Since when a run has nothing but recordings in folders that are away.
struct Waiting {
    since: Instant,
    last: Instant,
}

/// A folder that is away.
struct Away {
    folder: PathBuf,
    /// How the sources of its recordings begin.
    prefixes: Vec<String>,
    probe: Probe,
    since: Instant,
    logged: Instant,
    not_before: Instant,
}

/// What shows that a folder is back.
#[derive(Clone, Debug)]
enum Probe {
    /// It has entries.
    Folder,
    /// This file can be read.
    File(PathBuf),
}

impl SourceFolders {
    pub fn new(audio_dir: PathBuf, exclusion: Exclusion) -> Self {
        Self { audio_dir, exclusion, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The value is consistent after each statement, so a panic elsewhere does not corrupt it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a recording failed only because its folder is away. No more of that folder are claimed from then on.
    pub async fn is_at_fault(&self, source: &str, error: &PrepareError) -> bool {
        let PrepareError::Audio { error, .. } = error else { return false };
        let is_read_error = match error {
            AudioError::NotFound => false,
            AudioError::Io(_) => true,
            _ => return false,
        };
        let path = self.audio_dir.join(source);
        let file = path.clone();
        let looked =
            tokio::time::timeout(ANSWER_TIMEOUT, spawn_blocking(move || (vanished(&file), device_of(&file)))).await;
        let (folder, device) = match looked {
            Ok(Ok(looked)) => looked,
            Ok(Err(_)) => return false, // the thread panicked
            Err(_) => (path.parent().map(Path::to_owned), None),
        };
        match (folder, device) {
            (Some(folder), _) => self.pause(source, folder, Probe::Folder, Duration::ZERO),
            (None, Some(device)) if is_read_error => self.read_error(source, &path, device),
            _ => false,
        }
    }

    /// Counts an error of reading. The file system is at fault after several in a row.
    fn read_error(&self, source: &str, path: &Path, device: Device) -> bool {
        let pause = {
            let mut state = self.state();
            let errors = state.read_errors.entry(device.id).or_default();
            *errors += 1;
            if *errors < READ_ERRORS || !state.given_back.insert(source.to_owned()) {
                return false;
            }
            let pauses = state.pauses.entry(device.id).or_default();
            *pauses += 1;
            LONGEST_PAUSE.min(SHORTEST_PAUSE * 2u32.pow((*pauses - 1).min(10)))
        };
        self.pause(source, device.root, Probe::File(path.to_owned()), pause)
    }

    /// A recording was read: its file system works.
    pub async fn was_read(&self, source: &str) {
        if self.state().read_errors.is_empty() {
            return;
        }
        let path = self.audio_dir.join(source);
        if let Ok(Some(device)) = spawn_blocking(move || device_of(&path)).await {
            let mut state = self.state();
            state.read_errors.remove(&device.id);
            state.pauses.remove(&device.id);
        }
    }

    /// Claims nothing more from `folder`, for at least `pause`. Returns whether that was possible.
    fn pause(&self, source: &str, folder: PathBuf, probe: Probe, pause: Duration) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        let mut new = prefixes(&folder, &self.audio_dir);
        if !new.iter().any(|prefix| begins(source, prefix)) {
            new.push(source[..source.rfind('/').map_or(0, |slash| slash + 1)].to_owned()); // as `a/../b/`
        }
        if let Some(away) = state.away.iter_mut().find(|away| away.folder == folder) {
            new.retain(|prefix| !away.prefixes.contains(prefix));
            away.prefixes.append(&mut new);
            away.not_before = away.not_before.max(now + pause);
        } else if state.away.len() < MOST_FOLDERS {
            let cause = match probe {
                Probe::Folder => "is missing or empty",
                Probe::File(_) => "does not read",
            };
            tracing::error!(
                parent: None,
                "paused: {} {cause} (not mounted?); its recordings wait until it is back, and no attempt is counted",
                folder.display()
            );
            state.away.push(Away { folder, prefixes: new, probe, since: now, logged: now, not_before: now + pause });
        } else {
            return false;
        }
        self.exclude(&state);
        true
    }

    fn exclude(&self, state: &State) {
        self.exclusion.set(state.away.iter().flat_map(|away| away.prefixes.clone()).collect());
    }

    /// Checks from time to time whether folders are back. Called before each claim.
    pub async fn refresh(&self) {
        let now = Instant::now();
        let probes: Vec<(PathBuf, Probe)> = {
            let mut state = self.state();
            if state.away.is_empty() || state.probed.is_some_and(|probed| probed + PROBE_INTERVAL > now) {
                return;
            }
            state.probed = Some(now);
            state
                .away
                .iter()
                .filter(|away| away.not_before <= now)
                .map(|away| (away.folder.clone(), away.probe.clone()))
                .collect()
        };
        let probing = spawn_blocking(move || {
            let back = probes.into_iter().filter(|(folder, probe)| is_back(folder, probe));
            back.map(|(folder, _)| folder).collect::<Vec<_>>()
        });
        let back = match tokio::time::timeout(ANSWER_TIMEOUT, probing).await {
            Ok(Ok(back)) => back,
            _ => Vec::new(),
        };
        let mut state = self.state();
        for away in state.away.extract_if(.., |away| back.contains(&away.folder)) {
            let seconds = away.since.elapsed().as_secs_f64();
            tracing::warn!(parent: None, "{} is back after {seconds:.0} s; going on", away.folder.display());
        }
        for away in state.away.iter_mut().filter(|away| away.logged.elapsed() >= LOG_INTERVAL) {
            away.logged = Instant::now();
            let minutes = away.since.elapsed().as_secs() / 60;
            tracing::warn!(parent: None, "{} is still away after {minutes} min", away.folder.display());
        }
        self.exclude(&state);
    }

    /// Number of folders that are away.
    pub fn number(&self) -> u64 {
        self.state().away.len() as u64
    }

    /// Waits for the next check; for ever if no folder is away.
    pub async fn next_probe(&self) {
        match self.number() {
            0 => std::future::pending().await,
            _ => tokio::time::sleep(PROBE_INTERVAL).await,
        }
    }

    /// Waits a moment, when a run that is to end has nothing else to do. Returns `false` if no folder is away, or one has
    /// been for as long as the run is to wait.
    pub async fn wait(&self, run: &Run) -> bool {
        {
            let mut state = self.state();
            if state.away.is_empty() {
                return false;
            }
            let now = Instant::now();
            let since = match &state.waiting {
                Some(waiting) if waiting.last + FORGET > now => waiting.since,
                _ => now,
            };
            state.waiting = Some(Waiting { since, last: now });
            if now.duration_since(since) >= run.settings.source_wait {
                return false;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PROBE_INTERVAL) => {}
            () = run.shutdown.draining() => {}
        }
        true
    }
}

/// Whether a source begins with a prefix of [`Exclusion`].
fn begins(source: &str, prefix: &str) -> bool {
    if prefix.is_empty() { !source.starts_with('/') } else { source.starts_with(prefix) }
}

/// How the sources below `folder` begin: absolute ones, and those relative to `audio_dir`.
fn prefixes(folder: &Path, audio_dir: &Path) -> Vec<String> {
    let with_slash = |path: &Path| Some(format!("{}/", path.to_str()?.trim_end_matches('/')));
    let relative = match folder.strip_prefix(audio_dir) {
        _ if audio_dir.starts_with(folder) => Some(String::new()),
        Ok(below) => with_slash(below),
        Err(_) => None,
    };
    with_slash(folder).into_iter().chain(relative).collect()
}

/// The highest folder above `path` of those that are missing or empty without a gap between them.
fn vanished(path: &Path) -> Option<PathBuf> {
    let folders = path.parent()?.ancestors();
    folders.take_while(|folder| is_away(folder)).last().map(Path::to_owned)
}

fn is_away(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => true,
            Some(Ok(_)) => false,
            Some(Err(error)) => is_fault_of_storage(&error),
        },
        Err(error) => error.kind() == ErrorKind::NotFound || is_fault_of_storage(&error),
    }
}

/// Whether an error is neither about the name nor about rights: a stale handle, a connection that is gone, a broken disk.
fn is_fault_of_storage(error: &io::Error) -> bool {
    use ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound, PermissionDenied};
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return false; // links that lead to each other; its ErrorKind is not stable yet
    }
    !matches!(error.kind(), InvalidFilename | InvalidInput | NotADirectory | NotFound | PermissionDenied)
}

fn is_back(folder: &Path, probe: &Probe) -> bool {
    match probe {
        Probe::Folder => !is_away(folder),
        Probe::File(file) => match File::open(file) {
            Ok(file) => file.take(PROBE_BYTES).read_to_end(&mut Vec::new()).is_ok(),
            Err(error) => !is_fault_of_storage(&error),
        },
    }
}

/// A file system.
struct Device {
    id: u64,
    /// The highest folder that is known to lie on it.
    root: PathBuf,
}

/// The file system of the folder of `path`.
#[cfg(unix)]
fn device_of(path: &Path) -> Option<Device> {
    use std::os::unix::fs::MetadataExt;
    let id_of = |folder: &Path| fs::metadata(folder).ok().map(|metadata| metadata.dev());
    let folder = path.parent()?;
    let id = id_of(folder)?;
    let root = folder.ancestors().take_while(|folder| id_of(folder) == Some(id)).last()?;
    Some(Device { id, root: root.to_owned() })
}

/// File systems cannot be distinguished on this system: each folder counts by itself.
#[cfg(not(unix))]
fn device_of(path: &Path) -> Option<Device> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let (root, mut hasher) = (path.parent()?.to_owned(), DefaultHasher::new());
    root.hash(&mut hasher);
    Some(Device { id: hasher.finish(), root })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(root: &Path) -> SourceFolders {
        SourceFolders::new(root.to_owned(), Exclusion::default())
    }

    fn error(error: AudioError) -> PrepareError {
        PrepareError::Audio { input: "a".into(), error }
    }

    #[test]
    fn the_highest_folder_that_is_away_is_found() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("mount/point")).unwrap();
        fs::create_dir_all(path("alive/sub")).unwrap();
        fs::write(path("alive/other.wav"), "x").unwrap();
        for (name, folder) in [
            ("mount/point/a.wav", Some("mount/point")), // empty
            ("mount/point/deep/er/a.wav", Some("mount/point")),
            ("gone/a/b.wav", Some("gone")),
            ("alive/sub/a.wav", Some("alive/sub")),
            ("alive/a.wav", None),
            ("alive/other.wav/a.wav", None), // a file, not a folder
            ("alive/a\0/b.wav", None),
        ] {
            assert_eq!(vanished(&path(name)), folder.map(path), "{name}");
        }
    }

    #[test]
    fn sources_are_recognised_by_their_beginnings() {
        let prefixes = |folder: &str| prefixes(Path::new(folder), Path::new("/mnt/nas/audio"));
        assert_eq!(prefixes("/mnt/nas"), ["/mnt/nas/", ""]);
        assert_eq!(prefixes("/mnt/nas/audio"), ["/mnt/nas/audio/", ""]);
        assert_eq!(prefixes("/mnt/nas/audio/calls"), ["/mnt/nas/audio/calls/", "calls/"]);
        assert_eq!(prefixes("/mnt/other"), ["/mnt/other/"]);
        assert!(
            begins("a.wav", "")
                && !begins("/a.wav", "")
                && begins("calls/a", "calls/")
                && !begins("calls2/a", "calls/")
        );
    }

    #[tokio::test]
    async fn a_folder_that_is_back_is_claimed_from_again() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("other"), "x").unwrap();
        let folders = folders(root.path());
        assert!(folders.is_at_fault("gone/a.wav", &error(AudioError::NotFound)).await);
        assert!(folders.is_at_fault("./gone/b.wav", &error(AudioError::NotFound)).await, "spelt in another way");
        assert!(!folders.is_at_fault("c.wav", &error(AudioError::NotFound)).await, "a file of a living folder");
        assert!(!folders.is_at_fault("gone/a.wav", &error(AudioError::EmptyFile)).await);
        assert_eq!(folders.number(), 1);
        folders.refresh().await;
        assert_eq!(folders.number(), 1);
        fs::create_dir(root.path().join("gone")).unwrap();
        fs::write(root.path().join("gone/a.wav"), "x").unwrap();
        folders.state().probed = None;
        folders.refresh().await;
        assert_eq!(folders.number(), 0);
    }

    #[tokio::test]
    async fn read_errors_in_a_row_are_the_file_systems_fault() {
        let root = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c", "d"] {
            fs::write(root.path().join(name), "x").unwrap();
        }
        let folders = folders(root.path());
        let broken = || error(AudioError::Io(io::Error::from_raw_os_error(5)));
        assert!(!folders.is_at_fault("a", &broken()).await && !folders.is_at_fault("b", &broken()).await);
        folders.was_read("c").await;
        for (source, is_at_fault) in [("a", false), ("b", false), ("d", true)] {
            assert_eq!(folders.is_at_fault(source, &broken()).await, is_at_fault, "{source}");
        }
        assert_eq!(folders.number(), 1);
        assert!(!folders.is_at_fault("d", &broken()).await, "not twice: it may be the file after all");
        folders.refresh().await;
        assert_eq!(folders.number(), 1, "not before some time has passed");
        folders.state().away[0].not_before = Instant::now();
        folders.state().probed = None;
        folders.refresh().await;
        assert_eq!(folders.number(), 0);
    }
}
