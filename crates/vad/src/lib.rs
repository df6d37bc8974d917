#![doc = include_str!("../README.md")]

mod engine;
mod error;
mod model_file;
#[cfg(feature = "onnx")]
mod onnx;
mod onnx_file;
mod parameters;
mod segmenter;
mod silero;
mod spec;
mod statistics;

pub use engine::{Detector, Device, Engine, EngineChoice};
pub use error::VadError;
pub use model_file::ModelFile;
#[cfg(feature = "onnx")]
pub use onnx::{Interface, OnnxDetector, OnnxError, OnnxModel, Origin, Runtime, python_packages};
pub use parameters::{MaxSpeechCut, Parameters};
pub use segmenter::{Chunk, CutReason, Merger, SegmentEvent, Segmenter, SpeechSegment};
pub use silero::{SileroDetector, SileroModel, SimdLevel};
pub use spec::{DetectorSpec, SILERO_16K};

/// The sample rate of the model, in samples per second.
pub const SAMPLE_RATE: u32 = 16_000;

/// The length of a window, for which one probability is computed, in samples (32 ms).
pub const WINDOW: usize = 512;

/// The number of samples before a window that the model takes together with it (4 ms). Before the first window they are
/// zeros.
pub const CONTEXT: usize = 64;
