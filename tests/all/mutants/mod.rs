//! Damaged recordings: each fixture, mutated as disks, networks and malicious senders change files. None may panic, hang,
//! or exceed the limit of memory; each ends done, or failed with a code listed in docs/errors.md.
//!
//! The short form is part of `./test.sh` and takes some hundred mutants. The long form takes 10,000, once through the
//! library and once through the program, with an ffmpeg on the `PATH` for a part of them:
//!
//! ```sh
//! PREPARE_AUDIO_MUTANTS=long cargo test --features fault-injection --test all -- mutants:: --nocapture --test-threads 1
//! ```
//!
//! Each run prints its seed; `PREPARE_AUDIO_SEED=<seed>` makes the same mutants again. Those that fail are kept in
//! `target/mutants`.

mod inside;
mod mutant;
mod mutations;
mod program;
mod report;

use std::time::Duration;

/// Time limit of one mutant.
const DEADLINE: Duration = Duration::from_secs(20);

/// Whether to run the long form.
fn is_long() -> bool {
    std::env::var("PREPARE_AUDIO_MUTANTS").is_ok_and(|form| form == "long")
}

/// The number of mutants: `short`, or 10,000 in the long form.
fn count(short: u64) -> u64 {
    if is_long() { 10_000 } else { short }
}

/// The seed of all mutations; prints it. The short form has a fixed one, so that it is the same on every machine.
fn seed() -> u64 {
    let seed = std::env::var("PREPARE_AUDIO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| if is_long() { fastrand::u64(..) } else { 5 });
    println!("PREPARE_AUDIO_SEED={seed}");
    seed
}
