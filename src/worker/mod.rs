//! Claim, prepare, publish, complete: the loop that `fetch` runs.
//!
//! ```text
//! claimer --bounded queue--> N workers --pool--> prepare --> publish files --> complete the row
//! ```
//! The claimer asks for one recording for each free worker and never more, so that no claim waits in line. A worker's
//! compute thread is free for the next recording as soon as the files are written; syncing them and committing the
//! rows goes on beside it.

mod claimer;
mod deadline;
mod finish;
mod held;
mod pauses;
mod report;
mod shutdown;
mod steady;

use std::{io::ErrorKind, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{Mutex, Semaphore, broadcast, mpsc};
use tracing::Instrument;

use self::{
    deadline::Pace,
    finish::{Attempt, Finisher},
    held::Held,
    pauses::Pauses,
};
pub use self::{
    deadline::Timeout,
    report::{Report, Tally},
    shutdown::Shutdown,
};
use crate::{
    output,
    pool::Pool,
    prepare::{PrepareError, Preparer, Task, Watch},
    progress::Progress,
    store::{Claim, Claimer, Known, Scope, Store, StoreError},
    vad::Listener,
};

/// How a run is to go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Recordings prepared at once.
    pub workers: usize,
    /// How long a claim stands without a heartbeat.
    pub lease: Duration,
    /// How often claims are prolonged.
    pub heartbeat: Duration,
    /// Base of relative sources.
    pub audio_dir: PathBuf,
    /// How long a running recording may go on after the first Ctrl-C before it is given back.
    pub grace: Duration,
    /// Which rows to prepare. Those that were made to be cut anew ([`Scope::Bound`]) are cut from what is known of
    /// them; all others are listened to.
    pub scope: Scope,
    /// How often a recording may be tried; `None` leaves it to its row.
    pub max_attempts: Option<i64>,
    /// How long one recording may take.
    pub timeout: Timeout,
    /// Whether to wait for new recordings when none is left.
    pub watch: bool,
}

/// How long a compute thread may go on without an answer after its recording's time was up.
const HANG_GRACE: Duration = Duration::from_secs(5);

/// How long it may go on when the run is over.
const END_GRACE: Duration = Duration::from_millis(300);

/// What giving back the last claims may take.
const FAREWELL: Duration = Duration::from_millis(700);

/// Renewals that a call may miss before it fails to hear of any.
const RENEWALS: usize = 8;

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output folder.
    #[error("cannot write to the output folder {}: {error}", folder.display())]
    Output {
        /// The folder.
        folder: PathBuf,
        /// What the file system says.
        error: std::io::Error,
    },
    /// The system has no threads for us.
    #[error("cannot start compute threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
}

/// A run's parts, shared by its tasks.
pub(crate) struct Run {
    store: Arc<dyn Store>,
    preparer: Arc<Preparer>,
    progress: Arc<dyn Progress>,
    settings: Settings,
    claimer: Claimer,
    pool: Pool,
    held: Held,
    /// Locked while something is being claimed, so that what is on its way is not taken for a stray.
    claiming: Mutex<()>,
    pauses: Pauses,
    /// Says that connections were given up, and why.
    renewed: broadcast::Sender<StoreError>,
    shutdown: Shutdown,
    report: Arc<Tally>,
}

impl Run {
    /// Takes back what dead workers held, and clears away what they left in their folders; returns how many recordings.
    ///
    /// After the database was away, everybody's leases have run out, the living ones' too. These are given time to come
    /// back to it.
    async fn reap_if_calm(&self) -> Result<u64, StoreError> {
        if !self.pauses.database_is_calm_for(self.settings.heartbeat * 2) {
            return Ok(0);
        }
        let reaped = self.steady(|| self.store.reap(self.settings.lease)).await?;
        for lost in &reaped {
            let folder = self.preparer.output().folder(&lost.source, &lost.recipe);
            if let Err(error) = output::remove_temporary(&folder, Some(&lost.claim_id)) {
                tracing::debug!(%error, folder = %folder.display(), "temporary files stay");
            }
            self.report.reaped(lost);
        }
        Ok(reaped.len() as u64)
    }

