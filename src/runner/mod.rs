//! Claim, prepare, publish, complete: the loop that `fetch` runs.
//!
//! ```text
//! claimer --bounded queue--> N workers --pool--> prepare --> publish files --> complete the row
//! ```
//! The claimer claims a recording for each free worker. Where recordings are short, it claims some ahead, in groups, and
//! gives back those that no worker has begun soon. A worker's compute thread is free for the next recording as soon as the
//! files are written; syncing them and committing the rows goes on beside it, for several recordings at a time.

mod claimer;
mod claims;
mod deadline;
mod error_log;
mod finisher;
#[cfg(feature = "metrics")]
mod metrics;
mod pace;
mod pause;
mod report;
mod retry;
mod settings;
mod shutdown;
mod source_folders;
mod worker;

use std::{io::ErrorKind, sync::Arc, time::Duration};

use prepare_audio_pipeline::{SegmentOutput, WriteError};
use prepare_audio_types::StoredRecording;
use tokio::{
    sync::{Mutex, Semaphore, broadcast, mpsc},
    task::spawn_blocking,
};

#[cfg(feature = "metrics")]
pub use self::metrics::Metrics;
use self::{
    claims::{HeldClaims, Slots, WorkMark},
    error_log::ErrorLog,
    finisher::Finisher,
    pace::Pace,
    pause::Pauses,
    source_folders::SourceFolders,
};
pub use self::{
    deadline::Timeout,
    report::{Report, Tally},
    settings::{RunError, Settings},
    shutdown::Shutdown,
};
use crate::{
    output::{self, OutputFolder},
    pool::Pool,
    progress::Progress,
    store::{Claim, ClaimKey, Claimer, Exclusion, Isolation, Reaped, Scope, Store, StoreError, WorkRecord},
};

/// Prepares recordings into an output folder.
pub type Preparer = prepare_audio_pipeline::Preparer<OutputFolder>;

/// How long giving back the last claims may take.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(700);

/// Resets of the connections that a waiting call may fall behind by before it misses one.
const MISSED_RESETS: usize = 8;

/// A run's parts, shared by its tasks.
pub(crate) struct Run {
    store: Arc<Store>,
    preparer: Arc<Preparer>,
    progress: Arc<dyn Progress>,
    settings: Settings,
    claimer: Claimer,
    pool: Pool,
    held: HeldClaims,
    pace: Pace,
    /// Where this process records what it works on, if the database has such a place.
    work_record: Option<Arc<dyn WorkRecord>>,
    slots: Arc<Slots>,
    /// Locked during a claim, so that a claim whose response is under way is not taken for a stray one.
    claiming: Mutex<()>,
    pauses: Pauses,
    source_folders: SourceFolders,
    error_log: ErrorLog,
    /// Announces that the connections were abandoned, and why.
    connection_resets: broadcast::Sender<StoreError>,
    shutdown: Shutdown,
    report: Arc<Tally>,
}

impl Run {
    /// Takes back what dead workers held, and removes their temporary files; returns how many recordings.
    ///
    /// After an outage of the database, the leases of living workers have run out too. These get time to renew them.
    async fn reap_if_calm(&self) -> Result<u64, StoreError> {
        if !self.pauses.database_is_calm_for(self.settings.heartbeat * 2) {
            return Ok(0);
        }
        let reaped = self.retrying(|| self.store.reap(self.settings.lease)).await?;
        let number = reaped.len() as u64;
        self.report.reaped(&reaped);
        if number > 0 {
            let output = self.preparer.output().clone();
            let removed = spawn_blocking(move || reaped.iter().for_each(|lost| remove_temporary(&output, lost))).await;
            if let Err(error) = removed {
                tracing::debug!(%error, "removing temporary files");
            }
        }
        Ok(number)
    }

    /// Claims recordings. They count as begun at once where this process itself records what it works on.
    async fn reserve(&self, limit: usize, isolation: Isolation) -> Result<Vec<Claim>, StoreError> {
        match self.work_record {
            Some(_) => self.store.claim(&self.claimer, limit, isolation).await,
            None => self.store.reserve(&self.claimer, limit, isolation).await,
        }
    }

    /// Records that the work on a recording begins now, until the value is dropped.
    fn mark(&self, key: &ClaimKey) -> Option<WorkMark> {
        let record = self.work_record.as_ref()?;
        Some(WorkMark::new(Arc::clone(record), Arc::clone(&self.slots), key))
    }

    /// What is stored of a claimed recording, where the run uses it.
    async fn stored(&self, claim: &Claim) -> Result<Option<StoredRecording>, StoreError> {
        match self.settings.scope {
            Scope::Any => Ok(None),
            Scope::Bound => {
                let model_key = self.preparer.model_key();
                self.retrying(|| self.store.stored_recording(&claim.source, &model_key)).await
            }
        }
    }
}

