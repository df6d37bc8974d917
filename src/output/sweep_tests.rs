//! Sweeps over folders that are made by hand, and over some that change meanwhile.

use std::fs::FileTimes;

use prepare_audio_pipeline::SegmentOutput;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        Self { folder }
    }

    fn output(&self) -> OutputFolder {
        OutputFolder::new(self.root())
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn write(&self, name: &str) -> PathBuf {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, name).unwrap();
        path
    }

    /// All files, by name.
    fn files(&self) -> Vec<String> {
        let files = walkdir::WalkDir::new(self.root()).sort_by_file_name().into_iter().map(Result::unwrap);
        let files = files.filter(|entry| !entry.file_type().is_dir());
        files.map(|file| file.path().strip_prefix(self.root()).unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn list(&self) -> Sweep {
        Sweep::list(&self.output(), Duration::ZERO).unwrap()
    }
}

fn clear(sweep: &Sweep) -> Swept {
    let mut all = Swept::default();
    for folder in sweep.folders().unwrap() {
        all.merge(sweep.clear(&folder.unwrap()).unwrap());
    }
    all
}

const A: &str = "a-000000000001/00000-aaaaaaaaaaaa.wav";
const B: &str = "b-000000000002/00000-bbbbbbbbbbbb.wav";

#[test]
fn what_no_row_speaks_of_goes_and_nothing_else() {
    let desk = Desk::new();
    let kept = [
        A,
        "a-000000000001/notes.txt",
        "a-000000000001/below/00000-aaaaaaaaaaaa.wav",
        "00000-aaaaaaaaaaaa.wav",
        "b/00000-bbbbbbbbbbbb.wav",
        "c-000000000003.wav",
        "holiday/.tmp.x",
        "holiday.wav",
    ];
    let gone = [B, "a-000000000001/.tmp.claim.00000", "a-000000000001/100000-aaaaaaaaaaaa.wav", ".tmp.probe.1"];
    for name in kept.iter().chain(&gone) {
        desk.write(name);
    }
    fs::create_dir(desk.root().join("empty-000000000004")).unwrap();
    let mut sweep = desk.list();
    sweep.keep(&format!("/elsewhere/{A}"));
    sweep.keep("relative.wav");
    assert_eq!((sweep.referenced(), sweep.young(), sweep.is_foreign()), (1, 0, false));
    let mut planned = Swept::default();
    sweep.folders().unwrap().for_each(|folder| planned.merge(sweep.look(&folder.unwrap()).unwrap()));
    let mut swept = clear(&sweep);
    planned.paths.sort();
    swept.paths.sort();
    assert_eq!(planned, swept, "a plan is what comes of it");
    assert_eq!((swept.paths.len(), swept.segment_files, swept.folders), (4, 2, 2));
    assert_eq!(swept.bytes, gone.iter().map(|name| name.len() as u64).sum::<u64>());
    let mut want = kept.map(str::to_owned);
    want.sort();
    let mut left = desk.files();
    left.sort();
    assert_eq!(left, want);
    assert!(!desk.root().join("b-000000000002").exists() && !desk.root().join("empty-000000000004").exists());
    assert_eq!(clear(&desk.list()).paths.len(), 1, "in a sweep that knows of nothing, the last one goes");
}

/// A hard link is as old as its content; the link itself is not.
#[test]
fn what_is_young_stays() {
    let desk = Desk::new();
    let path = desk.write(A);
    let long_ago = FileTimes::new().set_modified(SystemTime::now() - 30 * DAY);
    fs::File::options().write(true).open(&path).unwrap().set_times(long_ago).unwrap();
    let sweep = Sweep::list(&desk.output(), DAY).unwrap();
    assert_eq!((sweep.young(), sweep.is_foreign()), (1, false));
    assert_eq!(clear(&sweep), Swept::default());
    assert_eq!(clear(&desk.list()).paths.len(), 1);
}

#[test]
fn a_sweep_that_knows_nothing_says_so() {
    let desk = Desk::new();
    assert!(!desk.list().is_foreign(), "nothing is there");
    desk.write("a-000000000001/.tmp.x");
    assert!(!desk.list().is_foreign(), "temporary files belong to nobody");
    desk.write(A);
    assert!(desk.list().is_foreign());
}

#[test]
fn what_is_published_anew_after_the_listing_stays() {
    let desk = Desk::new();
    desk.write(A);
    desk.write(B);
    let sweep = desk.list();
    // By a new file, as a worker does; and by a hard link, as resegment does.
    let temporary = desk.write("a-000000000001/.tmp.new.00000");
    fs::rename(temporary, desk.root().join(A)).unwrap();
    let other = desk.root().join("other");
    fs::hard_link(desk.root().join(B), other).unwrap();
    assert_eq!(clear(&sweep), Swept::default());
    assert_eq!(desk.files(), [A, B, "other"]);
}

#[test]
fn what_a_killed_sweep_moved_aside_comes_back() {
    let desk = Desk::new();
    desk.write("a-000000000001/.tmp.gc.0f.00000-aaaaaaaaaaaa.wav");
    desk.write(B);
    desk.write("b-000000000002/.tmp.gc.0f.00000-bbbbbbbbbbbb.wav");
    let mut sweep = desk.list();
    sweep.keep(B);
    sweep.keep(A);
    clear(&sweep);
    assert_eq!(desk.files(), [A, B]);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let desk = Desk::new();
    let elsewhere = desk.folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("00000-aaaaaaaaaaaa.wav"), "precious").unwrap();
    let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, desk.root().join(name)).unwrap();
    link(&elsewhere, "a-000000000001");
    desk.write(B);
    link(&elsewhere.join("00000-aaaaaaaaaaaa.wav"), "b-000000000002/00001-aaaaaaaaaaaa.wav");
    let swept = clear(&desk.list());
    assert_eq!(swept.paths, [desk.root().canonicalize().unwrap().join(B)]);
    assert!(elsewhere.join("00000-aaaaaaaaaaaa.wav").exists());
    // The output folder itself may be one.
    desk.write(B);
    std::os::unix::fs::symlink(desk.root(), desk.folder.path().join("link")).unwrap();
    let sweep = Sweep::list(&OutputFolder::new(desk.folder.path().join("link")), Duration::ZERO).unwrap();
    assert_eq!(clear(&sweep).segment_files, 1);
}

