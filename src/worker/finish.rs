//! The end of each attempt: files published and rows committed, or the failure written down.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
};
use tracing::Instrument;

use super::{Run, RunError, describe, pauses};
use crate::{
    output,
    prepare::{PrepareError, Prepared},
    store::{AfterFailure, Claim, State, StoreError},
};

/// Attempts that wait for the disk or the database at once, for each worker: enough to keep the workers computing,
/// few enough that a slow disk slows the claims.
const FINISHING_PER_WORKER: usize = 2;

/// How an attempt went.
pub(super) enum Attempt {
    /// The preparer's own answer.
    Answered(Result<Box<Prepared>, PrepareError>),
    /// It panicked; the panic's message.
    Panicked(String),
    /// It gave no answer for so long that its thread was left to itself: longer than the recording was allowed.
    Hung(Duration),
    /// It gave no answer when the run was to end.
    Abandoned,
}

/// Ends attempts beside the workers, so that these can go on computing.
pub(super) struct Finisher {
    run: Arc<Run>,
    room: Arc<Semaphore>,
    tasks: Mutex<JoinSet<()>>,
    fatal: Mutex<Option<StoreError>>,
    ended: Notify,
}

impl Finisher {
    pub fn new(run: Arc<Run>) -> Self {
        let room = Arc::new(Semaphore::new(FINISHING_PER_WORKER * run.settings.workers));
        Self { run, room, tasks: Mutex::default(), fatal: Mutex::default(), ended: Notify::new() }
    }

    /// Takes the result of an attempt; returns as soon as there is room to end it in the background.
    pub async fn finish(self: &Arc<Self>, claim: Claim, attempt: Attempt) {
        let room = Arc::clone(&self.room).acquire_owned().await;
        let this = Arc::clone(self);
        let end = async move {
            let _room = room;
            let _ended = Ended { finisher: &this, claim: &claim };
            if let Err(error) = this.end(&claim, attempt).await {
                this.give_up(&claim, error);
            }
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(end.in_current_span());
    }

    /// Waits until an attempt has ended.
    pub async fn something_ended(&self) {
        self.ended.notified().await;
    }

    /// Waits for all that is under way; an error of the database that came up on the way is returned.
    pub async fn join(&self) -> Result<(), RunError> {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
        match self.fatal.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    async fn end(&self, claim: &Claim, attempt: Attempt) -> Result<(), StoreError> {
        match attempt {
            Attempt::Answered(Ok(prepared)) => self.publish(claim, *prepared).await,
            Attempt::Answered(Err(error)) => self.failed(claim, error).await,
            Attempt::Panicked(panic) => self.panicked(claim, &panic).await,
            Attempt::Hung(allowed) => self.failed(claim, PrepareError::timeout(&claim.source, allowed)).await,
            Attempt::Abandoned => self.stopped(claim).await,
        }
    }

    /// Files first, rows after: a row never speaks of a file that is not there.
    async fn publish(&self, claim: &Claim, prepared: Prepared) -> Result<(), StoreError> {
        let Prepared { mut outcome, staging } = prepared;
        let started = std::time::Instant::now();
        let folder = staging.folder().to_owned();
        let published = tokio::task::spawn_blocking(move || staging.publish()).await;
        let published = published.unwrap_or_else(|e| Err(std::io::Error::other(e)));
        if let Err(error) = published {
            return self.failed(claim, PrepareError::Write { folder, error }).await;
        }
        let waited = started.elapsed().as_secs_f64() * 1000.0;
        outcome.times.write_ms += waited;
        outcome.times.total_ms += waited;
        self.run.steady(|| self.run.store.complete(&claim.key, &outcome)).await?;
        self.run.report.done(&outcome);
        let (duration_s, speech_s, segments) = (outcome.duration_s, outcome.speech_s, outcome.segments.len());
        self.run.progress.ended();
        if !outcome.warnings.is_empty() {
            tracing::warn!(warnings = outcome.warnings.join(", "), "prepared what it holds");
        }
        let x_real_time = (duration_s * 1000.0 / outcome.times.total_ms.max(0.001)).round();
        tracing::info!(segments, duration_s, speech_s, x_real_time, "done");
        Ok(())
    }

    async fn failed(&self, claim: &Claim, error: PrepareError) -> Result<(), StoreError> {
        if matches!(error, PrepareError::Stopped) {
            return self.stopped(claim).await;
        }
        if let Some(cause) = error.of_output()
            && !pauses::is_own_fault(&self.run, cause).await
        {
            self.run.pauses.output_fails(&error, output::needed(cause), &*self.run.progress);
            return self.stopped(claim).await;
        }
        let after = if error.is_retryable() { AfterFailure::RetryIn(backoff(claim)) } else { AfterFailure::GiveUp };
        self.record(claim, error.code(), &error.to_string(), after).await
    }

    async fn panicked(&self, claim: &Claim, panic: &str) -> Result<(), StoreError> {
        let message = format!("{}: the program's own fault: {panic}; please report it with the file", claim.source);
        self.record(claim, "panic", &message, AfterFailure::GiveUp).await
    }

    async fn record(&self, claim: &Claim, code: &str, message: &str, after: AfterFailure) -> Result<(), StoreError> {
        let state = self.run.steady(|| self.run.store.fail(&claim.key, code, message, after)).await?;
        let again = state == State::Pending;
        self.run.report.count(|r| {
            if again {
                r.retried += 1;
            } else {
                r.failed += 1;
                *r.errors.entry(code.to_owned()).or_default() += 1;
            }
        });
        if again {
            tracing::warn!(code, "will be tried again: {message}");
        } else {
            self.run.progress.ended();
            tracing::error!(code, "{message}");
        }
        Ok(())
    }

    /// The run is being ended, the output is at fault, or the claim is gone; a release of a lost claim changes nothing.
    async fn stopped(&self, claim: &Claim) -> Result<(), StoreError> {
        let released = self.run.steady(|| self.run.store.release(std::slice::from_ref(&claim.key))).await?;
        self.run.report.count(|r| if released > 0 { r.released += 1 } else { r.lost += 1 });
        Ok(())
    }

    /// A lost claim is somebody else's work now. Any other error means that the database is broken, and ends the run.
    fn give_up(&self, claim: &Claim, error: StoreError) {
        if matches!(error, StoreError::Lost(_)) {
            tracing::warn!("{} was taken over; what was prepared is dropped", describe(claim));
            self.run.report.count(|r| r.lost += 1);
            return;
        }
        tracing::error!(%error, "the database failed");
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.run.shutdown.now();
    }
}

/// Lets go of a claim however its end came about, so that a fault here cannot keep its lease alive for ever.
struct Ended<'a> {
    finisher: &'a Finisher,
    claim: &'a Claim,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.finisher.run.held.remove(&self.claim.key);
        self.finisher.ended.notify_one();
    }
}

/// 2 s, 4 s, 8 s ... up to 5 minutes.
fn backoff(claim: &Claim) -> Duration {
    let exponent = claim.attempts.clamp(1, 9) as u32;
    Duration::from_secs(2u64.pow(exponent).min(300))
}
