//! DNSMOS P.835: how people would rate speech, its background, and both together, each from 1 to 5, as a model estimates it.
//!
//! A [`DnsmosModel`] is shared by all workers; each worker has a [`DnsmosMeter`], which takes the samples of one segment
//! after the other. The scores are those of the Python package speechmos 0.0.1.1, whose model file it uses.
//!
//! Source: C. K. A. Reddy, V. Gopal, R. Cutler, "DNSMOS P.835: A non-intrusive perceptual objective speech quality metric to
//! evaluate noise suppressors", ICASSP 2022.

mod error;
mod excerpts;
mod meter;
mod model;
#[cfg(feature = "onnx")]
mod session;

pub use self::{error::DnsmosError, meter::DnsmosMeter, model::DnsmosModel};

/// Sample rate that the model takes, Hz.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples that the model takes at a time: 9.01 s.
const INPUT: usize = 144_160;

/// The scores of a segment: means over all of its excerpts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Quality of the speech (SIG).
    pub signal: f64,
    /// Quality of the background (BAK): 5 is no noise.
    pub background: f64,
    /// Overall quality (OVRL).
    pub overall: f64,
}
