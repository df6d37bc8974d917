//! The claims that this process holds, and the heartbeat that renews them.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{Run, retry::jittered};
use crate::store::{ClaimKey, StoreError, WorkRecord};

/// Stops one recording's work when its claim is lost.
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

/// An entry in the process's work record: a recording is being worked on until this is dropped.
pub(crate) struct WorkMark {
    record: Arc<dyn WorkRecord>,
    slots: Arc<Slots>,
    slot: usize,
}

/// Numbers that are in use.
#[derive(Debug, Default)]
pub(crate) struct Slots(Mutex<Vec<bool>>);

impl WorkMark {
    pub fn new(record: Arc<dyn WorkRecord>, slots: Arc<Slots>, key: &ClaimKey) -> Self {
        let slot = slots.take();
        record.begin(slot, key);
        Self { record, slots, slot }
    }
}

impl Drop for WorkMark {
    fn drop(&mut self) {
        self.record.end(self.slot);
        self.slots.free(self.slot);
    }
}

impl Slots {
    /// The lowest number that is free.
    fn take(&self) -> usize {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = used.iter().position(|used| !used).unwrap_or(used.len());
        if slot == used.len() {
            used.push(true);
        }
        used[slot] = true;
        slot
    }

    fn free(&self, slot: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[slot] = false;
    }
}

/// All claims between `claim` and the end of their attempts.
#[derive(Default)]
pub(crate) struct HeldClaims(Mutex<HashMap<ClaimKey, StopFlag>>);

impl HeldClaims {
    pub fn add(&self, key: &ClaimKey) -> StopFlag {
        let flag = StopFlag::default();
        self.map().insert(key.clone(), flag.clone());
        flag
    }

    pub fn remove(&self, key: &ClaimKey) {
        self.map().remove(key);
    }

    pub fn contains(&self, key: &ClaimKey) -> bool {
        self.map().contains_key(key)
    }

    pub fn is_empty(&self) -> bool {
        self.map().is_empty()
    }

    pub fn keys(&self) -> Vec<ClaimKey> {
        self.map().keys().cloned().collect()
    }

    /// Stops the work on all of `claims` that are not among `valid`.
    fn stop_lost(&self, claims: &[ClaimKey], valid: &[ClaimKey]) {
        let (map, valid) = (self.map(), valid.iter().collect::<HashSet<_>>());
        for key in claims.iter().filter(|key| !valid.contains(key)) {
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
        // The map is consistent after each call, so a panic elsewhere does not corrupt it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews the leases periodically, gives back claims that this process does not know of, and takes back claims whose
/// leases others let expire. When no heartbeat was acknowledged for two thirds of a lease, the work stops: another worker
/// may soon claim it.
pub(super) async fn heartbeat(run: Arc<Run>) {
    let mut acknowledged = Instant::now();
    let limit = run.settings.lease * 2 / 3;
    loop {
        tokio::time::sleep(jittered(run.settings.heartbeat)).await;
        let keys = run.held.keys();
        // Bounded, because a server that hangs must not delay the limit. What the store has begun it completes by itself.
        match tokio::time::timeout(run.settings.heartbeat, renew(&run, &keys)).await {
            Ok(Ok(())) => acknowledged = Instant::now(),
            Ok(Err(error)) => run.pauses.database_failed(&error, &*run.progress),
            Err(_) => run.pauses.database_failed(&run.reset_connections(), &*run.progress),
        }
        if acknowledged.elapsed() > limit && !keys.is_empty() {
            tracing::error!("no heartbeat was acknowledged for {} s; the running work stops", limit.as_secs());
            run.held.stop_all();
        }
    }
}

async fn renew(run: &Run, keys: &[ClaimKey]) -> Result<(), StoreError> {
    if !keys.is_empty() {
        let valid = run.store.heartbeat(keys, run.settings.lease).await?;
        run.held.stop_lost(keys, &valid);
    }
    run.pauses.database_answered(&*run.progress);
    release_strays(run).await?;
    run.reap_if_calm().await.map(drop)
}

/// Gives back claims of this process that it does not know of: the response was lost with a connection.
async fn release_strays(run: &Run) -> Result<(), StoreError> {
    let Ok(_no_claim_in_progress) = run.claiming.try_lock() else { return Ok(()) };
    let mut strays = run.store.claims_of(&run.claimer.worker).await?;
    strays.retain(|key| !run.held.contains(key));
    if !strays.is_empty() {
        let released = run.store.release(&strays).await?;
        tracing::info!(released, "gave back what was claimed when the connection broke");
    }
    Ok(())
}
