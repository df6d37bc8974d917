//! The one task that claims, in groups: a recording for each free worker, and where recordings are short, some ahead.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use prepare_audio_types::StoredRecording;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};

use super::{Run, RunError, claims::StopFlag, finisher::Finisher, pause, retry::jittered};
use crate::store::{Claim, ClaimKey, Claimer, Isolation, Notifications, Outlook, Scope, StoreError};

/// How long an idle claimer sleeps at most: others may add recordings or die.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long it sleeps at most where new recordings are announced.
const NOTIFIED_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// How long a recording that must run alone waits for a moment without others before others wait for it.
const ISOLATED_WAIT: Duration = Duration::from_secs(600);

/// How often the database is queried for such recordings while there is other work.
const ISOLATED_POLL_INTERVAL: Duration = Duration::from_secs(30);

/// How long a claim is kept in reserve. After that it is given back: the recordings before it take longer than expected, and
/// another process may have time.
const MAX_RESERVED: Duration = Duration::from_secs(2);

/// How many short recordings a worker begins ahead where the database records what was begun. If the process dies, each of
/// them has to run alone afterwards, because each may have been the cause.
const BEGUN_AHEAD: usize = 8;

/// A claimed recording for a worker, with its permit to compute: with all permits where it has to run alone.
pub(super) struct Assigned {
    pub claim: Claim,
    pub stored: Option<StoredRecording>,
    pub stop: StopFlag,
    pub permits: Vec<OwnedSemaphorePermit>,
}

/// A claim in reserve.
struct Reserved {
    claim: Claim,
    stop: StopFlag,
    since: Instant,
}

/// Claims until nothing is left to do, or the end is requested.
pub(super) async fn claim_all(
    run: &Arc<Run>,
    free: Arc<Semaphore>,
    queue: mpsc::Sender<Assigned>,
    finisher: &Finisher,
) -> Result<(), RunError> {
    run.reap_if_calm().await?;
    let notifications = run.settings.watch.then(|| run.store.notifications());
    let mut feeder = Feeder {
        run,
        free,
        queue,
        idle: Vec::new(),
        claimed: VecDeque::new(),
        begun: VecDeque::new(),
        claiming: None,
        beginning: None,
        isolated: Some(IsolatedQueue::default()),
        is_exhausted: false,
        dropping: tokio::spawn(drop_duplicates(Arc::clone(run))),
    };
    let outcome = feeder.feed(finisher, notifications.as_ref()).await;
    feeder.dropping.abort();
    let returned = feeder.give_back().await;
    outcome.and(returned.map(|released| run.report.count(|r| r.released += released)))
}

/// What a claim returns: the state of the recordings that have to run alone, and the claims.
type Claiming = (IsolatedQueue, Result<Vec<Reserved>, RunError>);

/// How many claims were to be begun, and those of them that are still valid.
type Begun = (usize, Vec<ClaimKey>);

/// Passes recordings to the workers, and claims more before they are idle.
struct Feeder<'r> {
    run: &'r Arc<Run>,
    free: Arc<Semaphore>,
    queue: mpsc::Sender<Assigned>,
    /// Permits of workers that have nothing to do.
    idle: Vec<OwnedSemaphorePermit>,
    /// Claims in reserve, the next one first.
    claimed: VecDeque<Reserved>,
    /// Claims before those, which a worker may begin. Where the database records what was begun, their rows are updated.
    begun: VecDeque<Reserved>,
    /// The claim that is under way, in a task of its own, because it must not be dropped half way.
    claiming: Option<JoinHandle<Claiming>>,
    /// The first claims in reserve are being begun: how many, and those of them that are still valid.
    beginning: Option<JoinHandle<Result<Begun, StoreError>>>,
    /// `None` while a claim is under way.
    isolated: Option<IsolatedQueue>,
    /// The last claim found nothing.
    is_exhausted: bool,
    /// Drops duplicates beside the first claims. In a table of a million rows that takes more than a second.
    dropping: JoinHandle<Result<u64, RunError>>,
}

