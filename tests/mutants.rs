//! Damaged recordings by the thousand: each fixture, changed in every way that a disk, a network or a liar changes files.
//! None may panic, hang, or take more memory than recordings may; each ends done, or failed with a code of README's table.
//!
//! The short form, as CI runs it (`cargo test`), takes some hundred of them. The long form takes 10,000, once through the
//! library and once through the program, with an ffmpeg on the `PATH` for a part of them:
//!
//! ```sh
//! PREPARE_AUDIO_MUTANTS=long cargo test --test mutants -- --nocapture --test-threads 1
//! ```
//!
//! Each run prints its seed; `PREPARE_AUDIO_SEED=<seed>` makes the same ones again. Those that fail are left in
//! `target/mutants`.
#![cfg(target_os = "linux")]

mod support;

#[path = "mutants/changes.rs"]
mod changes;
#[path = "mutants/inside.rs"]
mod inside;
#[path = "mutants/mutant.rs"]
mod mutant;
#[path = "mutants/ogg.rs"]
mod ogg;
#[path = "mutants/program.rs"]
mod program;
#[path = "mutants/report.rs"]
mod report;

use std::time::Duration;

/// How long one of them may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// Whether the long form is wanted.
fn is_long() -> bool {
    std::env::var("PREPARE_AUDIO_MUTANTS").is_ok_and(|form| form == "long")
}

/// How many there are: the long form's number is that of the promise.
fn how_many(short: u64) -> u64 {
    if is_long() { 10_000 } else { short }
}

/// What decides them all, printed. The short form has one of its own, so that it says the same on every machine.
fn seed() -> u64 {
    let seed = std::env::var("PREPARE_AUDIO_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| if is_long() { fastrand::u64(..) } else { 5 });
    println!("PREPARE_AUDIO_SEED={seed}");
    seed
}
