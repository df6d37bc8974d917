//! Fault injection: processes are killed, stopped and restarted while they share one queue, and an audit checks the rows
//! and files afterwards. [`crate::support::audit`] defines the checks.
//!
//! The short form is part of `./test.sh`; `./test.sh faults::` runs it alone.
//!
//! The long form has, on each database, 1,000 SIGKILLs and 150 SIGSTOPs for longer than the lease, with 5,000 recordings
//! and 8 processes. It also has 10 recordings among 1,000 that abort their process, and 480 processes that create the
//! database at the same time:
//!
//! ```sh
//! PREPARE_AUDIO_FAULTS=long cargo test --release --features fault-injection --test all -- faults:: --nocapture --test-threads 1
//! ```
//!
//! Each run prints its seed, and `PREPARE_AUDIO_SEED=<seed>` selects the same faults again. The state of the processes at
//! the time of a fault depends on the machine, so no two runs are identical.

mod crashes;
mod crowd;
mod fleet;
mod poison;
mod queue;

use std::time::Duration;

/// How long a claim is valid without a heartbeat.
const LEASE: Duration = Duration::from_secs(3);

/// Arguments of every process.
const FETCH: [&str; 9] = ["fetch", "--workers", "2", "--lease", "3s", "--heartbeat", "1s", "--log-level", "warn"];

/// Whether to run the long form.
fn is_long() -> bool {
    std::env::var("PREPARE_AUDIO_FAULTS").is_ok_and(|form| form == "long")
}

/// The random generator of this run's faults. Prints its seed.
fn seed(test: &str) -> fastrand::Rng {
    let seed = std::env::var("PREPARE_AUDIO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("{test}: PREPARE_AUDIO_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
