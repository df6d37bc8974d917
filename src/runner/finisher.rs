//! The end of each attempt: its files are published and its rows committed, or its failure is recorded.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prepare_audio_pipeline::{PrepareError, WriteError};
use prepare_audio_types::ErrorCode;
use tokio::{
    sync::{Notify, Semaphore},
    task::{JoinSet, spawn_blocking},
};
use tracing::Instrument;

use super::{Run, RunError, pause};
use crate::{
    output::Staging,
    store::{AfterFailure, Claim, State, StoreError},
};

type Prepared = prepare_audio_pipeline::Prepared<Staging>;

/// Attempts that wait for the disk or the database at once, for each worker: enough to keep the workers computing,
/// few enough that a slow disk slows the claims.
const FINISHING_PER_WORKER: usize = 2;

/// How an attempt ended.
pub(super) enum Attempt {
    /// The preparer returned.
    Completed(Result<Box<Prepared>, PrepareError>),
    /// The preparer panicked, with this message.
    Panicked(String),
    /// The preparer did not return within the recording's allowance, which is this long. Its thread is left to itself.
    Hung(Duration),
    /// The preparer had not returned when the run was to end.
    Abandoned,
}

/// Ends attempts beside the workers, so that these can go on computing.
pub(super) struct Finisher {
    run: Arc<Run>,
    capacity: Arc<Semaphore>,
    tasks: Mutex<JoinSet<()>>,
    fatal: Mutex<Option<StoreError>>,
    attempt_ended: Notify,
}

impl Finisher {
    pub fn new(run: Arc<Run>) -> Self {
        let capacity = Arc::new(Semaphore::new(FINISHING_PER_WORKER * run.settings.workers));
        Self { run, capacity, tasks: Mutex::default(), fatal: Mutex::default(), attempt_ended: Notify::new() }
    }

    /// Takes the result of an attempt; returns as soon as there is capacity to finish it in the background.
    pub async fn finish(self: &Arc<Self>, claim: Claim, attempt: Attempt) {
        let permit = Arc::clone(&self.capacity).acquire_owned().await;
        let this = Arc::clone(self);
        let end = async move {
            let _permit = permit;
            let _held = HeldClaim { finisher: &this, claim: &claim };
            if let Err(error) = this.end(&claim, attempt).await {
                this.abandon(&claim, error);
            }
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(end.in_current_span());
    }

    /// Waits until an attempt has ended.
    pub async fn attempt_ended(&self) {
        self.attempt_ended.notified().await;
    }

    /// Waits for all attempts in progress; returns an error of the database that occurred in one of them.
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
            Attempt::Completed(Ok(prepared)) => self.publish(claim, *prepared).await,
            Attempt::Completed(Err(error)) => self.failed(claim, error).await,
            Attempt::Panicked(panic) => self.panicked(claim, &panic).await,
            Attempt::Hung(allowed) => self.failed(claim, PrepareError::timeout(&claim.source, allowed)).await,
            Attempt::Abandoned => self.stopped(claim).await,
        }
    }

    /// Files first, rows after: a row never refers to a missing file.
    async fn publish(&self, claim: &Claim, prepared: Prepared) -> Result<(), StoreError> {
        let Prepared { recording: mut outcome, staging } = prepared;
        let started = std::time::Instant::now();
        let folder = staging.folder().to_owned();
        let published = spawn_blocking(move || staging.publish()).await;
        let published = published.unwrap_or_else(|e| Err(WriteError::from(std::io::Error::other(e))));
        if let Err(error) = published {
            return self.failed(claim, PrepareError::Write { folder, error }).await;
        }
        let publish_ms = started.elapsed().as_secs_f64() * 1000.0;
        outcome.times.write_ms += publish_ms;
        outcome.times.total_ms += publish_ms;
        let outcome = Arc::new(outcome);
        self.run.retrying(|| self.run.store.complete(&claim.key, Arc::clone(&outcome))).await?;
        self.run.report.done(&outcome);
        self.run.source_folders.was_read(&claim.source).await;
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
        if let Some(cause) = error.disk_fault()
            && !pause::is_own_fault(&self.run, cause).await
        {
            self.run.pauses.output_failed(&error, cause.needed(), &*self.run.progress);
            return self.stopped(claim).await;
        }
        if self.run.source_folders.is_at_fault(&claim.source, &error).await {
            return self.stopped(claim).await;
        }
        let Some(code) = error.code() else { return self.stopped(claim).await };
        let after = if error.is_retryable() { AfterFailure::RetryIn(backoff(claim)) } else { AfterFailure::GiveUp };
        let message = match (self.run.settings.hint)(code) {
            Some(hint) => format!("{error}. {hint}"),
            None => error.to_string(),
        };
        self.record(claim, code, &message, after).await
    }

    async fn panicked(&self, claim: &Claim, panic: &str) -> Result<(), StoreError> {
        let message = format!("{}: the program's own fault: {panic}; please report it with the file", claim.source);
        self.record(claim, ErrorCode::Panic, &message, AfterFailure::GiveUp).await
    }

    async fn record(
        &self,
        claim: &Claim,
        code: ErrorCode,
        message: &str,
        after: AfterFailure,
    ) -> Result<(), StoreError> {
        let state = self.run.retrying(|| self.run.store.fail(&claim.key, code.as_str(), message, after)).await?;
        let is_retried = state == State::Pending;
        self.run.report.count(|r| {
            if is_retried {
                r.retried += 1;
            } else {
                r.failed += 1;
                *r.errors.entry(code.as_str().to_owned()).or_default() += 1;
            }
        });
        if !is_retried {
            self.run.progress.ended();
        }
        self.run.error_log.failed(code.as_str(), message, is_retried);
        Ok(())
    }

    /// The run is ending, the output is at fault, or the claim is lost. Releasing a lost claim changes nothing.
    async fn stopped(&self, claim: &Claim) -> Result<(), StoreError> {
        let released = self.run.retrying(|| self.run.store.release(std::slice::from_ref(&claim.key))).await?;
        self.run.report.count(|r| if released > 0 { r.released += 1 } else { r.lost += 1 });
        Ok(())
    }

    /// A lost claim belongs to another worker. Any other error means that the database is broken, and ends the run.
    fn abandon(&self, claim: &Claim, error: StoreError) {
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

/// A claim in the list of held ones. It is removed however the attempt ends, so that a fault here cannot renew its lease
/// for ever.
struct HeldClaim<'a> {
    finisher: &'a Finisher,
    claim: &'a Claim,
}

impl Drop for HeldClaim<'_> {
    fn drop(&mut self) {
        self.finisher.run.held.remove(&self.claim.key);
        self.finisher.attempt_ended.notify_one();
    }
}

/// A claim's short form for the log.
fn describe(claim: &Claim) -> String {
    format!("recording {} (attempt {} of {})", claim.key.id, claim.attempts, claim.max_attempts)
}

/// 2 s, 4 s, 8 s ... up to 5 minutes.
fn backoff(claim: &Claim) -> Duration {
    let exponent = claim.attempts.clamp(1, 9) as u32;
    Duration::from_secs(2u64.pow(exponent).min(300))
}
