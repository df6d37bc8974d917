//! Progress of a run: bars on a terminal, a line now and then elsewhere.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use prepare_audio::progress::Progress;

use super::format;

/// How often a line is logged where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// What a bar over files shows.
const FILES: &str = "{bar:30} {pos}/{len} files  {eta} left";

/// Audio that was listened to, of what is planned. Both kinds of progress count with it.
struct Tally {
    started: Instant,
    planned_ms: AtomicU64,
    ended_ms: AtomicU64,
    running_ms: Vec<AtomicU64>,
    recordings: AtomicU64,
}

impl Tally {
    fn new(workers: usize) -> Self {
        Self {
            started: Instant::now(),
            planned_ms: AtomicU64::new(0),
            ended_ms: AtomicU64::new(0),
            running_ms: (0..workers).map(|_| AtomicU64::new(0)).collect(),
            recordings: AtomicU64::new(0),
        }
    }

    fn advance(&self, slot: usize, seconds: f64) {
        if let Some(running) = self.running_ms.get(slot) {
            running.store(milliseconds(seconds), Relaxed);
        }
    }

    fn work(&self, slot: usize, seconds: f64) {
        self.advance(slot, 0.0);
        self.ended_ms.fetch_add(milliseconds(seconds), Relaxed);
    }

    /// `1.20 h of 3.00 h, 800 x real time, 8 min 06 s left`.
    fn text(&self) -> String {
        let running: u64 = self.running_ms.iter().map(|r| r.load(Relaxed)).sum();
        let done = seconds(self.ended_ms.load(Relaxed) + running);
        let planned = seconds(self.planned_ms.load(Relaxed)).max(done);
        let speed = done / self.started.elapsed().as_secs_f64().max(0.001);
        let mut text = format!("{} of {}, {speed:.0} x real time", format::time(done), format::time(planned));
        if speed > 1.0 && planned > done {
            text += &format!(", {} left", format::time((planned - done) / speed));
        }
        text
    }
}

fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Progress of `fetch`.
pub struct Display {
    tally: Tally,
    bars: Option<Bars>,
    last_line: Mutex<Instant>,
    said_waiting: AtomicBool,
    paused: Mutex<Option<String>>,
    stopping: AtomicBool,
}

/// A line for the whole and one for each worker.
struct Bars {
    multi: MultiProgress,
    total: ProgressBar,
    workers: Vec<ProgressBar>,
}

impl Display {
    /// Bars where `on_terminal`, lines elsewhere.
    pub fn new(workers: usize, on_terminal: bool) -> Self {
        Self {
            tally: Tally::new(workers),
            bars: on_terminal.then(|| Bars::new(workers)),
            last_line: Mutex::new(Instant::now()),
            said_waiting: AtomicBool::new(false),
            paused: Mutex::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// The bars, for the log to write above.
    pub fn bars(&self) -> Option<MultiProgress> {
        self.bars.as_ref().map(|bars| bars.multi.clone())
    }

    /// So much audio is to be prepared in all.
    pub fn plan(&self, recordings: u64, seconds: f64) {
        self.tally.planned_ms.store(milliseconds(seconds), Relaxed);
        if let Some(bars) = &self.bars {
            bars.total.set_length(recordings);
        }
    }

    /// Tells something once: above the bars, or in the log.
    pub fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => drop(bars.multi.println(text)),
            None => tracing::info!(parent: None, "{text}"),
        }
    }

    /// Takes the bars away.
    pub fn clear(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.multi.clear();
        }
    }

    fn show(&self) {
        let Some(bars) = &self.bars else { return self.log_line() };
        bars.total.set_position(self.tally.recordings.load(Relaxed));
        let stopping = if self.stopping.load(Relaxed) { "stopping (Ctrl-C again to leave at once): " } else { "" };
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let paused = paused.as_ref().map(|why| format!("paused, {why}: ")).unwrap_or_default();
        bars.total.set_message(format!("{stopping}{paused}{}", self.tally.text()));
    }

    fn log_line(&self) {
        let mut last = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINE_EVERY {
            *last = Instant::now();
            tracing::info!(parent: None, recordings = self.tally.recordings.load(Relaxed), "{}", self.tally.text());
        }
    }
}

impl Bars {
    fn new(workers: usize) -> Self {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let total = multi.add(ProgressBar::new(0));
        total.set_style(style("{bar:30} {pos}/{len} recordings  {wide_msg}"));
        let workers = (0..workers)
            .map(|_| {
                let bar = multi.add(ProgressBar::new(0));
                bar.set_style(style("{bar:30.dim} {wide_msg}"));
                bar
            })
            .collect();
        Self { multi, total, workers }
    }
}

/// A bar over files that are looked at.
pub fn files(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
    bar.with_style(style(FILES))
}

/// A template of our own is right or a test fails; a wrong one is no reason to fail a run.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━╸─")
}

impl Progress for Display {
    fn started(&self, slot: usize, source: &str, seconds: Option<f64>) {
        self.said_waiting.store(false, Relaxed);
        if let Some(bar) = self.bars.as_ref().and_then(|bars| bars.workers.get(slot)) {
            bar.set_position(0);
            bar.set_length(milliseconds(seconds.unwrap_or(0.0)));
            bar.set_message(source.to_owned());
        }
    }

    fn advanced(&self, slot: usize, seconds: f64) {
        self.tally.advance(slot, seconds);
        if let Some(bar) = self.bars.as_ref().and_then(|bars| bars.workers.get(slot)) {
            bar.set_position(milliseconds(seconds));
        }
        self.show();
    }

    fn worked(&self, slot: usize, seconds: f64) {
        self.tally.work(slot, seconds);
        if let Some(bar) = self.bars.as_ref().and_then(|bars| bars.workers.get(slot)) {
            bar.set_message("");
            bar.set_position(0);
        }
        self.show();
    }

    fn ended(&self) {
        self.tally.recordings.fetch_add(1, Relaxed);
        self.show();
    }

    fn waiting(&self, running: i64, later: i64) {
        if self.said_waiting.swap(true, Relaxed) {
            return;
        }
        if running == 0 && later == 0 {
            self.say("waiting for new recordings");
        } else if running > 0 {
            let held = format::count(running as u64, "recording");
            self.say(&format!("waiting for {held} that other workers hold; if one died, its lease ends soon"));
        } else {
            self.say(&format!("waiting to try {} again", format::count(later as u64, "recording")));
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
    use super::*;

    #[test]
    fn the_templates_are_valid() {
        for template in ["{bar:30} {pos}/{len} recordings  {wide_msg}", "{bar:30.dim} {wide_msg}", FILES] {
            ProgressStyle::with_template(template).unwrap();
        }
    }

    #[test]
    fn audio_is_counted_once() {
        let tally = Tally::new(2);
        tally.planned_ms.store(7_200_000, Relaxed);
        tally.advance(0, 600.0);
        tally.advance(1, 60.0);
        tally.work(0, 1200.0);
        assert!(tally.text().starts_with("21 min 00 s of 2.00 h, "), "{}", tally.text());
    }
}
