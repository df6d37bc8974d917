//! Silero VAD through ONNX Runtime: for models that the native engine does not compute, and for accelerators.
//!
//! ```text
//! interface.rs  what the model wants to be given, read from its file
//! library.rs    where the library may lie                               no library is loaded until a model needs it
//! runtime.rs    the library, loaded once
//! session.rs    one worker's session: windows in, probabilities out
//! ```
//!
//! The library is not linked: the program runs without it, and one that the machine has already, in a Python
//! environment say, serves. All `unsafe` that this takes is within `ort`.

mod error;
mod interface;
mod library;
mod runtime;
mod session;
mod windows;

use std::sync::Arc;

use super::{CONTEXT, ModelFile, VadError, WINDOW};

pub use self::{error::OnnxError, interface::Interface, library::Origin, runtime::Runtime, session::OnnxDetector};

/// Samples that the model sees of a window: its context and itself.
const SEEN: usize = CONTEXT + WINDOW;

/// Values of the state that goes from a window to the next: output and memory of 128 LSTM cells.
const STATE: usize = 2 * 128;

/// What ONNX Runtime computes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The processor, one thread a session.
    #[default]
    Cpu,
    /// The first NVIDIA GPU, where the library can use it.
    Cuda,
}

/// A model that ONNX Runtime is to compute. Cheap to clone: all clones share the file.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    file: Arc<ModelFile>,
    interface: Interface,
    device: Device,
}

impl OnnxModel {
    /// Looks at the file, loads the library, and listens to a moment of silence, so that what cannot work fails here
    /// and not in the first recording.
    ///
    /// # Errors
    /// Where the file is no such model, the library is missing, or the two do not get along.
    pub fn open(file: ModelFile, device: Device) -> Result<Self, VadError> {
        let interface = Interface::of(file.bytes())?;
        let model = Self { file: Arc::new(file), interface, device };
        model.detector()?.try_out()?;
        Ok(model)
    }

    /// A detector with a session of its own: sessions are not shared, so that no worker waits for another.
    ///
    /// # Errors
    /// Where ONNX Runtime refuses: no memory, no GPU.
    pub fn detector(&self) -> Result<OnnxDetector, OnnxError> {
        OnnxDetector::new(self.file.bytes(), self.interface, self.device)
    }

    /// The file.
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// How it is called.
    pub fn interface(&self) -> Interface {
        self.interface
    }

    /// What it is computed on.
    pub fn device(&self) -> Device {
        self.device
    }
}
