//! The interface through which a run reports its progress. The terminal display in `cli` implements it.

/// Receives the progress of a run. Each method is called from many threads and must return at once.
pub trait Progress: Send + Sync {
    /// Worker `slot` has begun with `source`, whose header declares this many seconds.
    fn started(&self, slot: usize, source: &str, seconds: Option<f64>);
    /// Worker `slot` has processed so many seconds of it.
    fn advanced(&self, slot: usize, seconds: f64);
    /// Worker `slot` is free again; its recording had so many seconds, 0 where it was not prepared.
    fn worked(&self, slot: usize, seconds: f64);
    /// One recording more is done or has failed for good: its row says so.
    fn ended(&self);
    /// Nothing can be claimed at the moment: others hold `running` recordings, and `later` ones may not be claimed yet. If both
    /// are 0, the run waits for new ones.
    fn waiting(&self, running: i64, later: i64);
    /// Nothing new is begun, for this reason.
    fn paused(&self, why: &str);
    /// Work goes on after a pause.
    fn resumed(&self);
    /// Nothing more is claimed, because the user has requested the end.
    fn stopping(&self);
}

/// Ignores all reports.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn started(&self, _: usize, _: &str, _: Option<f64>) {}
    fn advanced(&self, _: usize, _: f64) {}
    fn worked(&self, _: usize, _: f64) {}
    fn ended(&self) {}
    fn waiting(&self, _: i64, _: i64) {}
    fn paused(&self, _: &str) {}
    fn resumed(&self) {}
    fn stopping(&self) {}
}
