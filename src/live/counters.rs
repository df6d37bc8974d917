//! Counters of a server.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts what a server does.
#[derive(Debug, Default)]
pub struct Counters {
    begun: AtomicU64,
    resumed: AtomicU64,
    recorded: AtomicU64,
    refused: AtomicU64,
    events: AtomicU64,
    received_ms: AtomicU64,
}

/// The figures of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LiveFigures {
    /// Sessions that have not ended.
    pub sessions: u64,
    /// Those of them that have a connection.
    pub connections: u64,
    /// Sessions that have begun.
    pub begun: u64,
    /// How often a session was resumed.
    pub resumed: u64,
    /// Sessions that have become recordings.
    pub recorded: u64,
    /// Frames that were refused.
    pub refused: u64,
    /// Events that were found.
    pub events: u64,
    /// Seconds of audio that were stored.
    pub received_s: f64,
}

impl Counters {
    pub(super) fn begun(&self) {
        self.begun.fetch_add(1, Relaxed);
    }

    pub(super) fn resumed(&self) {
        self.resumed.fetch_add(1, Relaxed);
    }

    pub(super) fn recorded(&self) {
        self.recorded.fetch_add(1, Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(super) fn received(&self, seconds: f64, events: usize) {
        self.received_ms.fetch_add((seconds * 1000.0) as u64, Relaxed);
        self.events.fetch_add(events as u64, Relaxed);
    }

    pub(super) fn figures(&self, sessions: u64, connections: u64) -> LiveFigures {
        LiveFigures {
            sessions,
            connections,
            begun: self.begun.load(Relaxed),
            resumed: self.resumed.load(Relaxed),
            recorded: self.recorded.load(Relaxed),
            refused: self.refused.load(Relaxed),
            events: self.events.load(Relaxed),
            received_s: self.received_ms.load(Relaxed) as f64 / 1000.0,
        }
    }
}