    /// What is known of a claimed recording, where that is to be used.
    async fn known(&self, claim: &Claim) -> Result<Option<Known>, StoreError> {
        match self.settings.scope {
            Scope::Any => Ok(None),
            Scope::Bound => {
                let hearing = self.preparer.hearing();
                self.steady(|| self.store.known(&claim.source, &hearing)).await
            }
        }
    }
}

/// Prepares every pending recording, until none is left or `shutdown` asks to end. `report` counts as it goes on.
///
/// # Errors
/// Where the database fails. Recordings' own failures are in the [`Report`] and in their rows.
pub async fn run(
    store: Arc<dyn Store>,
    preparer: Arc<Preparer>,
    settings: Settings,
    progress: Arc<dyn Progress>,
    shutdown: Shutdown,
    report: Arc<Tally>,
) -> Result<Report, RunError> {
    let recipe = preparer.recipe().id.clone();
    let claimer = Claimer {
        worker: worker_name(),
        recipe,
        lease: settings.lease,
        scope: settings.scope,
        max_attempts: settings.max_attempts,
    };
    let pool = Pool::new(settings.workers)?;
    let run = Arc::new(Run {
        store,
        preparer,
        progress,
        settings,
        claimer,
        pool,
        held: Held::default(),
        claiming: Mutex::default(),
        pauses: Pauses::default(),
        renewed: broadcast::Sender::new(RENEWALS),
        shutdown,
        report,
    });
    let database = run.steady(|| run.store.identity()).await?;
    open_output(&run, &database)?;
    let enlistment = run.steady(|| run.store.enlist(&run.claimer.worker)).await?;
    let beat = tokio::spawn(held::keep_alive(Arc::clone(&run)));
    let outcome = tokio::select! {
        outcome = work(&run) => outcome,
        () = run.shutdown.immediate() => Ok(()),
    };
    beat.abort();
    if give_back_the_rest(&run).await.is_err() {
        // The sign stays, and this process's death is seen at once; without one, the leases would have to run out.
        std::mem::forget(enlistment);
    }
    outcome.map(|()| run.report.report())
}

/// Makes the output folder. A folder that cannot be is a mistake to be told at once; one that is full or read-only at the
/// moment is waited for, as it would be later.
fn open_output(run: &Run, database: &str) -> Result<(), RunError> {
    let output = run.preparer.output();
    match output.ready().and_then(|()| output.belongs_to(database)) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::ReadOnlyFilesystem) => {
            let folder = output.root().to_owned();
            run.pauses.output_fails(&RunError::Output { folder, error }, 0, &*run.progress);
            Ok(())
        }
        Err(error) => Err(RunError::Output { folder: output.root().to_owned(), error }),
    }
}

/// Whatever is claimed still was claimed as the run came to its end, or left by an error, or its claim's answer was lost:
/// others may have it.
async fn give_back_the_rest(run: &Run) -> Result<(), ()> {
    let giving = async {
        let left = run.store.claims_of(&run.claimer.worker).await?;
        if left.is_empty() { Ok(0) } else { run.store.release(&left).await }
    };
    let trouble = match tokio::time::timeout(FAREWELL, giving).await {
        Ok(Ok(released)) => {
            run.report.count(|r| r.released += released);
            return Ok(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the database does not answer".to_owned(),
    };
    tracing::warn!("claims may be left that could not be given back: {trouble}");
    Err(())
}

/// The name of this process, unique among all that ever ran on any machine: `HOST-PID-xxxxxxxx`.
fn worker_name() -> String {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}-{}", host(), std::process::id(), &nonce[..8])
}

/// The machine's name, for people who look for the process.
#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The machine's name, for people who look for the process.
#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "host".to_owned())
}

