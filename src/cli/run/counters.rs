//! The numbers behind the progress display.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use crate::cli::format;

/// Recordings and audio of a run, done and in all. Many threads count.
pub struct Counters {
    started: Instant,
    /// Recordings that are done or have failed.
    ended: AtomicU64,
    /// Recordings of the run in all; 0 while it is not known.
    total: AtomicU64,
    /// Mean length of a recording; 0 while it is not known.
    mean_ms: AtomicU64,
    ended_ms: AtomicU64,
    running_ms: Vec<AtomicU64>,
}

impl Counters {
    /// Counters for so many workers.
    pub fn new(workers: usize) -> Self {
        Self {
            started: Instant::now(),
            ended: AtomicU64::new(0),
            total: AtomicU64::new(0),
            mean_ms: AtomicU64::new(0),
            ended_ms: AtomicU64::new(0),
            running_ms: (0..workers).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Worker `slot` has analysed so many seconds of its recording.
    pub fn advance(&self, slot: usize, seconds: f64) {
        if let Some(running) = self.running_ms.get(slot) {
            running.store(milliseconds(seconds), Relaxed);
        }
    }

    /// Worker `slot` has finished a recording of so many seconds.
    pub fn add_audio(&self, slot: usize, seconds: f64) {
        self.advance(slot, 0.0);
        self.ended_ms.fetch_add(milliseconds(seconds), Relaxed);
    }

    /// One recording more is done or has failed.
    pub fn add_ended(&self) {
        self.ended.fetch_add(1, Relaxed);
    }

    /// Recordings that are done or have failed.
    pub fn ended(&self) -> u64 {
        self.ended.load(Relaxed)
    }

    /// Sets how many recordings are pending or running. Returns the total.
    pub fn set_remaining(&self, recordings: u64) -> u64 {
        let total = self.ended() + recordings;
        self.total.store(total, Relaxed);
        total
    }

    /// Sets the mean length of a recording.
    pub fn set_mean_seconds(&self, seconds: Option<f64>) {
        self.mean_ms.store(milliseconds(seconds.unwrap_or(0.0)), Relaxed);
    }

    /// `1.20 h of 3.00 h, 800 x real time, 8 min 06 s left`, or without the total and the time left.
    pub fn text(&self) -> String {
        let running: u64 = self.running_ms.iter().map(|r| r.load(Relaxed)).sum();
        let done = seconds(self.ended_ms.load(Relaxed) + running);
        let planned = seconds(self.mean_ms.load(Relaxed).saturating_mul(self.total.load(Relaxed)));
        let speed = done / self.started.elapsed().as_secs_f64().max(0.001);
        let of_planned = if planned > 0.0 { format!(" of {}", format::time(planned.max(done))) } else { String::new() };
        let mut text = format!("{}{of_planned}, {speed:.0} x real time", format::time(done));
        if speed > 1.0 && planned > done {
            text += &format!(", {} left", format::time((planned - done) / speed));
        }
        text
    }
}

/// Seconds as whole milliseconds.
pub fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_is_counted_once() {
        let counters = Counters::new(2);
        counters.advance(0, 600.0);
        counters.advance(1, 60.0);
        counters.add_audio(0, 1200.0);
        assert!(counters.text().starts_with("21 min 00 s, "), "no total yet: {}", counters.text());
        assert_eq!(counters.set_remaining(4), 4);
        counters.set_mean_seconds(Some(1800.0));
        assert!(counters.text().starts_with("21 min 00 s of 2.00 h, "), "{}", counters.text());
        counters.add_ended();
        assert_eq!(counters.set_remaining(2), 3, "another process has taken one");
    }
}
