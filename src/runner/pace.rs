//! How long recordings take, and so how many are claimed before a worker is free for them.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Work that is claimed ahead: so much time of all workers. Long enough for some commits of a slow disk, short enough that
/// another process that has nothing left to do waits no longer for a recording than it takes to start.
const AHEAD: Duration = Duration::from_millis(250);

/// Recordings that are claimed ahead at most.
const MAX_AHEAD: usize = 256;

/// Share of the newest recording in the mean.
const WEIGHT: f64 = 0.125;

/// The mean time that a worker spends on a recording.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Microseconds; 0 as long as it is not known.
    mean: AtomicU64,
}

impl Pace {
    /// A worker has spent so much time on a recording.
    pub fn add(&self, time: Duration) {
        let (time, mean) = (time.as_micros() as f64, self.mean.load(Relaxed) as f64);
        let new = if mean == 0.0 { time } else { mean + (time - mean) * WEIGHT };
        self.mean.store((new as u64).max(1), Relaxed); // of two at the same time one may be lost
    }

    /// Recordings turned out to take longer than they did.
    pub fn reset(&self) {
        self.mean.store(0, Relaxed);
    }

    /// How many recordings to claim ahead of the workers: none while one takes a substantial part of a second.
    pub fn ahead(&self, workers: usize) -> usize {
        match self.mean.load(Relaxed) {
            0 => 0,
            mean => (AHEAD.as_micros() as usize * workers / mean as usize).min(MAX_AHEAD),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_grow_only_while_recordings_are_short() {
        let pace = Pace::default();
        assert_eq!(pace.ahead(2), 0, "nothing is known yet");
        pace.add(Duration::from_secs(20));
        assert_eq!(pace.ahead(8), 0);
        pace.reset();
        pace.add(Duration::from_millis(5));
        assert_eq!((pace.ahead(1), pace.ahead(2)), (50, 100));
        for _ in 0..100 {
            pace.add(Duration::from_micros(10));
        }
        assert_eq!(pace.ahead(2), MAX_AHEAD);
        pace.add(Duration::from_secs(2));
        assert_eq!(pace.ahead(1), 0, "one long recording is enough to be careful");
    }
}
