//! Where is speech? From 16 kHz mono samples to probabilities, and from probabilities to segments.
//!
//! Two halves that do not know each other:
//!
//! - [`Detector`] runs Silero VAD v6 natively: samples in, one probability for each window of 512 samples out.
//!   [`Engine`] and [`Listener`] are the same with ONNX Runtime as the other choice.
//! - [`Segmenter`] is a pure state machine: probabilities in, [`SpeechSegment`]s out as soon as they are decided,
//!   equal to `get_speech_timestamps` of the Python package `silero-vad` 6.2.3.
//!
//! ```
//! use prepare_audio::vad::{Detector, Model, Parameters, Segmenter};
//!
//! let mut detector = Detector::new(&Model::bundled()?);
//! let mut segmenter = Segmenter::new(&Parameters::default())?;
//! let samples = vec![0.0_f32; 16_000]; // one second of silence
//!
//! let (mut probabilities, mut segments) = (Vec::new(), Vec::new());
//! detector.push(&samples, &mut probabilities);
//! detector.finish(&mut probabilities);
//! for probability in &probabilities {
//!     segmenter.push(*probability, &mut segments);
//! }
//! segmenter.finish(samples.len() as u64, &mut segments);
//! assert_eq!(probabilities.len(), 32);
//! assert!(segments.is_empty());
//! # Ok::<(), prepare_audio::vad::VadError>(())
//! ```

mod engine;
mod error;
mod model_file;
mod onnx;
mod onnx_file;
mod parameters;
mod segmenter;
mod silero;
mod statistics;

pub use engine::{Engine, EngineChoice, Listener};
pub use error::VadError;
pub use model_file::ModelFile;
pub use onnx::{Device, Interface, OnnxDetector, OnnxError, OnnxModel, Origin, Runtime};
pub use parameters::{MaxSpeechCut, Parameters};
pub use segmenter::{Chunk, Cut, Merger, Segmenter, SpeechSegment};
pub use silero::{Detector, Model, SimdLevel};

/// The only sample rate that the model knows, in samples a second.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples that one probability speaks for (32 ms).
pub const WINDOW: usize = 512;

/// Samples before a window that the model sees together with it (4 ms); zeros before the first window.
pub const CONTEXT: usize = 64;
