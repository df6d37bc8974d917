//! A model's ONNX file in memory, with its name and its hash. Both engines read it.

use std::{borrow::Cow, fmt, path::Path};

use sha2::{Digest, Sha256};

use super::VadError;

/// The file `silero_vad_16k_sequence.onnx` of the Python package silero-vad 6.2.3.
static BUNDLED: &[u8] = include_bytes!("../models/silero_vad_16k_sequence.onnx");
const BUNDLED_SHA256: &str = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85";
const BUNDLED_NAME: &str = "silero-vad 6.2 16k";

/// The bytes of an ONNX file, with its name and its SHA-256.
///
/// The hash is the model's identity. The engine is not part of it, because it does not change the results.
#[derive(Clone)]
pub struct ModelFile {
    bytes: Cow<'static, [u8]>,
    name: String,
    sha256: String,
}

impl ModelFile {
    /// The bundled model: Silero VAD v6.2 for 16 kHz, the graph that takes many windows per call.
    ///
    /// # Errors
    /// [`VadError::Damaged`] if the bytes compiled into the program are damaged.
    pub fn bundled() -> Result<Self, VadError> {
        let file = Self::new(Cow::Borrowed(BUNDLED), String::new());
        if file.is_bundled() {
            return Ok(file);
        }
        Err(VadError::Damaged { found: file.sha256, expected: BUNDLED_SHA256.into() })
    }

    /// Reads a file. Its content is checked by the engine that opens it.
    ///
    /// # Errors
    /// [`VadError::ReadModel`] if it cannot be read.
    pub fn read(path: &Path) -> Result<Self, VadError> {
        let bytes = std::fs::read(path).map_err(|source| VadError::ReadModel { path: path.into(), source })?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Ok(Self::new(Cow::Owned(bytes), name))
    }

    fn new(bytes: Cow<'static, [u8]>, name: String) -> Self {
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let name = if sha256 == BUNDLED_SHA256 { BUNDLED_NAME.into() } else { name };
        Self { bytes, name, sha256 }
    }

    /// A name for display: `silero-vad 6.2 16k`, or the file's name without its extension.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The model's identity: SHA-256 of its file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether it is the bundled model, wherever it was read from.
    pub fn is_bundled(&self) -> bool {
        self.sha256 == BUNDLED_SHA256
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelFile").field("name", &self.name).field("sha256", &self.sha256).finish_non_exhaustive()
    }
}
