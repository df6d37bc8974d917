//! Peak memory of a process.

use std::{
    fs,
    process::Child,
    thread::sleep,
    time::{Duration, Instant},
};

/// Waits for its end, no longer than `patience`: its exit code, and the most memory that it ever held, kB. The system's own
/// mark of that is read, which never falls.
pub fn wait_with_peak(process: &mut Child, patience: Duration) -> (Option<i32>, u64) {
    let (begun, mut peak) = (Instant::now(), 0);
    loop {
        peak = peak.max(high_water(process.id()).unwrap_or(0));
        if let Some(status) = process.try_wait().unwrap() {
            return (status.code(), peak);
        }
        if begun.elapsed() > patience {
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