/// Runs the claimer and the workers to their end.
async fn work(run: &Arc<Run>) -> Result<(), RunError> {
    let workers = run.settings.workers;
    let free = Arc::new(Semaphore::new(workers));
    let (send, receive) = mpsc::channel::<claimer::Assigned>(workers);
    let receive = Arc::new(tokio::sync::Mutex::new(receive));
    let finisher = Arc::new(Finisher::new(Arc::clone(run)));
    let mut tasks = tokio::task::JoinSet::new();
    for slot in 0..workers {
        let (run, receive, finisher) = (Arc::clone(run), Arc::clone(&receive), Arc::clone(&finisher));
        tasks.spawn(async move {
            let mut listeners = Vec::new();
            loop {
                let Some(assigned) = receive.lock().await.recv().await else { break };
                let span =
                    tracing::error_span!("recording", id = assigned.claim.key.id, source = assigned.claim.source);
                prepare_one(&run, slot, assigned, &mut listeners, &finisher).instrument(span).await;
            }
        });
    }
    let outcome = claimer::claim_all(run, free, send, &finisher).await;
    if outcome.is_err() {
        run.shutdown.now();
    }
    while tasks.join_next().await.is_some() {}
    finisher.join().await.and(outcome)
}

/// Prepares one claimed recording on the pool and hands the result to the finisher.
async fn prepare_one(
    run: &Arc<Run>,
    slot: usize,
    assigned: claimer::Assigned,
    listeners: &mut Vec<Listener>,
    finisher: &Arc<Finisher>,
) {
    let claimer::Assigned { claim, known, stop, permits } = assigned;
    let task = Task {
        source: claim.source.clone(),
        path: run.settings.audio_dir.join(&claim.source),
        claim_id: claim.key.claim_id.clone(),
        known,
    };
    let (shared, span, pace) = (Arc::clone(run), tracing::Span::current(), Arc::new(Pace::begin(run.settings.timeout)));
    // Those that are lost in a panic or with a thread are replaced with the next recording.
    let mut own = std::mem::take(listeners);
    let watch =
        SlotWatch { run: shared, slot, source: task.source.clone(), stop: stop.clone(), pace: Arc::clone(&pace) };
    let answer = run.pool.run(move || {
        let _entered = span.enter();
        let prepared = watch.run.preparer.prepare(&task, &mut own, &watch);
        (prepared, own)
    });
    let attempt = tokio::select! {
        answer = answer => match answer {
            Ok((prepared, own)) => {
                *listeners = own;
                Attempt::Answered(prepared.map(Box::new))
            }
            Err(panic) => Attempt::Panicked(panic.0),
        },
        allowed = pace.long_overdue(HANG_GRACE) => Attempt::Hung(allowed),
        () = async { run.shutdown.over().await; tokio::time::sleep(END_GRACE).await } => Attempt::Abandoned,
    };
    if matches!(attempt, Attempt::Hung(_) | Attempt::Abandoned) {
        // Nobody can end a thread that does not look up; others take its place.
        stop.set();
        run.pool.replace();
    }
    let seconds = match &attempt {
        Attempt::Answered(Ok(prepared)) => prepared.outcome.duration_s,
        _ => 0.0,
    };
    run.progress.worked(slot, seconds);
    drop(permits);
    finisher.finish(claim, attempt).await;
}

/// Carries a recording's progress out, and the wish to stop in.
struct SlotWatch {
    run: Arc<Run>,
    slot: usize,
    source: String,
    stop: held::StopFlag,
    pace: Arc<Pace>,
}

impl Watch for SlotWatch {
    fn opened(&self, seconds: Option<f64>) {
        self.run.progress.started(self.slot, &self.source, seconds);
    }

    fn advanced(&self, seconds: f64) {
        self.pace.heard(seconds);
        self.run.progress.advanced(self.slot, seconds);
    }

    fn go_on(&self) -> Result<(), PrepareError> {
        if self.stop.is_set() || self.run.shutdown.is_over() {
            return Err(PrepareError::Stopped);
        }
        self.pace.overdue().map_or(Ok(()), |allowed| Err(PrepareError::timeout(&self.source, allowed)))
    }
}

/// A claim's short form for the log.
fn describe(claim: &Claim) -> String {
    format!("recording {} (attempt {} of {})", claim.key.id, claim.attempts, claim.max_attempts)
}
