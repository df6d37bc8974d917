//! The log of recordings that failed. Of many with the same error code, the first are logged one by one and the others
//! counted.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Lines of one error code in a [`WINDOW`].
const LINES: u32 = 20;

/// How often the counts are logged.
const WINDOW: Duration = Duration::from_secs(60);

/// Limits the lines of each error code.
#[derive(Default)]
pub(super) struct ErrorLog(Mutex<HashMap<String, Recent>>);

/// Lines of one error code since the window's beginning.
struct Recent {
    since: Instant,
    logged: u32,
    counted: u64,
}

impl ErrorLog {
    /// Logs that a recording failed, or counts it.
    pub fn failed(&self, code: &str, message: &str, is_retried: bool) {
        let (is_logged, summary) = self.admit(code, Instant::now());
        if let Some((number, time)) = summary {
            log_count(code, number, time);
        }
        match (is_logged, is_retried) {
            (false, _) => {}
            (true, true) => tracing::warn!(code, "will be tried again: {message}"),
            (true, false) => tracing::error!(code, "{message}"),
        }
    }

    /// Whether a line is to be logged, and what was counted in a window that is over.
    fn admit(&self, code: &str, now: Instant) -> (bool, Option<(u64, Duration)>) {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = codes.entry(code.to_owned()).or_insert(Recent { since: now, logged: 0, counted: 0 });
        let mut summary = None;
        let time = now.duration_since(recent.since);
        if time >= WINDOW {
            summary = (recent.counted > 0).then_some((recent.counted, time));
            *recent = Recent { since: now, logged: 0, counted: 0 };
        }
        let is_logged = recent.logged < LINES;
        if is_logged {
            recent.logged += 1;
        } else {
            recent.counted += 1;
        }
        (is_logged, summary)
    }

    /// Logs what is counted so far, at the end of a run.
    pub fn flush(&self) {
        let mut codes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (code, recent) in codes.drain().filter(|(_, recent)| recent.counted > 0) {
            log_count(&code, recent.counted, recent.since.elapsed());
        }
    }
}

fn log_count(code: &str, number: u64, time: Duration) {
    tracing::error!(parent: None, code, "{number} more recordings failed in the same way within {} s", time.as_secs());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_are_logged_and_the_others_counted() {
        let (log, start) = (ErrorLog::default(), Instant::now());
        let admitted = (0..1000).filter(|_| log.admit("not_found", start).0).count();
        assert_eq!(admitted, LINES as usize);
        assert_eq!(log.admit("corrupt", start), (true, None), "another code");
        let (is_logged, summary) = log.admit("not_found", start + WINDOW);
        assert_eq!((is_logged, summary), (true, Some((1000 - u64::from(LINES), WINDOW))));
    }
}
