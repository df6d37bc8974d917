//! What the run does while the world is at fault: nothing new is begun, a line says why, and it goes on by itself.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::Run;
use crate::progress::Progress;

/// How often a pause is told again in the log.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How often a paused run looks whether the output can be written again.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Room that the output must have beyond what the attempt needed that found it full, bytes.
const MARGIN: u64 = 1 << 20;

/// What is out of order at the moment.
#[derive(Default)]
pub(super) struct Pauses {
    database: Mutex<Pause>,
    output: Mutex<OutputPause>,
}

/// One thing that may be out of order.
#[derive(Default)]
struct Pause {
    /// Since when it is.
    since: Option<Instant>,
    told: Option<Instant>,
    /// When it was last seen to be.
    last: Option<Instant>,
}

#[derive(Default)]
struct OutputPause {
    pause: Pause,
    /// Bytes that must be free before it is worth another try.
    room: u64,
}

impl Pause {
    /// Notes that it is out of order; says whether that is to be told.
    fn begin(&mut self) -> bool {
        let now = Instant::now();
        self.since.get_or_insert(now);
        self.last = Some(now);
        let tell = self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if tell {
            self.told = Some(now);
        }
        tell
    }

    /// Notes that it is in order; returns for how long it was not.
    fn end(&mut self) -> Option<Duration> {
        self.told = None;
        self.since.take().map(|since| since.elapsed())
    }
}

impl Pauses {
    /// A call to the database was in vain.
    pub fn database_fails(&self, error: &dyn std::error::Error, progress: &dyn Progress) {
        if lock(&self.database).begin() {
            tracing::error!(parent: None, "paused: {error} - it goes on by itself as soon as the database answers");
            progress.paused("the database does not answer");
        }
    }

    /// A call to the database succeeded.
    pub fn database_answers(&self, progress: &dyn Progress) {
        if let Some(time) = lock(&self.database).end() {
            tracing::warn!(parent: None, "the database answers again after {:.0} s; going on", time.as_secs_f64());
            progress.resumed();
        }
    }

    /// Whether the database has answered without fail for `time`.
    pub fn database_is_calm_for(&self, time: Duration) -> bool {
        lock(&self.database).last.is_none_or(|last| last.elapsed() >= time)
    }

    /// The output could not be written, by an attempt that needed so many bytes.
    pub fn output_fails(&self, error: &dyn std::error::Error, needed: u64, progress: &dyn Progress) {
        let mut output = lock(&self.output);
        output.room = output.room.max(needed + MARGIN);
        if output.pause.begin() {
            tracing::error!(
                parent: None,
                "paused: {error} - it goes on by itself as soon as that is mended; no attempt is counted"
            );
            progress.paused("the output folder cannot be written");
        }
    }

    fn output_is_mended(&self, progress: &dyn Progress) {
        let mut output = lock(&self.output);
        output.room = 0;
        if let Some(time) = output.pause.end() {
            tracing::warn!(parent: None, "the output folder can be written again after {:.0} s; going on", time.as_secs_f64());
            progress.resumed();
        }
    }

    /// The room that the output must have before work goes on; `None` where nothing is wrong with it.
    fn output_needs(&self) -> Option<u64> {
        let output = lock(&self.output);
        output.pause.since.map(|_| output.room)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each is whole after every statement, so a panic elsewhere does not spoil it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until the output can be written, which it mostly can; `false` where the run is to end before that.
pub(super) async fn output_is_writable(run: &Run) -> bool {
    while let Some(room) = run.pauses.output_needs() {
        let folder = run.preparer.output().clone();
        match tokio::task::spawn_blocking(move || folder.probe(room)).await {
            Ok(Ok(())) => {
                run.pauses.output_is_mended(&*run.progress);
                break;
            }
            Ok(Err(error)) => run.pauses.output_fails(&error, 0, &*run.progress),
            Err(ended) => tracing::debug!(%ended, "looking at the output folder"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = run.shutdown.draining() => return false,
        }
    }
    true
}

/// Whether an error of the output concerns one recording's folder alone: it is not about room, and the output can be
/// written. Without this such a recording would be given back and claimed again for ever.
pub(super) async fn is_own_fault(run: &Run, error: &io::Error) -> bool {
    let output = run.preparer.output().clone();
    !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        && tokio::task::spawn_blocking(move || output.probe(0)).await.is_ok_and(|probed| probed.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_once_and_its_end_too() {
        let mut pause = Pause::default();
        assert_eq!((pause.begin(), pause.begin()), (true, false));
        assert!(pause.end().is_some());
        assert!(pause.end().is_none());
        assert!(pause.begin(), "another one");
    }

    #[test]
    fn the_room_that_is_asked_for_grows_with_what_was_written() {
        let pauses = Pauses::default();
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(pauses.output_needs(), None);
        pauses.output_fails(&full, 5 * MARGIN, &crate::progress::Silent);
        pauses.output_fails(&full, 0, &crate::progress::Silent);
        assert_eq!(pauses.output_needs(), Some(6 * MARGIN));
        pauses.output_is_mended(&crate::progress::Silent);
        assert_eq!(pauses.output_needs(), None);
    }
}
