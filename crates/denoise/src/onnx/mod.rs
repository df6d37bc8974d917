//! Models of ONNX files, computed by ONNX Runtime.
//!
//! ```text
//! interface.rs  the model's inputs, outputs and metadata
//! frames.rs     one channel's session: a frame in, a frame out
//! ```

mod frames;
mod interface;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use self::frames::OnnxFrames;
use crate::{DenoiseError, FrameModel};

/// A model's file. Cheap to clone: all clones share it.
#[derive(Clone)]
pub struct OnnxModel(Arc<File>);

struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    sha256: String,
}

impl OnnxModel {
    /// Reads a file and computes one frame of silence.
    pub fn open(path: &Path) -> Result<Self, DenoiseError> {
        let bytes = fs::read(path).map_err(|source| DenoiseError::Read { path: path.into(), source })?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let model = Self(Arc::new(File { path: path.into(), bytes, sha256 }));
        let mut frames = model.frames()?;
        let mut silence = vec![0.0; frames.spec().hop];
        frames.process(&mut silence)?;
        Ok(model)
    }

    /// SHA-256 of the file.
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    /// The model with a session of its own. Sessions are not shared, so that no worker waits for another.
    pub fn frames(&self) -> Result<OnnxFrames, DenoiseError> {
        OnnxFrames::new(&self.0.path, &self.0.bytes)
    }
}

impl fmt::Debug for OnnxModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxModel").field("path", &self.0.path).field("sha256", &self.0.sha256).finish()
    }
}