/// Removes a dead worker's temporary files. Blocks on the disk.
fn remove_temporary(output: &OutputFolder, lost: &Reaped) {
    let folder = output.folder(&lost.source, &lost.recipe);
    if let Err(error) = output::remove_temporary(&folder, Some(&lost.claim_id)) {
        tracing::debug!(%error, folder = %folder.display(), "temporary files stay");
    }
}

/// Prepares every pending recording, until none is left or `shutdown` requests the end. `report` counts meanwhile.
///
/// # Errors
/// Where the database fails. Recordings' own failures are in the [`Report`] and in their rows.
pub async fn run(
    store: Arc<Store>,
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
        without: Exclusion::default(),
    };
    let source_folders = SourceFolders::new(settings.audio_dir.clone(), claimer.without.clone());
    let pool = Pool::new(settings.workers)?;
    let mut run = Run {
        store,
        preparer,
        progress,
        settings,
        claimer,
        pool,
        held: HeldClaims::default(),
        pace: Pace::default(),
        work_record: None,
        slots: Arc::default(),
        claiming: Mutex::default(),
        pauses: Pauses::default(),
        source_folders,
        error_log: ErrorLog::default(),
        connection_resets: broadcast::Sender::new(MISSED_RESETS),
        shutdown,
        report,
    };
    let database = run.retrying(|| run.store.identity()).await?;
    open_output(&run, database).await?;
    let registration = run.retrying(|| run.store.register_worker(&run.claimer.worker)).await?;
    run.work_record = registration.work_record();
    let run = Arc::new(run);
    let heartbeat = tokio::spawn(claims::heartbeat(Arc::clone(&run)));
    let outcome = tokio::select! {
        outcome = work(&run) => outcome,
        () = run.shutdown.immediate() => Ok(()),
    };
    heartbeat.abort();
    if release_remaining(&run).await.is_err() {
        // The registration stays, so that others detect at once that this process has ended. Without it, they would have
        // to wait for the leases to run out.
        std::mem::forget(registration);
    }
    run.error_log.flush();
    run.report.count(|r| r.unavailable_folders = run.source_folders.number());
    outcome.map(|()| run.report.report())
}

/// Makes the output folder. A folder that cannot be made is a mistake, reported at once. One that is full or read-only
/// at the moment is waited for, as it would be later in the run.
async fn open_output(run: &Run, database: String) -> Result<(), RunError> {
    let output = run.preparer.output().clone();
    let folder = output.root().to_owned();
    let opened = spawn_blocking(move || output.ready().and_then(|()| Ok(output.add_owner(&database)?))).await;
    match opened.unwrap_or_else(|error| Err(std::io::Error::other(error).into())) {
        Ok(()) => Ok(()),
        Err(error) if error.is_out_of_space() || is_read_only(&error) => {
            run.pauses.output_failed(&RunError::OutputFolder { folder, error }, 0, &*run.progress);
            Ok(())
        }
        Err(error) => Err(RunError::OutputFolder { folder, error }),
    }
}

fn is_read_only(error: &WriteError) -> bool {
    matches!(error, WriteError::Io { error, .. } if error.kind() == ErrorKind::ReadOnlyFilesystem)
}

/// Gives back what is still claimed: claims that were made while the run ended, that an error left behind, or whose
/// response was lost.
async fn release_remaining(run: &Run) -> Result<(), ()> {
    let release = async {
        let claims = run.store.claims_of(&run.claimer.worker).await?;
        if claims.is_empty() { Ok(0) } else { run.store.release(&claims).await }
    };
    let cause = match tokio::time::timeout(RELEASE_TIMEOUT, release).await {
        Ok(Ok(released)) => {
            run.report.count(|r| r.released += released);
            return Ok(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the database does not answer".to_owned(),
    };
    tracing::warn!("claims may be left that could not be given back: {cause}");
    Err(())
}

/// The name of this process, unique among all that ever ran on any machine: `HOST-PID-xxxxxxxx`.
fn worker_name() -> String {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}-{}", host(), std::process::id(), &nonce[..8])
}

/// The machine's name, for people who search for the process.
#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The machine's name, for people who search for the process.
#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "host".to_owned())
}

/// Runs the claimer and the workers to their end.
async fn work(run: &Arc<Run>) -> Result<(), RunError> {
    let workers = run.settings.workers;
    let free = Arc::new(Semaphore::new(workers));
    let (send, receive) = mpsc::channel(workers);
    let finisher = Arc::new(Finisher::new(Arc::clone(run)));
    let mut tasks = worker::start(run, receive, &finisher);
    let outcome = claimer::claim_all(run, free, send, &finisher).await;
    if outcome.is_err() {
        run.shutdown.now();
    }
    while tasks.join_next().await.is_some() {}
    finisher.join().await.and(outcome)
}
