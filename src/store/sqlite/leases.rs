//! Which leases have ended, decided without the wall clock for as long as their workers are alive.
//!
//! All processes that use a file are on one machine, so the lock on a worker's file shows whether it is alive. A live one
//! may still hang, and then its heartbeats stop. By the wall clock that cannot be distinguished from the clock being
//! set. So a live worker's claim ends when its row has not changed for a while, by the monotonic clock of the observer.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::lock_files::WorkerLocks;
use crate::store::backend::Lease;

/// The rows of live workers as last observed, token and lease, and since when they have been unchanged.
#[derive(Debug, Default)]
pub struct LeaseObserver(HashMap<i64, ((i64, i64), Instant)>);

impl LeaseObserver {
    /// The recordings of `leases`, all that are running, which may be taken back at `now`.
    pub fn expired(&mut self, leases: &[Lease], locks: &WorkerLocks, patience: Duration, now: Instant) -> Vec<i64> {
        self.0.retain(|id, _| leases.iter().any(|lease| lease.id == *id));
        leases.iter().filter(|lease| self.has_ended(lease, locks, patience, now)).map(|lease| lease.id).collect()
    }

    fn has_ended(&mut self, lease: &Lease, locks: &WorkerLocks, patience: Duration, now: Instant) -> bool {
        if locks.dead.iter().any(|lock| lock.name() == lease.worker) {
            return true;
        }
        if !locks.alive.contains(&lease.worker) {
            return lease.expired; // no file, as when a user removed it: only the clock can decide
        }
        let current = (lease.token, lease.lease_until);
        let (observed, since) = self.0.entry(lease.id).or_insert((current, now));
        if *observed != current {
            (*observed, *since) = (current, now);
        }
        now.duration_since(*since) > patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(90);

    fn lease(worker: &str, lease_until: i64, expired: bool) -> Lease {
        Lease { id: 1, token: 1, worker: worker.to_owned(), lease_until, expired, begun: true }
    }

    #[test]
    fn a_live_worker_keeps_its_claims_whatever_the_clock_says() {
        let locks = WorkerLocks { dead: Vec::new(), alive: vec!["alive".to_owned()] };
        let (mut observer, start) = (LeaseObserver::default(), Instant::now());
        let mut at = |second, lease: Lease| {
            observer.expired(&[lease], &locks, PATIENCE, start + Duration::from_secs(second)).len()
        };
        assert_eq!(at(0, lease("alive", 100, true)), 0, "an hour late by this clock");
        assert_eq!(at(80, lease("alive", 120, true)), 0, "a heartbeat");
        assert_eq!(at(160, lease("alive", 120, true)), 0);
        assert_eq!(
            at(171, lease("alive", 120, false)),
            1,
            "no heartbeat for a lease, though the clock gives it an hour"
        );
    }

    #[test]
    fn without_a_lock_file_the_clock_decides() {
        let mut observer = LeaseObserver::default();
        let mut ended =
            |lease: Lease| observer.expired(&[lease], &WorkerLocks::default(), PATIENCE, Instant::now()).len();
        assert_eq!((ended(lease("unknown", 5, false)), ended(lease("unknown", 5, true))), (0, 1));
    }
}
