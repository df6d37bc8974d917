//! Damaged recordings: the fixtures, mutated as disks, networks and malicious senders change files. No mutant may panic,
//! hang, or exceed the memory limit. Each must end as done, or as failed with a code listed in docs/errors.md.
//!
//! The short form is part of `./test.sh` and has some hundred mutants. The long form has 10,000. It decodes them once with
//! the library and once with the program, some of them with an ffmpeg on the `PATH`:
//!
//! ```sh
//! PREPARE_AUDIO_MUTANTS=long cargo test --features fault-injection --test all -- mutants:: --nocapture --test-threads 1
//! ```
//!
//! Each run prints its seed, and `PREPARE_AUDIO_SEED=<seed>` makes the same mutants again. Mutants that fail the test are
//! written to `target/mutants`.

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

/// The seed of all mutations. Prints it. The short form has a fixed seed, so that it is the same on every machine.
fn seed() -> u64 {
    let seed = std::env::var("PREPARE_AUDIO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| if is_long() { fastrand::u64(..) } else { 5 });
    println!("PREPARE_AUDIO_SEED={seed}");
    seed
}
