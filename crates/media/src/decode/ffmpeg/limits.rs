//! What the system holds a child to. It runs in a process group of its own, so that it is ended together with whatever it
//! has started: the `ffmpeg` of many machines is a script.

use std::process::{Child, Command};

/// Address space of a child. ffmpeg bounds each of its allocations, but not how many there are; to play a sound it needs
/// a fifth of this.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 2 << 30;

/// A group of its own for the child to come.
pub(super) fn apart(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Bounds a child that was just started.
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

/// Whether it has ended. It is not waited for: as long as it is not, its number is nobody else's.
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

/// Ends it with all of its group. Must come before it is waited for.
pub(super) fn kill(child: &mut Child) {
    #[cfg(unix)]
    let _ = rustix::process::kill_process_group(rustix::process::Pid::from_child(child), rustix::process::Signal::KILL);
    #[cfg(not(unix))]
    let _ = child.kill();
}
