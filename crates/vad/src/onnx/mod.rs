//! Computes Silero VAD through ONNX Runtime, for models that the native engine cannot compute, and for GPUs.
//!
//! ```text
//! interface.rs  the model's inputs and outputs, read from its file
//! library.rs    the search for the library; none is loaded until a model needs it
//! runtime.rs    the library, loaded once
//! session.rs    one worker's session: windows in, probabilities out
//! windows.rs    samples to windows with their context
//! ```
//!
//! The library is not linked. The program runs without it, and uses one that is already installed, for example in a Python
//! environment. All `unsafe` code that this needs is in `ort`.

mod error;
mod interface;
mod library;
mod runtime;
mod session;
mod windows;

use std::sync::Arc;

use super::{CONTEXT, Device, ModelFile, VadError, WINDOW};

pub use self::{
    error::OnnxError,
    interface::Interface,
    library::{Origin, python_packages},
    runtime::Runtime,
    session::OnnxDetector,
};

/// Samples that the model takes for a window: the context and the window itself.
const INPUT: usize = CONTEXT + WINDOW;

/// Values of the state that is passed from one window to the next: output and cell state of 128 LSTM cells.
const STATE: usize = 2 * 128;

/// A model that ONNX Runtime computes. Cheap to clone: all clones share the file.
#[derive(Clone, Debug)]
pub struct OnnxModel {
    file: Arc<ModelFile>,
    interface: Interface,
    device: Device,
}

impl OnnxModel {
    /// Checks the file, loads the library, and computes one window of silence, so that an unusable model or library fails
    /// here and not in the first recording.
    ///
    /// # Errors
    /// If the file is not such a model, the library is missing, or the library cannot compute the model.
    pub fn open(file: ModelFile, device: Device) -> Result<Self, VadError> {
        let interface = Interface::of(file.bytes())?;
        let model = Self { file: Arc::new(file), interface, device };
        model.detector()?.try_out()?;
        Ok(model)
    }

    /// A detector with its own session. Sessions are not shared, so that no worker waits for another.
    ///
    /// # Errors
    /// If ONNX Runtime cannot create a session, for example because of a lack of memory.
    pub fn detector(&self) -> Result<OnnxDetector, OnnxError> {
        OnnxDetector::new(self.file.bytes(), self.interface, self.device)
    }

    /// The model's file.
    pub fn file(&self) -> &ModelFile {
        &self.file
    }

    /// How it is called.
    pub fn interface(&self) -> Interface {
        self.interface
    }

    /// Where it is computed.
    pub fn device(&self) -> Device {
        self.device
    }
}
