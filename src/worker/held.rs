//! The claims that this process holds, and the heartbeat that keeps them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Run, steady::jittered};
use crate::store::{ClaimKey, StoreError};

/// Says to one recording's work that its claim is gone.
#[derive(Clone, Debug, Default)]
pub(crate) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All claims between `claim` and `complete`.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<ClaimKey, StopFlag>>);

impl Held {
    pub fn add(&self, key: &ClaimKey) -> StopFlag {
        let flag = StopFlag::default();
        self.map().insert(key.clone(), flag.clone());
        flag
    }

    pub fn remove(&self, key: &ClaimKey) {
        self.map().remove(key);
    }

    pub fn is_empty(&self) -> bool {
        self.map().is_empty()
    }

    pub fn keys(&self) -> Vec<ClaimKey> {
        self.map().keys().cloned().collect()
    }

    /// Stops the work on all of `asked` that are not among `standing`.
    fn stop_lost(&self, asked: &[ClaimKey], standing: &[ClaimKey]) {
        let map = self.map();
        for key in asked.iter().filter(|key| !standing.contains(key)) {
            if let Some(flag) = map.get(key) {
                tracing::warn!(id = key.id, "the claim was lost; its work stops");
                flag.set();
            }
        }
    }

    fn stop_all(&self) {
        self.map().values().for_each(StopFlag::set);
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<ClaimKey, StopFlag>> {
        // The map is whole after every single call, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prolongs the leases again and again, gives back what was claimed without this process's knowledge, and takes back
/// what others let lapse. Where no beat was acknowledged for two thirds of a lease, the work stops: somebody else may
/// soon have it.
pub(super) async fn keep_alive(run: Arc<Run>) {
    let mut acknowledged = Instant::now();
    let patience: Duration = run.settings.lease * 2 / 3;
    loop {
        tokio::time::sleep(jittered(run.settings.heartbeat)).await;
        let keys = run.held.keys();
        // Bounded, because a server that hangs must not keep the patience from ending. What the store has begun it ends
        // by itself.
        match tokio::time::timeout(run.settings.heartbeat, beat(&run, &keys)).await {
            Ok(Ok(())) => acknowledged = Instant::now(),
            Ok(Err(error)) => run.pauses.database_fails(&error, &*run.progress),
            Err(_) => run.pauses.database_fails(&run.renew(), &*run.progress),
        }
        if acknowledged.elapsed() > patience && !keys.is_empty() {
            tracing::error!("no heartbeat was acknowledged for {} s; the running work stops", patience.as_secs());
            run.held.stop_all();
        }
    }
}

async fn beat(run: &Run, keys: &[ClaimKey]) -> Result<(), StoreError> {
    if !keys.is_empty() {
        let standing = run.store.heartbeat(keys, run.settings.lease).await?;
        run.held.stop_lost(keys, &standing);
    }
    run.pauses.database_answers(&*run.progress);
    release_strays(run).await?;
    run.reap_if_calm().await.map(drop)
}

/// Gives back claims of this process that it does not know of: their answers got lost with a connection.
async fn release_strays(run: &Run) -> Result<(), StoreError> {
    let Ok(_nobody_claims) = run.claiming.try_lock() else { return Ok(()) };
    let mut strays = run.store.claims_of(&run.claimer.worker).await?;
    let held = run.held.keys();
    strays.retain(|key| !held.contains(key));
    if !strays.is_empty() {
        let released = run.store.release(&strays).await?;
        tracing::info!(released, "gave back what was claimed when the connection broke");
    }
    Ok(())
}
