//! Tests of the program and of the modules in src/. The crates have tests of their own.
//!
//! There is one binary, so that it is linked once. `./test.sh` runs all of it; a filter selects a part: `./test.sh
//! program::`, or the path of one test.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests may panic

mod support;

#[cfg(all(unix, feature = "fault-injection"))]
mod faults;
#[cfg(target_os = "linux")]
mod mutants;
#[cfg(target_os = "linux")]
mod outages;
mod program;
mod store;
