//! The end of each attempt: its files are published and its rows committed, or its failure is recorded.
//!
//! Two tasks work beside the workers, so that no compute thread waits for a disk. One publishes files, the other commits
//! rows. Each takes all attempts that have arrived, up to a bound, so that several share a sync and a transaction; the
//! next ones gather meanwhile.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use prepare_audio_pipeline::{PrepareError, WriteError};
use prepare_audio_types::{ErrorCode, PreparedRecording};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    task::{JoinHandle, spawn_blocking},
};

use tracing::Instrument;

use super::{Run, RunError, claims::WorkMark, pause};
use crate::{
    output::{self, Staging},
    store::{AfterFailure, Claim, Ended, Ending, State, StoreError},
};

type Prepared = prepare_audio_pipeline::Prepared<Staging>;

/// Attempts that share a sync or a transaction at most.
const GROUP: usize = 64;

/// How long the first attempt of a group waits for others at most, where recordings are short.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// Parts of a group that are synced at the same time: the file system commits their syncs together.
const SYNCS: usize = 4;

/// Attempts that wait for the disk or the database at once, for each worker: enough to keep the workers computing,
/// few enough that a slow disk slows the claims.
const FINISHING_PER_WORKER: u32 = 64;

/// How many of these a recording counts as that is not short. Its rows and files are large.
const LONG_COUNTS_AS: u32 = FINISHING_PER_WORKER / 2;

/// Recordings of less audio, in seconds, are short.
const SHORT_S: f64 = 60.0;

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
    /// Where attempts go, and the tasks that end them; `None` after [`join`](Self::join).
    tasks: Mutex<Option<Tasks>>,
    fatal: Arc<Mutex<Option<StoreError>>>,
    attempt_ended: Arc<Notify>,
}

struct Tasks {
    to_publish: mpsc::UnboundedSender<ToPublish>,
    to_commit: mpsc::UnboundedSender<ToCommit>,
    publisher: JoinHandle<()>,
    committer: JoinHandle<()>,
}

/// An attempt whose files have no final names yet.
struct ToPublish {
    attempt: Held,
    prepared: Box<Prepared>,
}

/// An attempt whose end is not in the database yet.
struct ToCommit {
    attempt: Held,
    ending: Ending,
}

/// An attempt that is about to end. Its claim is no longer held when this is dropped, however the attempt ends, so that a
/// fault here cannot renew its lease for ever.
struct Held {
    run: Arc<Run>,
    claim: Claim,
    span: tracing::Span,
    attempt_ended: Arc<Notify>,
    _mark: Option<WorkMark>,
    _capacity: Option<OwnedSemaphorePermit>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.run.held.remove(&self.claim.key);
        self.attempt_ended.notify_one();
    }
}

