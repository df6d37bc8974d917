//! Counts how the mutants ended, and prints the counts.

use std::{collections::BTreeMap, time::Duration};

/// Counts by code, and the slowest mutant.
#[derive(Default)]
pub struct Report {
    codes: BTreeMap<String, u64>,
    slowest: (Duration, String),
}

impl Report {
    pub fn count(&mut self, code: &str) {
        *self.codes.entry(code.to_owned()).or_default() += 1;
    }

    pub fn took(&mut self, time: Duration, name: &str) {
        if time > self.slowest.0 {
            self.slowest = (time, name.to_owned());
        }
    }

    /// The number of mutants that ended with this code.
    pub fn of(&self, code: &str) -> u64 {
        self.codes.get(code).copied().unwrap_or(0)
    }

    pub fn print(&self, title: &str) {
        println!("{title}: {} mutants", self.codes.values().sum::<u64>());
        for (code, count) in &self.codes {
            println!("  {count:6} {code}");
        }
        if !self.slowest.1.is_empty() {
            println!("  slowest: {:.2} s, {}", self.slowest.0.as_secs_f64(), self.slowest.1);
        }
    }
}
