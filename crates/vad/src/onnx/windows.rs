//! Collects samples that arrive in pieces of any size into windows with their context, as the models take them.

use super::INPUT;
use crate::{CONTEXT, WINDOW};

/// The context of the first window, followed by the samples that are not computed yet.
pub(super) struct Windows {
    samples: Vec<f32>,
    /// The maximum length, context included.
    capacity: usize,
}

impl Windows {
    /// Space for `windows` windows at a time.
    pub fn new(windows: usize) -> Self {
        let capacity = CONTEXT + windows * WINDOW;
        let mut samples = Vec::with_capacity(capacity);
        samples.resize(CONTEXT, 0.0);
        Self { samples, capacity }
    }

    /// Returns to the start of a recording, where the context is silence.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.samples.resize(CONTEXT, 0.0);
    }

    /// Takes as many samples as fit, and returns the rest.
    pub fn fill<'s>(&mut self, samples: &'s [f32]) -> &'s [f32] {
        let (taken, rest) = samples.split_at(samples.len().min(self.capacity - self.samples.len()));
        self.samples.extend_from_slice(taken);
        rest
    }

    /// Pads the last window with zeros, if it has begun.
    pub fn complete(&mut self) {
        let waiting = self.samples.len() - CONTEXT;
        self.samples.resize(CONTEXT + waiting.next_multiple_of(WINDOW), 0.0);
    }

    /// The full windows, each with the context before it. They overlap.
    pub fn full(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        let count = (self.samples.len() - CONTEXT) / WINDOW;
        (0..count).map(|n| &self.samples[n * WINDOW..n * WINDOW + INPUT])
    }

    /// Discards the full windows, except for the end of the last one, which is the context of the next.
    pub fn advance(&mut self) {
        let full = self.full().len();
        self.samples.drain(..full * WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_complete_and_include_their_context() {
        let samples: Vec<f32> = (0..3 * WINDOW + 7).map(|n| n as f32).collect();
        let (mut windows, mut found, mut rest) = (Windows::new(2), Vec::new(), &samples[..]);
        while !rest.is_empty() {
            rest = windows.fill(rest);
            found.extend(windows.full().map(<[f32]>::to_vec));
            windows.advance();
        }
        windows.complete();
        found.extend(windows.full().map(<[f32]>::to_vec));
        assert_eq!(found.len(), 4);
        let at = |n: usize| if n < CONTEXT { 0.0 } else { samples.get(n - CONTEXT).copied().unwrap_or(0.0) };
        for (n, window) in found.iter().enumerate() {
            let want: Vec<f32> = (n * WINDOW..n * WINDOW + INPUT).map(at).collect();
            assert_eq!(window, &want, "window {n}");
        }
    }
}
