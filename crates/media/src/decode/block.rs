//! Decoded samples.

/// Samples of one packet, interleaved, full scale 1.0.
#[derive(Debug)]
pub struct Block<'a> {
    pub(super) samples: &'a [f32],
    pub(super) channels: usize,
    /// Sample rate of just this block, Hz.
    pub rate: u32,
}

impl Block<'_> {
    /// The samples, interleaved.
    pub fn samples(&self) -> &[f32] {
        self.samples
    }

    /// How many channels are interleaved.
    pub fn channels(&self) -> usize {
        self.channels
    }
}
