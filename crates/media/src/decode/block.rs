//! Decoded samples.

/// Samples of one packet, interleaved, full scale 1.0.
#[derive(Debug)]
pub struct Block<'a> {
    pub(super) samples: &'a [f32],
    pub(super) channels: usize,
    /// Sample rate of this block in Hz.
    pub rate: u32,
}

impl Block<'_> {
    /// The samples, interleaved.
    pub fn samples(&self) -> &[f32] {
        self.samples
    }

    /// The number of interleaved channels.
    pub fn channels(&self) -> usize {
        self.channels
    }
}
