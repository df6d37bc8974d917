//! Mean and minimum of the probabilities of consecutive windows.

/// Running mean and minimum of probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Statistics {
    sum: f64,
    count: u64,
    min: f32,
}

impl Statistics {
    /// The statistics of no windows.
    pub const EMPTY: Self = Self { sum: 0.0, count: 0, min: 1.0 };

    /// Includes one more window.
    pub fn add(&mut self, probability: f32) {
        self.sum += f64::from(probability);
        self.count += 1;
        self.min = self.min.min(probability);
    }

    /// The mean; 0 without windows.
    pub fn mean(&self) -> f32 {
        if self.count == 0 { 0.0 } else { (self.sum / self.count as f64) as f32 }
    }

    /// The number of windows.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The minimum; 0 without windows.
    pub fn min(&self) -> f32 {
        if self.count == 0 { 0.0 } else { self.min }
    }
}
