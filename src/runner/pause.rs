//! Pauses of a run while its database or its output fails: nothing new is started, the reason is logged, and the run
//! resumes by itself.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use prepare_audio_pipeline::WriteError;

use super::Run;
use crate::progress::Progress;

/// How often a lasting pause is logged again.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// How often a paused run checks whether the output can be written again.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes that must be free beyond what the attempt needed that found the output full.
const MARGIN: u64 = 1 << 20;

/// What fails at the moment.
#[derive(Default)]
pub(super) struct Pauses {
    database: Mutex<Pause>,
    output: Mutex<OutputPause>,
}

/// One thing that may fail.
#[derive(Default)]
struct Pause {
    /// Since when it fails.
    since: Option<Instant>,
    logged: Option<Instant>,
    /// When it was last found to fail.
    last: Option<Instant>,
}

#[derive(Default)]
struct OutputPause {
    pause: Pause,
    /// Bytes that must be free before work goes on.
    needed: u64,
}

impl Pause {
    /// Records a failure; returns whether it is to be logged.
    fn begin(&mut self) -> bool {
        let now = Instant::now();
        self.since.get_or_insert(now);
        self.last = Some(now);
        let is_logged = self.logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL);
        if is_logged {
            self.logged = Some(now);
        }
        is_logged
    }

    /// Records that it works; returns for how long it failed.
    fn end(&mut self) -> Option<Duration> {
        self.logged = None;
        self.since.take().map(|since| since.elapsed())
    }
}

impl Pauses {
    /// A call to the database failed.
    pub fn database_failed(&self, error: &dyn std::error::Error, progress: &dyn Progress) {
        if lock(&self.database).begin() {
            tracing::error!(parent: None, "paused: {error} - it goes on by itself as soon as the database answers");
            progress.paused("the database does not answer");
        }
    }

    /// A call to the database succeeded.
    pub fn database_answered(&self, progress: &dyn Progress) {
        if let Some(time) = lock(&self.database).end() {
            tracing::warn!(parent: None, "the database answers again after {:.0} s; going on", time.as_secs_f64());
            progress.resumed();
        }
    }

    /// Whether no call to the database has failed for `time`.
    pub fn database_is_calm_for(&self, time: Duration) -> bool {
        lock(&self.database).last.is_none_or(|last| last.elapsed() >= time)
    }

    /// The output could not be written, by an attempt that needed so many bytes.
    pub fn output_failed(&self, error: &dyn std::error::Error, needed: u64, progress: &dyn Progress) {
        let mut output = lock(&self.output);
        output.needed = output.needed.max(needed + MARGIN);
        if output.pause.begin() {
            tracing::error!(
                parent: None,
                "paused: {error} - it goes on by itself as soon as that is fixed; no attempt is counted"
            );
            progress.paused("the output folder cannot be written");
        }
    }

    fn output_recovered(&self, progress: &dyn Progress) {
        let mut output = lock(&self.output);
        output.needed = 0;
        if let Some(time) = output.pause.end() {
            tracing::warn!(parent: None, "the output folder can be written again after {:.0} s; going on", time.as_secs_f64());
            progress.resumed();
        }
    }

    /// Whether the output could not be written when that was last tried.
    pub fn output_is_paused(&self) -> bool {
        self.bytes_needed().is_some()
    }

    /// The bytes that must be free before work goes on; `None` where the output is not paused.
    fn bytes_needed(&self) -> Option<u64> {
        let output = lock(&self.output);
        output.pause.since.map(|_| output.needed)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The value is consistent after each statement, so a panic elsewhere does not corrupt it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until the output can be written, which is usually at once. Returns `false` where the run is to end before that.
pub(super) async fn output_is_writable(run: &Run) -> bool {
    while let Some(needed) = run.pauses.bytes_needed() {
        let folder = run.preparer.output().clone();
        match tokio::task::spawn_blocking(move || folder.probe(needed)).await {
            Ok(Ok(())) => {
                run.pauses.output_recovered(&*run.progress);
                break;
            }
            Ok(Err(error)) => run.pauses.output_failed(&error, 0, &*run.progress),
            Err(ended) => tracing::debug!(%ended, "probing the output folder"),
        }
        tokio::select! {
            () = tokio::time::sleep(PROBE_INTERVAL) => {}
            () = run.shutdown.draining() => return false,
        }
    }
    true
}

/// Whether an error of the output concerns one recording's folder alone: it is not about space, and the output can be
/// written. Without this check such a recording would be given back and claimed again for ever.
pub(super) async fn is_own_fault(run: &Run, error: &WriteError) -> bool {
    let output = run.preparer.output().clone();
    !error.is_out_of_space()
        && tokio::task::spawn_blocking(move || output.probe(0)).await.is_ok_and(|probed| probed.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_and_its_end_are_each_logged_once() {
        let mut pause = Pause::default();
        assert_eq!((pause.begin(), pause.begin()), (true, false));
        assert!(pause.end().is_some());
        assert!(pause.end().is_none());
        assert!(pause.begin(), "another one");
    }

    #[test]
    fn the_bytes_needed_grow_with_the_attempt() {
        let pauses = Pauses::default();
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(pauses.bytes_needed(), None);
        pauses.output_failed(&full, 5 * MARGIN, &crate::progress::Silent);
        pauses.output_failed(&full, 0, &crate::progress::Silent);
        assert_eq!(pauses.bytes_needed(), Some(6 * MARGIN));
        pauses.output_recovered(&crate::progress::Silent);
        assert_eq!(pauses.bytes_needed(), None);
    }
}