impl Feeder<'_> {
    async fn feed(&mut self, finisher: &Finisher, notifications: Option<&Notifications>) -> Result<(), RunError> {
        let run = self.run;
        while !run.shutdown.is_draining() {
            if run.pauses.output_is_paused() {
                self.give_back().await?;
                if !pause::output_is_writable(run).await {
                    break;
                }
            }
            self.start_beginning();
            if !self.pass_on().await? {
                return Ok(()); // no worker is left
            }
            self.start_beginning(); // some more, for workers that are busy now
            self.start_claiming();
            if self.is_exhausted && self.claiming.is_none() && self.reserved() == 0 && !self.idle.is_empty() {
                if !self.wait_for_work(finisher, notifications).await? {
                    return Ok(());
                }
                self.is_exhausted = false;
                continue;
            }
            let oldest = self.begun.front().or(self.claimed.front()).map(|reserved| reserved.since + MAX_RESERVED);
            tokio::select! {
                (isolated, claims) = joined(&mut self.claiming) => self.add_claims(isolated, claims)?,
                begun = joined(&mut self.beginning) => self.add_begun(begun?),
                permit = Arc::clone(&self.free).acquire_owned() => self.idle.extend(permit.ok()), // it is never closed
                () = sleep_until(oldest) => {
                    self.run.pace.reset();
                    self.give_back().await?;
                }
                () = run.shutdown.draining() => break,
            }
            while let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                self.idle.push(permit);
            }
        }
        run.progress.stopping();
        Ok(())
    }

    /// Claims that no worker has yet.
    fn reserved(&self) -> usize {
        self.claimed.len() + self.begun.len()
    }

    /// Passes recordings to workers as long as there are both. Returns `false` where no worker is left.
    async fn pass_on(&mut self) -> Result<bool, RunError> {
        while !self.idle.is_empty()
            && let Some(Reserved { claim, stop, .. }) = self.begun.pop_front()
        {
            let stored = self.run.stored(&claim).await?;
            let mut permits: Vec<_> = self.idle.pop().into_iter().collect();
            if claim.crashes > 0 {
                // Nothing was held when it was claimed, so all other permits are free or about to be.
                permits.append(&mut self.idle);
                let rest = (self.run.settings.workers - permits.len()) as u32;
                permits.extend(Arc::clone(&self.free).acquire_many_owned(rest).await.ok().filter(|_| rest > 0));
                let crashes = claim.crashes;
                tracing::info!(source = claim.source, crashes, "it crashed a process before: it runs alone");
            }
            if self.queue.send(Assigned { claim, stored, stop, permits }).await.is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Begins the next claims in reserve. Where the process itself records what it works on, nothing has to be written.
    /// Otherwise the rows are updated first; where recordings are short, this is done for the next [`BEGUN_AHEAD`] recordings
    /// of each worker while the worker still works on the ones before.
    fn start_beginning(&mut self) {
        if self.run.work_record.is_some() {
            self.begun.append(&mut self.claimed);
            return;
        }
        let workers = self.run.settings.workers;
        let ahead = self.run.pace.ahead(workers).min(workers * BEGUN_AHEAD);
        if self.begun.len() >= self.idle.len() + ahead / 2 && ahead > 0 {
            return; // enough for now, and one statement for several costs little more than for one
        }
        let number = (self.idle.len() + ahead).saturating_sub(self.begun.len()).min(self.claimed.len());
        if self.beginning.is_some() || number == 0 {
            return;
        }
        let keys: Vec<_> = self.claimed.iter().take(number).map(|reserved| reserved.claim.key.clone()).collect();
        let run = Arc::clone(self.run);
        self.beginning = Some(tokio::spawn(async move {
            let begun = run.retrying(|| run.store.begin(&run.claimer.worker, &keys)).await?;
            Ok((keys.len(), begun))
        }));
    }

    /// Starts a claim where too little is in reserve.
    fn start_claiming(&mut self) {
        let ahead = self.run.pace.ahead(self.run.settings.workers);
        let (wanted, reserved) = (self.idle.len() + ahead, self.reserved());
        if self.is_exhausted || wanted <= reserved || reserved > ahead / 2 {
            return;
        }
        if let Some(isolated) = self.isolated.take() {
            self.claiming = Some(tokio::spawn(claim(Arc::clone(self.run), wanted - reserved, isolated)));
        }
    }

    fn add_claims(&mut self, isolated: IsolatedQueue, claims: Result<Vec<Reserved>, RunError>) -> Result<(), RunError> {
        self.isolated = Some(isolated);
        let claims = claims?;
        self.is_exhausted = claims.is_empty();
        self.claimed.extend(claims);
        Ok(())
    }

    /// Takes the answer to [`start_beginning`](Self::start_beginning): the first claims in reserve are begun or lost.
    fn add_begun(&mut self, (asked, begun): Begun) {
        for reserved in self.claimed.drain(..asked) {
            if begun.contains(&reserved.claim.key) {
                self.begun.push_back(reserved);
            } else {
                self.run.held.remove(&reserved.claim.key);
                self.run.report.count(|r| r.lost += 1);
            }
        }
    }

    /// Gives back what no worker has yet; returns how many. What is under way is waited for.
    async fn give_back(&mut self) -> Result<u64, RunError> {
        if self.claiming.is_some() {
            let (isolated, claims) = joined(&mut self.claiming).await;
            self.add_claims(isolated, claims)?;
        }
        if self.beginning.is_some() {
            let begun = joined(&mut self.beginning).await?;
            self.add_begun(begun);
        }
        let reserved: Vec<_> = self.begun.drain(..).chain(self.claimed.drain(..)).collect();
        if reserved.is_empty() {
            return Ok(0);
        }
        let keys: Vec<_> = reserved.into_iter().map(|reserved| reserved.claim.key).collect();
        let released = self.run.retrying(|| self.run.store.release(&keys)).await;
        keys.iter().for_each(|key| self.run.held.remove(key));
        Ok(released?)
    }

    /// Called when nothing could be claimed: takes back what dead workers held, then sleeps until there may be work again.
    /// Returns `false` when none will come.
    async fn wait_for_work(
        &mut self,
        finisher: &Finisher,
        notifications: Option<&Notifications>,
    ) -> Result<bool, RunError> {
        let run = self.run;
        // Of this call; the one beside the first claims has ended, or ends now.
        if !self.dropping.is_finished() {
            (&mut self.dropping).await.unwrap_or(Ok(0))?;
        }
        if run.reap_if_calm().await? + drop_duplicates(Arc::clone(run)).await? > 0 {
            return Ok(true);
        }
        let outlook = {
            let Claimer { recipe, scope, without, .. } = &run.claimer;
            run.retrying(|| run.store.outlook_without(recipe, *scope, without)).await?
        };
        if outlook.pending == 0 && outlook.running == 0 && notifications.is_none() {
            return Ok(run.source_folders.wait(run).await);
        }
        let own = run.held.keys().len() as i64;
        if outlook.running > own || outlook.pending > 0 || own == 0 {
            run.progress.waiting((outlook.running - own).max(0), outlook.pending);
        }
        let notified = async {
            match notifications {
                Some(notifications) => notifications.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(jittered(poll_interval(&outlook, notifications.is_some()))) => {}
            () = notified => {}
            () = finisher.attempt_ended() => {}
            () = run.source_folders.next_probe() => {}
            () = run.shutdown.draining() => {}
        }
        Ok(true)
    }
}

/// Waits for a task, if there is one, and takes it.
async fn joined<T>(task: &mut Option<JoinHandle<T>>) -> T {
    let Some(running) = task else { return std::future::pending().await };
    let outcome = running.await;
    *task = None;
    match outcome {
        Ok(outcome) => outcome,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => std::future::pending().await, // cancelled: the runtime is ending
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

/// State of the recordings that have to run alone.
#[derive(Default)]
struct IsolatedQueue {
    queried: Option<Instant>,
    /// One has waited long enough: no others are started before it.
    is_next: bool,
}

impl IsolatedQueue {
    /// Queries from time to time whether one has waited for too long.
    async fn refresh(&mut self, run: &Run) -> Result<(), RunError> {
        if !self.is_next && self.queried.is_none_or(|queried| queried.elapsed() >= ISOLATED_POLL_INTERVAL) {
            self.queried = Some(Instant::now());
            let wait = run.retrying(|| run.store.isolated_wait()).await?;
            self.is_next = wait.is_some_and(|time| time > ISOLATED_WAIT);
        }
        Ok(())
    }
}

/// Claims, and records the claims as held: up to `limit` recordings, or one that has to run alone when nothing else is held.
///
/// These come last, because a process that one of them crashes should have done all other work before; but not later
/// than after [`ISOLATED_WAIT`].
async fn claim(run: Arc<Run>, limit: usize, mut isolated: IsolatedQueue) -> Claiming {
    let claims = claim_by(&run, limit, &mut isolated).await;
    (isolated, claims)
}

async fn claim_by(run: &Run, limit: usize, isolated: &mut IsolatedQueue) -> Result<Vec<Reserved>, RunError> {
    run.source_folders.refresh().await;
    // While this is locked, a claim in the table that is not held here is not a stray one.
    let _claiming = run.claiming.lock().await;
    isolated.refresh(run).await?;
    let mut claims = Vec::new();
    if !isolated.is_next {
        claims = run.retrying(|| run.reserve(limit, Isolation::Shared)).await?;
    }
    if claims.is_empty() && run.held.is_empty() {
        claims = run.retrying(|| run.reserve(1, Isolation::Isolated)).await?;
        isolated.is_next = false;
    }
    let since = Instant::now();
    let reserved = |claim: Claim| Reserved { stop: run.held.add(&claim.key), claim, since };
    Ok(claims.into_iter().map(reserved).collect())
}

/// Drops rows that would be prepared a second time. A run that takes only rows made for it leaves the others alone.
async fn drop_duplicates(run: Arc<Run>) -> Result<u64, RunError> {
    Ok(match run.claimer.scope {
        Scope::Any => run.retrying(|| run.store.drop_duplicates(&run.claimer.recipe)).await?,
        Scope::Bound => 0,
    })
}

fn poll_interval(outlook: &Outlook, is_notified: bool) -> Duration {
    let longest = if is_notified { NOTIFIED_POLL_INTERVAL } else { POLL_INTERVAL };
    let next = outlook.next_in_ms.map_or(longest, |ms| Duration::from_millis(ms.max(10) as u64));
    next.min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poll_intervals_are_short_and_never_zero() {
        let interval = |next_in_ms| poll_interval(&Outlook { pending: 1, running: 0, next_in_ms }, false);
        assert_eq!(interval(None), POLL_INTERVAL);
        assert_eq!(interval(Some(90_000)), POLL_INTERVAL);
        assert_eq!(interval(Some(300)), Duration::from_millis(300));
        assert_eq!(interval(Some(-5)), Duration::from_millis(10));
        assert_eq!(poll_interval(&Outlook::default(), true), NOTIFIED_POLL_INTERVAL);
    }
}
