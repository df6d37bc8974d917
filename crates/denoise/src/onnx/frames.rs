//! One channel's session of ONNX Runtime.

use std::{borrow::Cow, path::Path};

use ort::{
    session::{Session, SessionInputValue, SessionOutputs},
    value::TensorRef,
};
use prepare_audio_vad::{Device, OnnxError, Runtime};

use super::interface::{INPUT, Interface, OUTPUT};
use crate::{DenoiseError, FrameModel, FrameSpec};

/// A session, and the states that go from one frame to the next.
pub struct OnnxFrames {
    session: Session,
    interface: Interface,
    /// The values of `interface.states`.
    states: Vec<Vec<f32>>,
    path: Box<Path>,
}

impl OnnxFrames {
    /// A session for the model in `bytes`, which were read from `path`.
    pub fn new(path: &Path, bytes: &[u8]) -> Result<Self, DenoiseError> {
        let session = Runtime::load().and_then(|runtime| runtime.session(bytes, Device::Cpu));
        let session = session.map_err(|source| DenoiseError::Runtime { path: path.into(), source })?;
        let interface = Interface::of(&session).map_err(|problem| DenoiseError::Interface {
            path: path.into(),
            problem,
            found: Interface::describe(&session),
        })?;
        let states = interface.states.iter().map(|state| vec![0.0; state.values()]).collect();
        Ok(Self { session, interface, states, path: path.into() })
    }

    fn run(&mut self, frame: &mut [f32]) -> Result<(), OnnxError> {
        let Self { session, interface, states, .. } = self;
        let shape = [1, frame.len()];
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![(INPUT.into(), tensor(&shape, frame)?)];
        for (state, values) in interface.states.iter().zip(states.iter()) {
            inputs.push((state.input.as_str().into(), tensor(&state.shape, values)?));
        }
        let outputs = session.run(inputs).map_err(failed)?;
        frame.copy_from_slice(values(&outputs, OUTPUT, frame.len())?);
        for (state, kept) in interface.states.iter().zip(states) {
            let next = values(&outputs, &state.output, kept.len())?;
            kept.copy_from_slice(next);
        }
        if frame.iter().all(|sample| sample.is_finite()) {
            Ok(())
        } else {
            Err(OnnxError::Run(format!("{OUTPUT} has infinities or NaN")))
        }
    }
}

impl FrameModel for OnnxFrames {
    fn spec(&self) -> FrameSpec {
        self.interface.spec
    }

    fn process(&mut self, frame: &mut [f32]) -> Result<(), DenoiseError> {
        self.run(frame).map_err(|error| match error {
            OnnxError::Run(reason) => DenoiseError::Run { path: self.path.to_path_buf(), reason },
            source => DenoiseError::Runtime { path: self.path.to_path_buf(), source },
        })
    }

    fn reset(&mut self) {
        self.states.iter_mut().for_each(|values| values.fill(0.0));
    }
}

/// A view of the values. Nothing is copied.
fn tensor<'v>(shape: &'v [usize], values: &'v [f32]) -> Result<SessionInputValue<'v>, OnnxError> {
    TensorRef::from_array_view((shape, values)).map(Into::into).map_err(failed)
}

/// An output's values, if there are `count` of them.
fn values<'o>(outputs: &'o SessionOutputs<'_>, name: &str, count: usize) -> Result<&'o [f32], OnnxError> {
    let output = outputs.get(name).ok_or_else(|| OnnxError::Run(format!("the model returned no {name}")))?;
    let (shape, values) = output.try_extract_tensor::<f32>().map_err(failed)?;
    if values.len() == count {
        Ok(values)
    } else {
        Err(OnnxError::Run(format!("{name} is {shape:?}, expected {count} values")))
    }
}

fn failed(error: ort::Error) -> OnnxError {
    OnnxError::Run(error.to_string())
}