impl Finisher {
    pub fn new(run: Arc<Run>) -> Self {
        let capacity = Arc::new(Semaphore::new(FINISHING_PER_WORKER as usize * run.settings.workers));
        let (fatal, attempt_ended) = (Arc::default(), Arc::new(Notify::new()));
        let ((to_publish, publishing), (to_commit, committing)) =
            (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let publisher = tokio::spawn(publish(Arc::clone(&run), publishing, to_commit.clone()));
        let committer = tokio::spawn(commit(Arc::clone(&run), committing, Arc::clone(&fatal)));
        let tasks = Mutex::new(Some(Tasks { to_publish, to_commit, publisher, committer }));
        Self { run, capacity, tasks, fatal, attempt_ended }
    }

    /// Takes the result of an attempt; returns as soon as there is capacity to finish it in the background. `mark` is
    /// the recording's entry in the work record.
    pub async fn finish(&self, claim: Claim, attempt: Attempt, mark: Option<WorkMark>) {
        let is_long = matches!(&attempt, Attempt::Completed(Ok(prepared)) if prepared.recording.duration_s > SHORT_S);
        let counts_as = if is_long { LONG_COUNTS_AS } else { 1 };
        let capacity = Arc::clone(&self.capacity).acquire_many_owned(counts_as).await.ok(); // it is never closed
        let held = Held {
            run: Arc::clone(&self.run),
            claim,
            span: tracing::Span::current(),
            attempt_ended: Arc::clone(&self.attempt_ended),
            // What is left to do with a short recording cannot take the process down.
            _mark: mark.filter(|_| is_long),
            _capacity: capacity,
        };
        let (to_publish, to_commit) = {
            let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(tasks) = tasks.as_ref() else { return };
            (tasks.to_publish.clone(), tasks.to_commit.clone())
        };
        // Sending fails only where a task has panicked. The claim is given back at the end of the run then.
        match attempt {
            Attempt::Completed(Ok(prepared)) if prepared.staging.has_files() => {
                let _ = to_publish.send(ToPublish { attempt: held, prepared });
            }
            Attempt::Completed(Ok(prepared)) => {
                let ending = Ending::Done(Arc::new(prepared.recording));
                let _ = to_commit.send(ToCommit { attempt: held, ending });
            }
            other => {
                // It may have to wait for a file system. The committer ends after this task: it waits for the sender.
                let end = async move {
                    let ending = held.ending(other).await;
                    let _ = to_commit.send(ToCommit { attempt: held, ending });
                };
                tokio::spawn(end.in_current_span());
            }
        }
    }

    /// Waits until an attempt has ended.
    pub async fn attempt_ended(&self) {
        self.attempt_ended.notified().await;
    }

    /// Waits for all attempts in progress; returns an error of the database that occurred in one of them.
    pub async fn join(&self) -> Result<(), RunError> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Tasks { to_publish, to_commit, publisher, committer }) = tasks {
            drop((to_publish, to_commit));
            for task in [publisher, committer] {
                if let Err(ended) = task.await
                    && ended.is_panic()
                {
                    std::panic::resume_unwind(ended.into_panic());
                }
            }
        }
        match self.fatal.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// The next attempts, at least one and at most [`GROUP`]; `None` when no more will come. Where recordings are short, the
/// first one waits a moment for others.
async fn next_group<T>(run: &Run, queue: &mut mpsc::UnboundedReceiver<T>) -> Option<Vec<T>> {
    let first = queue.recv().await?;
    let mut group = vec![first];
    if run.pace.ahead(run.settings.workers) > 0 && !run.shutdown.is_draining() {
        let until = tokio::time::Instant::now() + GROUP_TIME;
        while group.len() < GROUP
            && let Ok(Some(next)) = tokio::time::timeout_at(until, queue.recv()).await
        {
            group.push(next);
        }
    }
    while group.len() < GROUP
        && let Ok(next) = queue.try_recv()
    {
        group.push(next);
    }
    Some(group)
}

/// Publishes files. Files first, rows after: a row never refers to a missing file.
async fn publish(
    run: Arc<Run>,
    mut queue: mpsc::UnboundedReceiver<ToPublish>,
    to_commit: mpsc::UnboundedSender<ToCommit>,
) {
    while let Some(group) = next_group(&run, &mut queue).await {
        let started = Instant::now();
        let mut stagings = Vec::with_capacity(group.len());
        let mut attempts = Vec::with_capacity(group.len());
        for ToPublish { attempt, prepared } in group {
            let Prepared { recording, staging } = *prepared;
            attempts.push((attempt, recording, staging.folder().to_owned()));
            stagings.push(staging);
        }
        let mut published = publish_files(stagings).await.into_iter();
        let publish_ms = started.elapsed().as_secs_f64() * 1000.0 / attempts.len() as f64;
        for (attempt, mut recording, folder) in attempts {
            let lost = || Err(WriteError::from(std::io::Error::other("publishing the files failed")));
            let ending = match published.next().unwrap_or_else(lost) {
                Ok(()) => {
                    recording.times.write_ms += publish_ms;
                    recording.times.total_ms += publish_ms;
                    Ending::Done(Arc::new(recording))
                }
                Err(error) => attempt.failed(PrepareError::Write { folder, error }).await,
            };
            let _ = to_commit.send(ToCommit { attempt, ending });
        }
    }
}

/// Publishes the files of a group, in parts of about the same size; returns the result of each claim.
async fn publish_files(mut stagings: Vec<Staging>) -> Vec<Result<(), WriteError>> {
    let size = stagings.len().div_ceil(SYNCS).max(1);
    let mut parts = Vec::with_capacity(SYNCS);
    while !stagings.is_empty() {
        let part: Vec<_> = stagings.drain(..size.min(stagings.len())).collect();
        parts.push((part.len(), spawn_blocking(move || output::publish(part))));
    }
    let mut published = Vec::new();
    for (len, part) in parts {
        match part.await {
            Ok(outcomes) => published.extend(outcomes),
            Err(ended) => published.extend((0..len).map(|_| Err(std::io::Error::other(ended.to_string()).into()))),
        }
    }
    published
}

/// Commits rows.
async fn commit(run: Arc<Run>, mut queue: mpsc::UnboundedReceiver<ToCommit>, fatal: Arc<Mutex<Option<StoreError>>>) {
    while let Some(group) = next_group(&run, &mut queue).await {
        let Err(error) = commit_group(&run, &group).await else { continue };
        let mut errors = Vec::new();
        if group.len() == 1 || error.is_retryable() {
            errors.push(error);
        } else {
            // A row that the database refuses must not keep the others from being written.
            for one in group.chunks(1) {
                errors.extend(commit_group(&run, one).await.err());
            }
        }
        for error in errors {
            tracing::error!(%error, "the database failed");
            fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            run.shutdown.now();
        }
    }
}

async fn commit_group(run: &Run, group: &[ToCommit]) -> Result<(), StoreError> {
    #[cfg(feature = "fault-injection")]
    crate::faults::before_commit();
    let endings: Arc<[_]> = group.iter().map(|one| (one.attempt.claim.key.clone(), one.ending.clone())).collect();
    let ended = run.retrying(|| run.store.end(Arc::clone(&endings))).await?;
    for (one, ended) in group.iter().zip(ended) {
        one.attempt.span.in_scope(|| one.attempt.report(&one.ending, ended));
        if ended == Ended::Done {
            run.source_folders.was_read(&one.attempt.claim.source).await;
        }
    }
    Ok(())
}

impl Held {
    /// How an attempt ends that has prepared nothing.
    async fn ending(&self, attempt: Attempt) -> Ending {
        match attempt {
            Attempt::Completed(Ok(prepared)) => Ending::Done(Arc::new(prepared.recording)),
            Attempt::Completed(Err(error)) => self.failed(error).await,
            Attempt::Hung(allowed) => self.failed(PrepareError::timeout(&self.claim.source, allowed)).await,
            Attempt::Panicked(panic) => {
                let source = &self.claim.source;
                let message = format!("{source}: the program's own fault: {panic}; please report it with the file");
                Ending::Failed { code: ErrorCode::Panic.as_str().to_owned(), message, after: AfterFailure::GiveUp }
            }
            Attempt::Abandoned => Ending::Released,
        }
    }

