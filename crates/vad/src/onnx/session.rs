//! One worker's session of ONNX Runtime: from the windows of a recording to probabilities.

use std::fmt;

use ort::{
    session::{Session, SessionInputValue, SessionOutputs},
    value::TensorRef,
};

use super::{Device, INPUT, Interface, OnnxError, Runtime, STATE, windows::Windows};
use crate::SAMPLE_RATE;

/// Windows per call, if the model takes many: 4 s, the length of the blocks in which recordings are decoded. More windows
/// per call are not faster.
const BLOCK: usize = 128;

/// Computes the speech probability of each window of a recording, as [`SileroDetector`](crate::SileroDetector) does.
pub struct OnnxDetector {
    session: Session,
    interface: Interface,
    windows: Windows,
    /// The windows of a call, consecutive, as a batched model takes them.
    batch: Vec<f32>,
    state: [f32; STATE],
}

impl OnnxDetector {
    pub(super) fn new(model: &[u8], interface: Interface, device: Device) -> Result<Self, OnnxError> {
        let (session, windows) = (Runtime::load()?.session(model, device)?, Windows::new(BLOCK));
        Ok(Self { session, interface, windows, batch: Vec::new(), state: [0.0; STATE] })
    }

    /// Returns to the state at the start of a recording.
    pub fn reset(&mut self) {
        self.windows.clear();
        self.state.fill(0.0);
    }

    /// Takes the next samples (16 kHz, mono, in -1..=1) and appends a probability for each window that they complete.
    ///
    /// # Errors
    /// If the computation fails. [`reset`](Self::reset) makes the detector usable again.
    pub fn push(&mut self, mut samples: &[f32], probabilities: &mut Vec<f32>) -> Result<(), OnnxError> {
        while !samples.is_empty() {
            samples = self.windows.fill(samples);
            self.compute(probabilities)?;
        }
        Ok(())
    }

    /// Appends the probability of the last, incomplete window, padded with zeros, if there is one.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(&mut self, probabilities: &mut Vec<f32>) -> Result<(), OnnxError> {
        self.windows.complete();
        self.compute(probabilities)
    }

    /// Computes one window of silence, to check that the session works.
    pub(super) fn try_out(mut self) -> Result<(), OnnxError> {
        let mut probabilities = Vec::new();
        self.push(&[0.0], &mut probabilities)?;
        self.finish(&mut probabilities)
    }

    fn compute(&mut self, probabilities: &mut Vec<f32>) -> Result<(), OnnxError> {
        let Self { session, interface, windows, batch, state } = self;
        match interface {
            Interface::PerWindow { has_rate } => {
                for window in windows.full() {
                    probabilities.push(one(session, window, state, *has_rate)?);
                }
            }
            Interface::Batched if windows.full().len() > 0 => {
                batch.clear();
                windows.full().for_each(|window| batch.extend_from_slice(window));
                many(session, batch, state, probabilities)?;
            }
            Interface::Batched => {}
        }
        self.windows.advance();
        Ok(())
    }
}

impl fmt::Debug for OnnxDetector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxDetector").field("interface", &self.interface).finish_non_exhaustive()
    }
}

/// One window through `input, state[, sr] -> output, stateN`.
fn one(session: &mut Session, window: &[f32], state: &mut [f32; STATE], has_rate: bool) -> Result<f32, OnnxError> {
    let rate = [i64::from(SAMPLE_RATE)];
    let mut inputs = ort::inputs![
        "input" => tensor([1, INPUT], window)?,
        "state" => tensor([2, 1, STATE / 2], state)?,
    ];
    if has_rate {
        let rate = TensorRef::from_array_view(((), &rate[..])).map_err(failed)?;
        inputs.push(("sr".into(), rate.into()));
    }
    let outputs = session.run(inputs).map_err(failed)?;
    let probability = values(&outputs, "output", 1)?[0];
    let next = values(&outputs, "stateN", STATE)?;
    state.copy_from_slice(next);
    Ok(probability)
}

/// Many windows through `input, h, c -> speech_probs, hn, cn`.
fn many(
    session: &mut Session,
    windows: &[f32],
    state: &mut [f32; STATE],
    probabilities: &mut Vec<f32>,
) -> Result<(), OnnxError> {
    let count = windows.len() / INPUT;
    let (h, c) = state.split_at_mut(STATE / 2);
    let shape = [1, 1, STATE / 2];
    let inputs =
        ort::inputs!["input" => tensor([count, INPUT], windows)?, "h" => tensor(shape, h)?, "c" => tensor(shape, c)?];
    let outputs = session.run(inputs).map_err(failed)?;
    probabilities.extend_from_slice(values(&outputs, "speech_probs", count)?);
    let (next_h, next_c) = (values(&outputs, "hn", STATE / 2)?, values(&outputs, "cn", STATE / 2)?);
    h.copy_from_slice(next_h);
    c.copy_from_slice(next_c);
    Ok(())
}

/// A view of the values. Nothing is copied.
fn tensor<'v, const N: usize>(shape: [usize; N], values: &'v [f32]) -> Result<SessionInputValue<'v>, OnnxError> {
    TensorRef::from_array_view((shape, values)).map(Into::into).map_err(failed)
}

/// An output's values, if there are `count` of them.
fn values<'o>(outputs: &'o SessionOutputs<'_>, name: &str, count: usize) -> Result<&'o [f32], OnnxError> {
    let output = outputs.get(name).ok_or_else(|| OnnxError::Run(format!("the model returned no {name}")))?;
    let (shape, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
    if values.len() != count {
        return Err(OnnxError::Run(format!("the model's {name} is {shape:?}, expected {count} values")));
    }
    Ok(values)
}

fn failed(error: ort::Error) -> OnnxError {
    OnnxError::Run(error.to_string())
}
