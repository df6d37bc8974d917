//! The model in ONNX Runtime, and the calibration of its output.

use ort::{session::Session, value::TensorRef};
use prepare_audio_vad::{Device, Runtime};

use crate::{DnsmosError, INPUT, Scores};

/// The model's input: `[1, 144160]`, samples from -1 to 1.
const INPUT_NAME: &str = "input_1";

/// Polynomials that map the model's output to ratings, from the highest power down: speechmos 0.0.1.1, `get_polyfit_val`.
const SIGNAL: [f64; 3] = [-0.083_972_78, 1.220_839_53, 0.005_243_9];
const BACKGROUND: [f64; 3] = [-0.131_668_88, 1.609_155_14, -0.396_045_46];
const OVERALL: [f64; 3] = [-0.067_662_83, 1.115_464_68, 0.046_025_35];

/// A session of the model.
pub struct DnsmosSession(Session);

impl DnsmosSession {
    pub fn new(model: &[u8]) -> Result<Self, DnsmosError> {
        Ok(Self(Runtime::load()?.session(model, Device::Cpu)?))
    }

    /// The scores of one excerpt of 9.01 s.
    pub fn score(&mut self, samples: &[f32]) -> Result<Scores, DnsmosError> {
        let failed = |error: ort::Error| DnsmosError::Run(error.to_string());
        let input = TensorRef::from_array_view(([1, INPUT], samples)).map_err(failed)?;
        let outputs = self.0.run(ort::inputs![INPUT_NAME => input]).map_err(failed)?;
        let (shape, values) = outputs[0].try_extract_tensor::<f32>().map_err(failed)?;
        match *values {
            [signal, background, overall] if values.iter().all(|value| value.is_finite()) => Ok(Scores {
                signal: calibrated(SIGNAL, signal),
                background: calibrated(BACKGROUND, background),
                overall: calibrated(OVERALL, overall),
            }),
            _ => Err(DnsmosError::Run(format!("its output is {values:?} of shape {shape:?}, expected 3 numbers"))),
        }
    }
}

fn calibrated([square, linear, constant]: [f64; 3], raw: f32) -> f64 {
    let raw = f64::from(raw);
    (square * raw + linear) * raw + constant
}