    /// A failure of the recording, or, where the output is at fault or the run ends, a claim to be given back.
    async fn failed(&self, error: PrepareError) -> Ending {
        let run = &self.run;
        if let Some(cause) = error.disk_fault()
            && !pause::is_own_fault(run, cause).await
        {
            run.pauses.output_failed(&error, cause.needed(), &*run.progress);
            return Ending::Released;
        }
        if run.source_folders.is_at_fault(&self.claim.source, &error).await {
            return Ending::Released;
        }
        let Some(code) = error.code() else { return Ending::Released };
        let after =
            if error.is_retryable() { AfterFailure::RetryIn(backoff(&self.claim)) } else { AfterFailure::GiveUp };
        let message = match (run.settings.hint)(code) {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        };
        Ending::Failed { code: code.as_str().to_owned(), message, after }
    }

    /// Counts and logs the result that was committed.
    fn report(&self, ending: &Ending, ended: Ended) {
        let run = &self.run;
        match (ended, ending) {
            (Ended::Done, Ending::Done(recording)) => self.report_done(recording),
            (Ended::Failed(State::Pending), Ending::Failed { code, message, .. }) => {
                run.report.count(|r| r.retried += 1);
                run.error_log.failed(code, message, true);
            }
            (Ended::Failed(_), Ending::Failed { code, message, .. }) => {
                run.report.count(|r| {
                    r.failed += 1;
                    *r.errors.entry(code.clone()).or_default() += 1;
                });
                run.progress.ended();
                run.error_log.failed(code, message, false);
            }
            (Ended::Released, _) => run.report.count(|r| r.released += 1),
            // The run is ending, the output is at fault, or the claim was lost before: nothing was prepared.
            (_, Ending::Released) => run.report.count(|r| r.lost += 1),
            _ => {
                let Claim { key, attempts, max_attempts, .. } = &self.claim;
                let id = key.id;
                tracing::warn!(
                    "recording {id} (attempt {attempts} of {max_attempts}) was taken over; what was prepared is dropped"
                );
                run.report.count(|r| r.lost += 1);
            }
        }
    }

    fn report_done(&self, recording: &PreparedRecording) {
        self.run.report.done(recording);
        self.run.progress.ended();
        if !recording.warnings.is_empty() {
            tracing::warn!(warnings = recording.warnings.join(", "), "prepared what it holds");
        }
        let PreparedRecording { duration_s, speech_s, .. } = *recording;
        let segments = recording.segments.len();
        let x_real_time = (duration_s * 1000.0 / recording.times.total_ms.max(0.001)).round();
        tracing::info!(segments, duration_s, speech_s, x_real_time, "done");
    }
}

/// 2 s, 4 s, 8 s ... up to 5 minutes.
fn backoff(claim: &Claim) -> Duration {
    let exponent = claim.attempts.clamp(1, 9) as u32;
    Duration::from_secs(2u64.pow(exponent).min(300))
}
