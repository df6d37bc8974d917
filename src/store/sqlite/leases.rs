//! Which leases have ended, told without the clock for as long as their workers live.
//!
//! All processes on a file are on one machine, so the lock on a worker's sign tells whether it lives. One that lives may
//! still hang, and then its heartbeats stop. By the wall clock that would look the same as somebody setting the clock.
//! So a living worker's claim ends when its row has not changed for a while, by the monotonic clock of whoever looks.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use super::files::Signs;

/// What a running row says.
#[derive(Debug, sqlx::FromRow)]
pub struct Lease {
    pub id: i64,
    pub token: i64,
    pub worker: String,
    pub lease_until: i64,
    /// Whether it has ended by the wall clock: 1, else 0.
    pub lapsed: i64,
}

/// The rows of living workers as they were seen, and since when they look like that.
#[derive(Debug, Default)]
pub struct Watched(HashMap<i64, ((i64, i64), Instant)>);

impl Watched {
    /// The recordings of `leases`, all that are running, which may be taken back at `now`.
    pub fn lapsed(&mut self, leases: &[Lease], signs: &Signs, patience: Duration, now: Instant) -> Vec<i64> {
        self.0.retain(|id, _| leases.iter().any(|lease| lease.id == *id));
        leases.iter().filter(|lease| self.has_ended(lease, signs, patience, now)).map(|lease| lease.id).collect()
    }

    fn has_ended(&mut self, lease: &Lease, signs: &Signs, patience: Duration, now: Instant) -> bool {
        if signs.dead.iter().any(|sign| sign.name() == lease.worker) {
            return true;
        }
        if !signs.living.contains(&lease.worker) {
            return lease.lapsed != 0; // no sign, as when somebody removed it: the clock is all there is
        }
        let looks = (lease.token, lease.lease_until);
        let (seen, since) = self.0.entry(lease.id).or_insert((looks, now));
        if *seen != looks {
            (*seen, *since) = (looks, now);
        }
        now.duration_since(*since) > patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(90);

    fn lease(worker: &str, lease_until: i64, lapsed: i64) -> Lease {
        Lease { id: 1, token: 1, worker: worker.to_owned(), lease_until, lapsed }
    }

    #[test]
    fn a_living_worker_keeps_what_it_beats_for_whatever_the_clock_says() {
        let signs = Signs { dead: Vec::new(), living: vec!["alive".to_owned()] };
        let (mut watched, start) = (Watched::default(), Instant::now());
        let mut at = |second, lease: Lease| {
            watched.lapsed(&[lease], &signs, PATIENCE, start + Duration::from_secs(second)).len()
        };
        assert_eq!(at(0, lease("alive", 100, 1)), 0, "an hour late by this clock");
        assert_eq!(at(80, lease("alive", 120, 1)), 0, "a beat");
        assert_eq!(at(160, lease("alive", 120, 1)), 0);
        assert_eq!(at(171, lease("alive", 120, 0)), 1, "no beat for a lease, though the clock gives it an hour");
    }

    #[test]
    fn without_a_sign_the_clock_tells() {
        let mut watched = Watched::default();
        let mut ended = |lease: Lease| watched.lapsed(&[lease], &Signs::default(), PATIENCE, Instant::now()).len();
        assert_eq!((ended(lease("unknown", 5, 0)), ended(lease("unknown", 5, 1))), (0, 1));
    }
}
