//! Operations that need root: mounting file systems and creating networks.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Says that this process was started by [`as_root`].
const AGAIN: &str = "PREPARE_AUDIO_TEST_AS_ROOT";

/// Whether the test is to go on here, as root. Where this process is not root, the test runs in another one that is, by
/// `sudo` or in a namespace of its own; then there is nothing left to do here.
///
/// # Panics
/// Where there is no way to be root, and where the test fails there.
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
        panic!("{test} needs root: neither is this root, nor does any of {ways:?} work");
    };
    let mut command = Command::new(way[0]);
    command.args(&way[1..]).arg(env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(AGAIN, "1");
    assert!(command.status().unwrap().success(), "{test} failed as root");
    false
}

fn is_root() -> bool {
    let told = Command::new("id").arg("-u").output().unwrap();
    told.stdout == b"0\n"
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

/// Runs a command; says whether it succeeded.
pub fn try_run(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    run(Command::new(words[0]).args(&words[1..]))
}

/// Whether a tool is there. One that is not is left out with a word, or fails the test where `require` is set.
#[track_caller]
pub fn require_tool(tool: &str, require_tool: bool, require: &str) -> bool {
    if !require_tool {
        assert!(env::var_os(require).is_none_or(|v| v.is_empty()), "{require} is set, but {tool} is not installed");
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(std::io::stderr(), "\n!!! LEFT OUT: {test}, without {tool}; ./test.sh installs it\n");
    }
    require_tool
}

/// A small file system in memory, gone with this.
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

    /// `ro` or `rw`. While a file is open for writing, the system refuses; no file is for long.
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
