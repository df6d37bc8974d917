//! What a run tells about itself while it goes on. The terminal's side of it is in `cli`.

use crate::prepare::PrepareError;

/// Listens to a run. Each method is called from many threads and must return at once.
pub trait Progress: Send + Sync {
    /// Worker `slot` has begun with `source`, whose header promises this many seconds.
    fn started(&self, slot: usize, source: &str, seconds: Option<f64>);
    /// Worker `slot` has listened to so many seconds of it.
    fn advanced(&self, slot: usize, seconds: f64);
    /// Worker `slot` is through with it.
    fn finished(&self, slot: usize, ending: &Ending<'_>);
    /// Nothing can be claimed just now: others hold `running` recordings and `later` ones wait for their time.
    fn waiting(&self, running: i64, later: i64);
    /// No more is claimed, because the user wants it so.
    fn stopping(&self);
}

/// How a recording's attempt ended.
#[derive(Debug)]
pub enum Ending<'a> {
    /// Prepared.
    Done {
        /// Its length in seconds.
        duration_s: f64,
        /// The speech in it, seconds.
        speech_s: f64,
        /// How many segments.
        segments: usize,
    },
    /// Failed, for now or for good.
    Failed(&'a PrepareError),
    /// Given back or lost.
    Undone,
}

/// Says nothing.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn started(&self, _: usize, _: &str, _: Option<f64>) {}
    fn advanced(&self, _: usize, _: f64) {}
    fn finished(&self, _: usize, _: &Ending<'_>) {}
    fn waiting(&self, _: i64, _: i64) {}
    fn stopping(&self) {}
}
