//! The one task that claims: a recording for each free worker, never more.

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Run, RunError, finish::Finisher, held::StopFlag};
use crate::store::{Claim, Company, Known, Outlook, Scope};

/// How long an idle claimer sleeps at most: others may add recordings or die.
const IDLE: Duration = Duration::from_secs(1);

/// A claimed recording on its way to a worker, with the right to compute.
pub(super) struct Assigned {
    pub claim: Claim,
    pub known: Option<Known>,
    pub stop: StopFlag,
    pub permit: OwnedSemaphorePermit,
}

/// Claims until nothing is left to do, or no more is wanted.
pub(super) async fn claim_all(
    run: &Arc<Run>,
    free: Arc<Semaphore>,
    queue: mpsc::Sender<Assigned>,
    finisher: &Finisher,
) -> Result<(), RunError> {
    run.reap().await?;
    drop_duplicates(run).await?;
    loop {
        let permits = tokio::select! {
            permits = free_workers(&free) => permits,
            () = run.shutdown.draining() => break,
        };
        // Not raced against the shutdown: a claim that was begun must be known here.
        let claims = run.store.claim(&run.claimer, permits.len(), Company::Many).await?;
        if run.shutdown.is_draining() {
            release(run, &claims).await?;
            break;
        }
        if claims.is_empty() {
            drop(permits);
            if !wait_for_work(run, finisher).await? {
                return Ok(());
            }
            continue;
        }
        for (claim, permit) in claims.into_iter().zip(permits) {
            let stop = run.held.add(&claim.key);
            let known = run.known(&claim).await?;
            if queue.send(Assigned { claim, known, stop, permit }).await.is_err() {
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

/// Rows that would be done a second time. A run that takes only rows made for it leaves the others to those who want them.
async fn drop_duplicates(run: &Run) -> Result<u64, RunError> {
    Ok(match run.claimer.scope {
        Scope::Any => run.store.drop_duplicates(&run.claimer.recipe).await?,
        Scope::Bound => 0,
    })
}

async fn release(run: &Run, claims: &[Claim]) -> Result<(), RunError> {
    let keys: Vec<_> = claims.iter().map(|claim| claim.key.clone()).collect();
    run.store.release(&keys).await?;
    Ok(())
}

/// Nothing could be claimed: frees what dead workers held, then sleeps until there may be work again. `false` means
/// that none will come.
async fn wait_for_work(run: &Run, finisher: &Finisher) -> Result<bool, RunError> {
    if run.reap().await? + drop_duplicates(run).await? > 0 {
        return Ok(true);
    }
    let outlook = run.store.outlook(&run.claimer.recipe, run.claimer.scope).await?;
    if outlook.pending == 0 && outlook.running == 0 {
        return Ok(false);
    }
    let own = run.held.keys().len() as i64;
    if outlook.running > own || outlook.pending > 0 {
        run.progress.waiting((outlook.running - own).max(0), outlook.pending);
    }
    tokio::select! {
        () = tokio::time::sleep(nap(&outlook)) => {}
        () = finisher.something_ended() => {}
        () = run.shutdown.draining() => {}
    }
    Ok(true)
}

fn nap(outlook: &Outlook) -> Duration {
    let next = outlook.next_in_ms.map_or(IDLE, |ms| Duration::from_millis(ms.max(10) as u64));
    next.min(IDLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_are_short_and_never_none() {
        let nap_for = |next_in_ms| nap(&Outlook { pending: 1, running: 0, next_in_ms });
        assert_eq!(nap_for(None), IDLE);
        assert_eq!(nap_for(Some(90_000)), IDLE);
        assert_eq!(nap_for(Some(300)), Duration::from_millis(300));
        assert_eq!(nap_for(Some(-5)), Duration::from_millis(10));
    }
}
