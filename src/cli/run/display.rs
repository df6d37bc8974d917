//! Progress of a run: bars on a terminal, a log line from time to time elsewhere.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar};
use prepare_audio::progress::Progress;

use super::counters::{Counters, milliseconds};
use crate::cli::{bars, format};

/// Pause between two log lines where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(30);

/// The bar over all recordings.
const TOTAL: &str = "{bar:30} {pos}/{len} recordings  {wide_msg}";

/// The bar of a worker's recording.
const WORKER: &str = "{bar:30.dim} {wide_msg}";

/// Progress of a run.
pub struct Display {
    counters: Counters,
    bars: Option<Bars>,
    last_line: Mutex<Instant>,
    waiting_is_shown: AtomicBool,
    paused: Mutex<Option<String>>,
    stopping: AtomicBool,
}

/// A bar for the whole run and one for each worker.
struct Bars {
    multi: MultiProgress,
    total: ProgressBar,
    workers: Vec<ProgressBar>,
}

impl Display {
    /// Bars if `on_terminal`, log lines otherwise.
    pub fn new(workers: usize, on_terminal: bool) -> Self {
        Self {
            counters: Counters::new(workers),
            bars: on_terminal.then(|| Bars::new(workers)),
            last_line: Mutex::new(Instant::now()),
            waiting_is_shown: AtomicBool::new(false),
            paused: Mutex::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// The bars, for the log to write above them.
    pub fn bars(&self) -> Option<MultiProgress> {
        self.bars.as_ref().map(|bars| bars.multi.clone())
    }

    /// Sets how many recordings are pending or running.
    pub fn set_remaining(&self, recordings: u64) {
        let total = self.counters.set_remaining(recordings);
        if let Some(bars) = &self.bars {
            bars.total.set_length(total);
        }
    }

    /// Sets the estimated mean length of a recording.
    pub fn set_mean_seconds(&self, seconds: Option<f64>) {
        self.counters.set_mean_seconds(seconds);
    }

    /// Prints a message above the bars, or logs it.
    pub fn print(&self, text: &str) {
        match &self.bars {
            Some(bars) => drop(bars.multi.println(text)),
            None => tracing::info!(parent: None, "{text}"),
        }
    }

    /// Removes the bars.
    pub fn clear(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.multi.clear();
        }
    }

    fn show(&self) {
        let Some(bars) = &self.bars else { return self.log_line() };
        bars.total.set_position(self.counters.ended());
        let stopping = if self.stopping.load(Relaxed) { "stopping (Ctrl-C again to leave at once): " } else { "" };
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let paused = paused.as_ref().map(|why| format!("paused, {why}: ")).unwrap_or_default();
        bars.total.set_message(format!("{stopping}{paused}{}", self.counters.text()));
    }

    fn log_line(&self) {
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINE_INTERVAL {
            *last = Instant::now();
            tracing::info!(parent: None, recordings = self.counters.ended(), "{}", self.counters.text());
        }
    }

    fn worker_bar(&self, slot: usize) -> Option<&ProgressBar> {
        self.bars.as_ref().and_then(|bars| bars.workers.get(slot))
    }
}

impl Bars {
    fn new(workers: usize) -> Self {
        let multi = MultiProgress::with_draw_target(bars::draw_target());
        let add = |template| {
            let bar = multi.add(ProgressBar::new(0));
            bar.set_style(bars::style(template));
            bar
        };
        let total = add(TOTAL);
        let workers = (0..workers).map(|_| add(WORKER)).collect();
        Self { multi, total, workers }
    }
}

impl Progress for Display {
    fn started(&self, slot: usize, source: &str, seconds: Option<f64>) {
        self.waiting_is_shown.store(false, Relaxed);
        if let Some(bar) = self.worker_bar(slot) {
            bar.set_position(0);
            bar.set_length(milliseconds(seconds.unwrap_or(0.0)));
            bar.set_message(source.to_owned());
        }
    }

    fn advanced(&self, slot: usize, seconds: f64) {
        self.counters.advance(slot, seconds);
        if let Some(bar) = self.worker_bar(slot) {
            bar.set_position(milliseconds(seconds));
        }
        self.show();
    }

    fn worked(&self, slot: usize, seconds: f64) {
        self.counters.add_audio(slot, seconds);
        if let Some(bar) = self.worker_bar(slot) {
            bar.set_message("");
            bar.set_position(0);
        }
        self.show();
    }

    fn ended(&self) {
        self.counters.add_ended();
        self.show();
    }

    fn waiting(&self, running: i64, later: i64) {
        if self.waiting_is_shown.swap(true, Relaxed) {
            return;
        }
        if running == 0 && later == 0 {
            self.print("waiting for new recordings");
        } else if running > 0 {
            let held = format::count(running as u64, "recording");
            self.print(&format!("waiting for {held} that other workers hold; if one died, its lease ends soon"));
        } else {
            self.print(&format!("waiting to try {} again", format::count(later as u64, "recording")));
        }
    }

    fn paused(&self, why: &str) {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
        self.show();
    }

    fn resumed(&self) {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.show();
    }

    fn stopping(&self) {
        self.stopping.store(true, Relaxed);
        self.show();
    }
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in [TOTAL, WORKER] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
