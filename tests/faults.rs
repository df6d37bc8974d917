//! The fault harness: processes that are killed, stopped and started again while they share one queue, and an audit of
//! what they leave behind. [`support::audit`] says what is looked for.
//!
//! The short form, as CI runs it:
//!
//! ```sh
//! cargo test --features fault-injection --test faults
//! ```
//!
//! The long form: 1,000 times kill -9 and 150 times SIGSTOP past the lease over 5,000 recordings and 8 processes, on
//! each database; 10 recordings among 1,000 that take their process down; 480 first starts at once:
//!
//! ```sh
//! PREPARE_AUDIO_FAULTS=long cargo test --release --features fault-injection --test faults -- --nocapture --test-threads 1
//! ```
//!
//! Each run prints its seed, and `PREPARE_AUDIO_SEED=<seed>` chooses the same faults again. What the processes were
//! doing when they were struck is up to the machine, so that a run is never quite the same.
#![cfg(unix)]

mod support;

#[path = "faults/crashes.rs"]
mod crashes;
#[path = "faults/crowd.rs"]
mod crowd;
#[path = "faults/fleet.rs"]
mod fleet;
#[path = "faults/poison.rs"]
mod poison;
#[path = "faults/queue.rs"]
mod queue;

use std::time::Duration;

/// How long a claim stands without a heartbeat.
const LEASE: Duration = Duration::from_secs(3);

/// What every process of a run is told.
const FETCH: [&str; 9] = ["fetch", "--workers", "2", "--lease", "3s", "--heartbeat", "1s", "--log-level", "warn"];

/// Whether the long form is wanted.
fn is_long() -> bool {
    std::env::var("PREPARE_AUDIO_FAULTS").is_ok_and(|form| form == "long")
}

/// The seed of this run's faults, which is printed.
fn seed(test: &str) -> fastrand::Rng {
    let seed = std::env::var("PREPARE_AUDIO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: PREPARE_AUDIO_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
