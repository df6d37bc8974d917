//! The events that a run reports while it works. Displaying them is the matter of `cli`.

/// Receives the events of a run. Each method is called from many threads and must return at once.
pub trait Progress: Send + Sync {
    /// Worker `slot` has started `source`. `seconds` is its length according to the header, if the header has one.
    fn started(&self, slot: usize, source: &str, seconds: Option<f64>);
    /// Worker `slot` has processed this many more seconds of its recording.
    fn advanced(&self, slot: usize, seconds: f64);
    /// Worker `slot` is free again. `seconds` is the length of its recording, or 0 if it was not prepared.
    fn worked(&self, slot: usize, seconds: f64);
    /// The row of one more recording is done, or failed without another attempt.
    fn ended(&self);
    /// Nothing can be claimed at the moment: other processes hold `running` recordings, and `later` ones wait for their
    /// next attempt. If both are 0, the run waits for new recordings.
    fn waiting(&self, running: i64, later: i64);
    /// The run claims nothing until it resumes, for the reason `why`.
    fn paused(&self, why: &str);
    /// The run claims recordings again after a pause.
    fn resumed(&self);
    /// The user has asked the run to end, so it claims nothing more.
    fn stopping(&self);
}

/// Ignores every event.
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
