//! Fault injection: processes that are killed, stopped and restarted while they share one queue, and an audit of what
//! they leave behind. [`crate::support::audit`] defines what is checked.
//!
//! The short form is part of `./test.sh`; `./test.sh faults::` runs it alone.
//!
//! The long form is 1,000 times kill -9 and 150 times SIGSTOP past the lease, over 5,000 recordings and 8 processes, on
//! each database; 10 recordings among 1,000 that abort their process; and 480 first starts at once:
//!
//! ```sh
//! PREPARE_AUDIO_FAULTS=long cargo test --release --features fault-injection --test all -- faults:: --nocapture --test-threads 1
//! ```
//!
//! Each run prints its seed; `PREPARE_AUDIO_SEED=<seed>` chooses the same faults again. What the processes are doing
//! when a fault strikes depends on the machine, so no two runs are identical.

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
