//! Operations that need root: mounting file systems and creating networks.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Set in a process that [`as_root`] started.
const AGAIN: &str = "PREPARE_AUDIO_TEST_AS_ROOT";

/// Returns `true` if this process is root. Otherwise it runs the test in another process, as root by `sudo` or in a user
/// namespace, and returns `false`: then the caller has nothing left to do.
///
/// # Panics
/// If neither way works, or if the test fails in the other process.
#[track_caller]
pub fn as_root(test: &str, in_namespace: bool) -> bool {
    if is_root() {
        return true;
    }
    assert!(env::var_os(AGAIN).is_none(), "{test} was started as root and is not");
    let ways: [&[&str]; 2] = [&["sudo", "-n", "-E"], &["unshare", "-rm"]];
    let ways = &ways[..if in_namespace { 2 } else { 1 }];
    let works = |way: &&&[&str]| run(Command::new(way[0]).args(&way[1..]).arg("true"));
    let Some(way) = ways.iter().find(works) else {
        panic!("{test} needs root: this process is not root, and none of {ways:?} works");
    };
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).arg(env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(AGAIN, "1");
    assert!(command.status().unwrap().success(), "{test} failed as root");
    false
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

fn run(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Runs a command, which must succeed.
#[track_caller]
pub fn run_or_panic(line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap_or_else(|e| panic!("{line}: {e}"));
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a command, and returns whether it succeeded.
pub fn try_run(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    run(Command::new(words[0]).args(&words[1..]))
}

/// Returns `is_installed`. If a tool is missing, prints that the test is skipped, or fails if the variable `require` is
/// set.
#[track_caller]
pub fn require_tool(tool: &str, is_installed: bool, require: &str) -> bool {
    if !is_installed {
        assert!(env::var_os(require).is_none_or(|v| v.is_empty()), "{require} is set, but {tool} is not installed");
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "\n!!! SKIPPED: {test}, without {tool}; ./test.sh installs it\n");
    }
    is_installed
}

/// A small file system in memory. It is unmounted when this is dropped.
pub struct Disk {
    pub folder: PathBuf,
}

impl Disk {
    pub fn mount(folder: PathBuf, megabytes: usize) -> Self {
        std::fs::create_dir_all(&folder).unwrap();
        run_or_panic(&format!("mount -t tmpfs -o size={megabytes}m none {}", folder.display()));
        Self { folder }
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let mut ballast = std::fs::OpenOptions::new().append(true).create(true).open(self.ballast()).unwrap();
        for length in [1 << 20, 1 << 16, 1 << 12, 1] {
            while ballast.write_all(&vec![1; length]).is_ok() {}
        }
    }

    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Remounts it as `ro` or `rw`. The kernel refuses while a file is open for writing, so this is tried repeatedly.
    #[track_caller]
    pub fn remount(&self, how: &str) {
        let line = format!("mount -o remount,{how} {}", self.folder.display());
        assert!((0..1000).any(|_| try_run(&line)), "{line}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.folder);
    }
}

fn unmount(folder: &Path) {
    try_run(&format!("umount -l {}", folder.display()));
}
