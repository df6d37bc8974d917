//! The one task that claims: one recording for each free worker, never more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prepare_audio_types::StoredRecording;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Run, RunError, claims::StopFlag, finisher::Finisher, pause, retry::jittered};
use crate::store::{Claim, Claimer, Isolation, Notifications, Outlook, Scope};

/// How long an idle claimer sleeps at most: others may add recordings or die.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long it sleeps at most where new recordings are announced.
const NOTIFIED_POLL_INTERVAL: Duration = Duration::from_secs(5);

/// How long a recording that must run alone waits for a moment without others before others wait for it.
const ISOLATED_WAIT: Duration = Duration::from_secs(600);

/// How often the database is queried for such recordings while there is other work.
const ISOLATED_POLL_INTERVAL: Duration = Duration::from_secs(30);

/// A claimed recording for a worker, with its permit to compute: with all permits where it has to run alone.
pub(super) struct Assigned {
    pub claim: Claim,
    pub stored: Option<StoredRecording>,
    pub stop: StopFlag,
    pub permits: Vec<OwnedSemaphorePermit>,
}

/// Claims until nothing is left to do, or the end is requested.
pub(super) async fn claim_all(
    run: &Arc<Run>,
    free: Arc<Semaphore>,
    queue: mpsc::Sender<Assigned>,
    finisher: &Finisher,
) -> Result<(), RunError> {
    run.reap_if_calm().await?;
    drop_duplicates(run).await?;
    let notifications = run.settings.watch.then(|| run.store.notifications());
    let mut isolated = IsolatedQueue::default();
    loop {
        let permits = tokio::select! {
            permits = free_workers(&free) => permits,
            () = run.shutdown.draining() => break,
        };
        if !pause::output_is_writable(run).await || run.shutdown.is_draining() {
            break;
        }
        run.source_folders.refresh().await;
        let claimed = claim(run, permits.len(), &mut isolated).await?;
        if run.shutdown.is_draining() {
            break; // what was claimed just now is given back at the end of the run
        }
        if claimed.is_empty() {
            drop(permits);
            if !wait_for_work(run, finisher, notifications.as_ref()).await? {
                return Ok(());
            }
            continue;
        }
        for assigned in assign(run, claimed, permits, &free).await? {
            if queue.send(assigned).await.is_err() {
                return Ok(()); // no worker is left; what is held is given back at the end of the run
            }
        }
    }
    run.progress.stopping();
    Ok(())
}

/// Waits for a free worker; returns its permit and those of all others that are free by then.
async fn free_workers(free: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    let mut permits = Vec::new();
    // The semaphore is never closed.
    permits.extend(Arc::clone(free).acquire_owned().await.ok());
    while let Ok(permit) = Arc::clone(free).try_acquire_owned() {
        permits.push(permit);
    }
    permits
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
async fn claim(run: &Run, limit: usize, isolated: &mut IsolatedQueue) -> Result<Vec<(Claim, StopFlag)>, RunError> {
    // While this is locked, a claim in the table that is not held here is not a stray one.
    let _claiming = run.claiming.lock().await;
    isolated.refresh(run).await?;
    let mut claims = Vec::new();
    if !isolated.is_next {
        claims = run.retrying(|| run.store.claim(&run.claimer, limit, Isolation::Shared)).await?;
    }
    if claims.is_empty() && run.held.is_empty() {
        claims = run.retrying(|| run.store.claim(&run.claimer, 1, Isolation::Isolated)).await?;
        isolated.is_next = false;
    }
    Ok(claims
        .into_iter()
        .map(|claim| {
            let stop = run.held.add(&claim.key);
            (claim, stop)
        })
        .collect())
}

/// Joins claims with permits to compute.
async fn assign(
    run: &Run,
    claimed: Vec<(Claim, StopFlag)>,
    mut permits: Vec<OwnedSemaphorePermit>,
    free: &Arc<Semaphore>,
) -> Result<Vec<Assigned>, RunError> {
    let mut assigned = Vec::with_capacity(claimed.len());
    for (claim, stop) in claimed {
        let stored = run.stored(&claim).await?;
        let alone = claim.crashes > 0;
        let mut own: Vec<_> = permits.pop().into_iter().collect();
        if alone {
            // Nothing was held, so all other permits are free or about to be.
            own.append(&mut permits);
            let rest = (run.settings.workers - own.len()) as u32;
            own.extend(Arc::clone(free).acquire_many_owned(rest).await.ok().filter(|_| rest > 0));
            tracing::info!(
                source = claim.source,
                crashes = claim.crashes,
                "it crashed a process before: it runs alone"
            );
        }
        assigned.push(Assigned { claim, stored, stop, permits: own });
    }
    Ok(assigned)
}

/// Drops rows that would be prepared a second time. A run that takes only rows made for it leaves the others alone.
async fn drop_duplicates(run: &Run) -> Result<u64, RunError> {
    Ok(match run.claimer.scope {
        Scope::Any => run.retrying(|| run.store.drop_duplicates(&run.claimer.recipe)).await?,
        Scope::Bound => 0,
    })
}

/// Called when nothing could be claimed: takes back what dead workers held, then sleeps until there may be work again.
/// Returns `false` when none will come.
async fn wait_for_work(
    run: &Run,
    finisher: &Finisher,
    notifications: Option<&Notifications>,
) -> Result<bool, RunError> {
    if run.reap_if_calm().await? + drop_duplicates(run).await? > 0 {
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
