//! The one task that claims: a recording for each free worker, never more.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Run, RunError, finish::Finisher, held::StopFlag, pauses, steady::jittered};
use crate::store::{Claim, Company, Known, News, Outlook, Scope};

/// How long an idle claimer sleeps at most: others may add recordings or die.
const IDLE: Duration = Duration::from_secs(1);

/// How long one sleeps that is told of what is added.
const WATCHFUL: Duration = Duration::from_secs(5);

/// How long a recording that must run alone waits for a moment without others before it gets one.
const SUSPECT_PATIENCE: Duration = Duration::from_secs(600);

/// How often is asked for such recordings while there is other work.
const SUSPECT_LOOK: Duration = Duration::from_secs(30);

/// A claimed recording on its way to a worker, with the right to compute: for one that has to run alone, all rights.
pub(super) struct Assigned {
    pub claim: Claim,
    pub known: Option<Known>,
    pub stop: StopFlag,
    pub permits: Vec<OwnedSemaphorePermit>,
}

/// Claims until nothing is left to do, or no more is wanted.
pub(super) async fn claim_all(
    run: &Arc<Run>,
    free: Arc<Semaphore>,
    queue: mpsc::Sender<Assigned>,
    finisher: &Finisher,
) -> Result<(), RunError> {
    run.reap_if_calm().await?;
    drop_duplicates(run).await?;
    let news = run.settings.watch.then(|| run.store.news());
    let mut suspects = Suspects::default();
    loop {
        let permits = tokio::select! {
            permits = free_workers(&free) => permits,
            () = run.shutdown.draining() => break,
        };
        if !pauses::output_is_writable(run).await || run.shutdown.is_draining() {
            break;
        }
        let claimed = claim(run, permits.len(), &mut suspects).await?;
        if run.shutdown.is_draining() {
            break; // what was claimed just now is given back at the run's end
        }
        if claimed.is_empty() {
            drop(permits);
            if !wait_for_work(run, finisher, news.as_ref()).await? {
                return Ok(());
            }
            continue;
        }
        for assigned in assign(run, claimed, permits, &free).await? {
            if queue.send(assigned).await.is_err() {
                return Ok(()); // no worker lives any more; what is held is given back at the run's end
            }
        }
    }
    run.progress.stopping();
    Ok(())
}

/// Waits for a free worker, and takes along all others that are free by then.
async fn free_workers(free: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    let mut permits = Vec::new();
    // The semaphore is never closed.
    permits.extend(Arc::clone(free).acquire_owned().await.ok());
    while let Ok(permit) = Arc::clone(free).try_acquire_owned() {
        permits.push(permit);
    }
    permits
}

/// What is known of the recordings that have to run alone.
#[derive(Default)]
struct Suspects {
    looked: Option<Instant>,
    /// One has waited long enough: no others are begun until it had its turn.
    make_way: bool,
}

impl Suspects {
    /// Looks now and then whether one has waited for too long.
    async fn look(&mut self, run: &Run) -> Result<(), RunError> {
        if !self.make_way && self.looked.is_none_or(|looked| looked.elapsed() >= SUSPECT_LOOK) {
            self.looked = Some(Instant::now());
            let waits = run.steady(|| run.store.suspect_waits()).await?;
            self.make_way = waits.is_some_and(|time| time > SUSPECT_PATIENCE);
        }
        Ok(())
    }
}

/// Claims, and holds what it got: up to `limit` recordings, or one that has to run alone when nothing else is held.
///
/// These come last, because a process that one of them takes down should have done all other work before; but not later
/// than after [`SUSPECT_PATIENCE`].
async fn claim(run: &Run, limit: usize, suspects: &mut Suspects) -> Result<Vec<(Claim, StopFlag)>, RunError> {
    // While this is locked, a claim in the table that is not held here is no stray.
    let _claiming = run.claiming.lock().await;
    suspects.look(run).await?;
    let mut claims = Vec::new();
    if !suspects.make_way {
        claims = run.steady(|| run.store.claim(&run.claimer, limit, Company::Many)).await?;
    }
    if claims.is_empty() && run.held.is_empty() {
        claims = run.steady(|| run.store.claim(&run.claimer, 1, Company::Alone)).await?;
        suspects.make_way = false;
    }
    Ok(claims
        .into_iter()
        .map(|claim| {
            let stop = run.held.add(&claim.key);
            (claim, stop)
        })
        .collect())
}

/// Joins claims with the right to compute.
async fn assign(
    run: &Run,
    claimed: Vec<(Claim, StopFlag)>,
    mut permits: Vec<OwnedSemaphorePermit>,
    free: &Arc<Semaphore>,
) -> Result<Vec<Assigned>, RunError> {
    let mut assigned = Vec::with_capacity(claimed.len());
    for (claim, stop) in claimed {
        let known = run.known(&claim).await?;
        let alone = claim.crashes > 0;
        let mut own: Vec<_> = permits.pop().into_iter().collect();
        if alone {
            // Nothing was held, so all others are free or about to be.
            own.append(&mut permits);
            let rest = (run.settings.workers - own.len()) as u32;
            own.extend(Arc::clone(free).acquire_many_owned(rest).await.ok().filter(|_| rest > 0));
            tracing::info!(source = claim.source, crashes = claim.crashes, "it took a process down: it runs alone now");
        }
        assigned.push(Assigned { claim, known, stop, permits: own });
    }
    Ok(assigned)
}

/// Rows that would be done a second time. A run that takes only rows made for it leaves the others to those who want them.
async fn drop_duplicates(run: &Run) -> Result<u64, RunError> {
    Ok(match run.claimer.scope {
        Scope::Any => run.steady(|| run.store.drop_duplicates(&run.claimer.recipe)).await?,
        Scope::Bound => 0,
    })
}

/// Nothing could be claimed: frees what dead workers held, then sleeps until there may be work again. `false` means
/// that none will come.
async fn wait_for_work(run: &Run, finisher: &Finisher, news: Option<&News>) -> Result<bool, RunError> {
    if run.reap_if_calm().await? + drop_duplicates(run).await? > 0 {
        return Ok(true);
    }
    let outlook = run.steady(|| run.store.outlook(&run.claimer.recipe, run.claimer.scope)).await?;
    if outlook.pending == 0 && outlook.running == 0 && news.is_none() {
        return Ok(false);
    }
    let own = run.held.keys().len() as i64;
    if outlook.running > own || outlook.pending > 0 || own == 0 {
        run.progress.waiting((outlook.running - own).max(0), outlook.pending);
    }
    let told = async {
        match news {
            Some(news) => news.next().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = tokio::time::sleep(jittered(nap(&outlook, news.is_some()))) => {}
        () = told => {}
        () = finisher.something_ended() => {}
        () = run.shutdown.draining() => {}
    }
    Ok(true)
}

fn nap(outlook: &Outlook, is_told: bool) -> Duration {
    let longest = if is_told { WATCHFUL } else { IDLE };
    let next = outlook.next_in_ms.map_or(longest, |ms| Duration::from_millis(ms.max(10) as u64));
    next.min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_are_short_and_never_none() {
        let nap_for = |next_in_ms| nap(&Outlook { pending: 1, running: 0, next_in_ms }, false);
        assert_eq!(nap_for(None), IDLE);
        assert_eq!(nap_for(Some(90_000)), IDLE);
        assert_eq!(nap_for(Some(300)), Duration::from_millis(300));
        assert_eq!(nap_for(Some(-5)), Duration::from_millis(10));
        assert_eq!(nap(&Outlook::default(), true), WATCHFUL);
    }
}
