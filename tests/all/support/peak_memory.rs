//! Peak memory of a process.

use std::{
    fs,
    process::Child,
    thread::sleep,
    time::{Duration, Instant},
};

/// Waits until `process` ends. Returns its exit code and its peak memory in kB. A process that has not ended after `limit`
/// is killed, and has no exit code.
///
/// The peak is the kernel's own high-water mark, so no peak between two polls is missed.
pub fn wait_with_peak(process: &mut Child, limit: Duration) -> (Option<i32>, u64) {
    let (begun, mut peak) = (Instant::now(), 0);
    loop {
        peak = peak.max(high_water(process.id()).unwrap_or(0));
        if let Some(status) = process.try_wait().unwrap() {
            return (status.code(), peak);
        }
        if begun.elapsed() > limit {
            process.kill().unwrap();
            process.wait().unwrap();
            return (None, peak);
        }
        sleep(Duration::from_millis(5));
    }
}

fn high_water(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
