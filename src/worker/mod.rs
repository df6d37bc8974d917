//! Claim, prepare, publish, complete: the loop that `fetch` runs.
//!
//! ```text
//! claimer --bounded queue--> N workers --pool--> prepare --> publish files --> complete the row
//! ```
//! The claimer asks for one recording for each free worker and never more, so that no claim waits in line. A worker's
//! compute thread is free for the next recording as soon as the files are written; syncing them and committing the
//! rows goes on beside it.

mod claimer;
mod finish;
mod held;
mod report;
mod shutdown;

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc};
use tracing::Instrument;

use self::{finish::Finisher, held::Held};
pub use self::{report::Report, shutdown::Shutdown};
use crate::{
    output,
    pool::Pool,
    prepare::{Preparer, Task, Watch},
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
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
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
    shutdown: Shutdown,
    report: report::Tally,
}

impl Run {
    /// Takes back what dead workers held, and clears away what they left in their folders; returns how many recordings.
    async fn reap(&self) -> Result<u64, StoreError> {
        let reaped = self.store.reap(self.settings.lease).await?;
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
            Scope::Bound => self.store.known(&claim.source, self.preparer.model_sha256()).await,
        }
    }
}

/// Prepares every pending recording, until none is left or `shutdown` asks to end.
///
/// # Errors
/// Where the database fails. Recordings' own failures are in the [`Report`] and in their rows.
pub async fn run(
    store: Arc<dyn Store>,
    preparer: Arc<Preparer>,
    settings: Settings,
    progress: Arc<dyn Progress>,
    shutdown: Shutdown,
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
    let report = report::Tally::default();
    let enlistment = store.enlist(&claimer.worker).await?;
    let run =
        Arc::new(Run { store, preparer, progress, settings, claimer, pool, held: Held::default(), shutdown, report });
    let beat = tokio::spawn(held::keep_alive(Arc::clone(&run)));
    let outcome = work(&run).await;
    beat.abort();
    // Whatever still is held was left by an error: others may have it.
    let left = run.held.keys();
    if !left.is_empty()
        && let Err(error) = run.store.release(&left).await
    {
        tracing::warn!(%error, "{} claims could not be given back; their leases have to run out", left.len());
    }
    drop(enlistment);
    outcome.map(|()| run.report.report())
}

/// The name of this process, unique among all that ever ran.
fn worker_name() -> String {
    format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple())
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
            let mut listener = None;
            loop {
                let Some(assigned) = receive.lock().await.recv().await else { break };
                let span = tracing::info_span!("recording", id = assigned.claim.key.id, source = assigned.claim.source);
                prepare_one(&run, slot, assigned, &mut listener, &finisher).instrument(span).await;
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
    listener: &mut Option<Listener>,
    finisher: &Arc<Finisher>,
) {
    let claimer::Assigned { claim, known, stop, permit } = assigned;
    let task = Task {
        source: claim.source.clone(),
        path: run.settings.audio_dir.join(&claim.source),
        claim_id: claim.key.claim_id.clone(),
        known,
    };
    let (shared, span) = (Arc::clone(run), tracing::Span::current());
    // One that is lost in a panic is replaced with the next recording.
    let mut own = listener.take();
    let outcome = run
        .pool
        .run(move || {
            let _entered = span.enter();
            let watch = SlotWatch { run: &shared, slot, source: &task.source, stop };
            let prepared = shared.preparer.prepare(&task, &mut own, &watch);
            (prepared, own)
        })
        .await;
    let seconds = match &outcome {
        Ok((Ok(prepared), _)) => prepared.outcome.duration_s,
        _ => 0.0,
    };
    run.progress.worked(slot, seconds);
    drop(permit);
    let outcome = outcome.map(|(prepared, own)| {
        *listener = own;
        prepared
    });
    finisher.finish(claim, outcome).await;
}

/// Carries a recording's progress out, and the wish to stop in.
struct SlotWatch<'a> {
    run: &'a Run,
    slot: usize,
    source: &'a str,
    stop: held::StopFlag,
}

impl Watch for SlotWatch<'_> {
    fn opened(&self, seconds: Option<f64>) {
        self.run.progress.started(self.slot, self.source, seconds);
    }

    fn advanced(&self, seconds: f64) {
        self.run.progress.advanced(self.slot, seconds);
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_set() || self.run.shutdown.is_over()
    }
}

/// A claim's short form for the log.
fn describe(claim: &Claim) -> String {
    format!("recording {} (attempt {} of {})", claim.key.id, claim.attempts, claim.max_attempts)
}
