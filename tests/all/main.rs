//! Tests of the program and of the parts that only it has. One binary, so that it is linked once.
//!
//! `./test.sh` runs all of it. A filter chooses a part: `./test.sh program::`, or one test by its path.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test may panic

mod support;

#[cfg(all(unix, feature = "fault-injection"))]
mod faults;
#[cfg(target_os = "linux")]
mod mutants;
#[cfg(target_os = "linux")]
mod outages;
mod program;
mod store;