/// A worker publishes one segment again and again while sweeps, for which no row refers to it, are listed and carried out.
/// Whatever is published after a listing must be there when its sweep has ended.
#[test]
fn sweeps_beside_a_worker_take_nothing_that_is_new() {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
    let (desk, done, published) = (Desk::new(), AtomicBool::new(false), AtomicU64::new(0));
    let output = desk.output();
    let swept = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            while !done.load(SeqCst) {
                let mut staging = output.stage("a.wav", "r", &uuid::Uuid::new_v4().to_string()).unwrap();
                staging.put(&[1, 2, 3]).unwrap();
                // A sweep whose minimum age is zero takes temporary files too; the worker then begins again.
                if staging.publish().is_ok() {
                    published.fetch_add(1, SeqCst);
                }
            }
        });
        // The worker publishes between listing and sweep however slow the disk is, because no sweep runs meanwhile. Two
        // publications: the first may have been in the listing.
        let published_twice = || {
            let before = published.load(SeqCst);
            let deadline = std::time::Instant::now() + Duration::from_secs(60);
            while published.load(SeqCst) < before + 2 {
                assert!(std::time::Instant::now() < deadline, "the worker published nothing");
                std::thread::yield_now();
            }
        };
        let mut swept = 0;
        for _ in 0..200 {
            let sweep = Sweep::list(&output, Duration::ZERO).unwrap();
            published_twice();
            swept += clear(&sweep).segment_files;
            assert!(!desk.files().is_empty(), "what was published after the listing is gone");
        }
        // Nothing is published now, so a sweep takes the file that is left.
        done.store(true, SeqCst);
        worker.join().unwrap();
        swept + clear(&Sweep::list(&output, Duration::ZERO).unwrap()).segment_files
    });
    assert!(swept > 0);
}
