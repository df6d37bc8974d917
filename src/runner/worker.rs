//! The workers: each prepares one claimed recording after the other on the pool.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use prepare_audio_media::LocalFile;
use prepare_audio_pipeline::{Monitor, PrepareError, Task, WorkerModels};
use prepare_audio_types::Part;
use tokio::{
    sync::{Mutex, mpsc},
    task::{JoinSet, spawn_blocking},
};
use tracing::Instrument;

use super::{
    Run,
    claimer::Assigned,
    claims::StopFlag,
    deadline::Deadline,
    finisher::{Attempt, Finisher},
};

/// How long a compute thread may go on without a result after its recording's time was up.
const HANG_GRACE: Duration = Duration::from_secs(5);

/// How long it may go on when the run is over.
const END_GRACE: Duration = Duration::from_millis(300);

/// Starts one worker for each slot. They end when the claimer closes the queue.
pub(super) fn start(run: &Arc<Run>, queue: mpsc::Receiver<Assigned>, finisher: &Arc<Finisher>) -> JoinSet<()> {
    let queue = Arc::new(Mutex::new(queue));
    let mut tasks = JoinSet::new();
    for slot in 0..run.settings.workers {
        let (run, queue, finisher) = (Arc::clone(run), Arc::clone(&queue), Arc::clone(finisher));
        tasks.spawn(async move {
            let mut models = WorkerModels::default();
            loop {
                let Some(assigned) = queue.lock().await.recv().await else { break };
                let span =
                    tracing::error_span!("recording", id = assigned.claim.key.id, source = assigned.claim.source);
                prepare(&run, slot, assigned, &mut models, &finisher).instrument(span).await;
            }
        });
    }
    tasks
}

/// Prepares one claimed recording on the pool and passes the result to the finisher.
async fn prepare(run: &Arc<Run>, slot: usize, assigned: Assigned, models: &mut WorkerModels, finisher: &Arc<Finisher>) {
    let Assigned { claim, stored, stop, permits } = assigned;
    let (path, part) = locate(&run.settings.audio_dir, &claim.source).await;
    let task = Task {
        source: claim.source.clone(),
        input: Arc::new(LocalFile::new(path)),
        part,
        claim_id: claim.key.claim_id.clone(),
        stored,
    };
    let (shared, span) = (Arc::clone(run), tracing::Span::current());
    let deadline = Arc::new(Deadline::start(run.settings.timeout));
    // Models that are lost in a panic or with a thread are replaced with the next recording.
    let mut own = std::mem::take(models);
    let (source, stop_flag) = (task.source.clone(), stop.clone());
    let monitor = SlotMonitor { run: shared, slot, source, stop: stop_flag, deadline: Arc::clone(&deadline) };
    let key = claim.key.clone();
    let result = run.pool.run(move || {
        let _entered = span.enter();
        let started = Instant::now();
        let mark = monitor.run.mark(&key);
        let prepared = monitor.run.preparer.prepare(&task, &mut own, &monitor);
        monitor.run.pace.add(started.elapsed());
        (prepared, own, mark)
    });
    let mut mark = None;
    let attempt = tokio::select! {
        result = result => match result {
            Ok((prepared, own, its_mark)) => {
                *models = own;
                mark = its_mark;
                Attempt::Completed(prepared.map(Box::new))
            }
            Err(panic) => Attempt::Panicked(panic.0),
        },
        allowed = deadline.exceeded_by(HANG_GRACE) => Attempt::Hung(allowed),
        () = async { run.shutdown.over().await; tokio::time::sleep(END_GRACE).await } => Attempt::Abandoned,
    };
    if matches!(attempt, Attempt::Hung(_) | Attempt::Abandoned) {
        // A thread cannot be ended from outside. It is left to itself, and others take its place.
        stop.set();
        run.pool.replace();
    }
    let seconds = match &attempt {
        Attempt::Completed(Ok(prepared)) => prepared.recording.duration_s,
        _ => 0.0,
    };
    run.progress.worked(slot, seconds);
    drop(permits);
    finisher.finish(claim, attempt, mark).await;
}

/// The file of a source, and the part of it that is the recording. A file whose name looks like a part is a file.
async fn locate(audio_dir: &Path, source: &str) -> (PathBuf, Option<Part>) {
    let whole = audio_dir.join(source);
    let (path, part) = Part::split(source);
    if part.is_none() {
        return (whole, None);
    }
    let of_part = audio_dir.join(path);
    let is_file = move || if whole.exists() { (whole, None) } else { (of_part, part) };
    spawn_blocking(is_file).await.unwrap_or_else(|_| (audio_dir.join(path), part))
}

/// Reports a recording's progress, and stops the pipeline when the run or the claim ends.
struct SlotMonitor {
    run: Arc<Run>,
    slot: usize,
    source: String,
    stop: StopFlag,
    deadline: Arc<Deadline>,
}

impl Monitor for SlotMonitor {
    fn opened(&self, seconds: Option<f64>) {
        self.run.progress.started(self.slot, &self.source, seconds);
    }

    fn advanced(&self, seconds: f64) {
        #[cfg(feature = "fault-injection")]
        crate::faults::inject(&self.source);
        self.deadline.advance(seconds);
        self.run.progress.advanced(self.slot, seconds);
    }

    fn check(&self) -> Result<(), PrepareError> {
        if self.stop.is_set() || self.run.shutdown.is_over() {
            return Err(PrepareError::Stopped);
        }
        self.deadline.exceeded().map_or(Ok(()), |allowed| Err(PrepareError::timeout(&self.source, allowed)))
    }
}
