//! From samples that come in pieces of any size to windows with their context, as the models take them.

use super::SEEN;
use crate::vad::{CONTEXT, WINDOW};

/// Samples that wait to be computed, behind the context of the first window.
pub(super) struct Windows {
    samples: Vec<f32>,
    /// Context and samples, at most.
    capacity: usize,
}

impl Windows {
    /// Room for `windows` windows at once.
    pub fn new(windows: usize) -> Self {
        let capacity = CONTEXT + windows * WINDOW;
        let mut samples = Vec::with_capacity(capacity);
        samples.resize(CONTEXT, 0.0);
        Self { samples, capacity }
    }

    /// Forgets everything: the first window's context is silence.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.samples.resize(CONTEXT, 0.0);
    }

    /// Takes as many samples in as there is room for, and returns the others.
    pub fn fill<'s>(&mut self, samples: &'s [f32]) -> &'s [f32] {
        let (taken, rest) = samples.split_at(samples.len().min(self.capacity - self.samples.len()));
        self.samples.extend_from_slice(taken);
        rest
    }

    /// Fills the last window up with zeros, if it has begun.
    pub fn complete(&mut self) {
        let waiting = self.samples.len() - CONTEXT;
        self.samples.resize(CONTEXT + waiting.next_multiple_of(WINDOW), 0.0);
    }

    /// The full windows, each with the context before it: they overlap.
    pub fn full(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        let count = (self.samples.len() - CONTEXT) / WINDOW;
        (0..count).map(|n| &self.samples[n * WINDOW..n * WINDOW + SEEN])
    }

    /// Lets go of the full windows; the end of the last one is the next one's context.
    pub fn advance(&mut self) {
        let full = self.full().len();
        self.samples.drain(..full * WINDOW);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_whole_and_bring_their_context() {
        let sound: Vec<f32> = (0..3 * WINDOW + 7).map(|n| n as f32).collect();
        let (mut windows, mut seen, mut rest) = (Windows::new(2), Vec::new(), &sound[..]);
        while !rest.is_empty() {
            rest = windows.fill(rest);
            seen.extend(windows.full().map(<[f32]>::to_vec));
            windows.advance();
        }
        windows.complete();
        seen.extend(windows.full().map(<[f32]>::to_vec));
        assert_eq!(seen.len(), 4);
        let at = |n: usize| if n < CONTEXT { 0.0 } else { sound.get(n - CONTEXT).copied().unwrap_or(0.0) };
        for (n, window) in seen.iter().enumerate() {
            let want: Vec<f32> = (n * WINDOW..n * WINDOW + SEEN).map(at).collect();
            assert_eq!(window, &want, "window {n}");
        }
    }
}
