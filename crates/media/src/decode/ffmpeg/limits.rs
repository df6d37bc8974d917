//! Limits a child process, and ends it. The child runs in a process group of its own, so that the processes that it starts are
//! ended with it: on many machines `ffmpeg` is a script.

use std::process::{Child, Command};

/// Limit of a child's address space in bytes. ffmpeg limits each of its allocations, but not their number. Audio takes a
/// fifth of this.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 2 << 30;

/// Starts the child in a process group of its own.
pub(super) fn apart(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Limits the memory of a child that was just started.
pub(super) fn set(child: &Child) {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};
        let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
        if let Err(error) = prlimit(Pid::from_child(child).into(), Resource::As, limit) {
            tracing::debug!(%error, "ffmpeg's memory is not limited");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = child;
}

/// Whether the child has ended. It is not reaped, so that its process ID is not reused.
pub(super) fn is_over(child: &mut Child) -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(Pid::from_child(child)), options), Ok(None))
    }
    #[cfg(not(unix))]
    !matches!(child.try_wait(), Ok(None))
}

/// Kills the child and its process group. Must be called before the child is reaped.
pub(super) fn kill(child: &mut Child) {
    #[cfg(unix)]
    let _ = rustix::process::kill_process_group(rustix::process::Pid::from_child(child), rustix::process::Signal::KILL);
    #[cfg(not(unix))]
    let _ = child.kill();
}
