//! The network's weights, ready for the kernels and shared by all detectors.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::super::VadError;
use super::super::onnx_file::OnnxFile;
use super::encoder::Encoder;
use super::fft::Fft;
use super::lstm::Recurrence;
use super::weights::Weights;

/// The file `silero_vad_16k_sequence.onnx` of the Python package silero-vad 6.2.3.
static BUNDLED: &[u8] = include_bytes!("../../../models/silero_vad_16k_sequence.onnx");
const BUNDLED_SHA256: &str = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85";
const BUNDLED_NAME: &str = "silero-vad 6.2 16k";

/// Silero VAD's weights. Cheap to clone: all clones share them.
#[derive(Clone)]
pub struct Model(Arc<Inner>);

struct Inner {
    name: String,
    sha256: String,
    fft: Fft,
    encoder: Encoder,
    recurrence: Recurrence,
}

impl Model {
    /// The model inside this program: Silero VAD v6.2 for 16 kHz.
    pub fn bundled() -> Result<Self, VadError> {
        let found = hash(BUNDLED);
        if found != BUNDLED_SHA256 {
            return Err(VadError::Damaged { found, expected: BUNDLED_SHA256.into() });
        }
        Self::from_bytes(BUNDLED, BUNDLED_NAME)
    }

    /// A model of the same architecture, such as a fine-tuned one, from an ONNX file.
    pub fn from_file(path: &Path) -> Result<Self, VadError> {
        let bytes = std::fs::read(path).map_err(|source| VadError::ReadModel { path: path.into(), source })?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self::from_bytes(&bytes, &name)
    }

    fn from_bytes(bytes: &[u8], name: &str) -> Result<Self, VadError> {
        let weights = Weights::from_onnx(&OnnxFile::parse(bytes)?)?;
        let sha256 = hash(bytes);
        let name = if sha256 == BUNDLED_SHA256 { BUNDLED_NAME } else { name };
        Ok(Self(Arc::new(Inner {
            name: name.into(),
            sha256,
            fft: Fft::new(&weights.window),
            encoder: Encoder::new(&weights),
            recurrence: Recurrence::new(&weights),
        })))
    }

    /// A name for people: `silero-vad 6.2 16k`, or the file's name without its ending.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The model's identity: SHA-256 of its file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.0.sha256
    }

    pub(super) fn fft(&self) -> &Fft {
        &self.0.fft
    }

    pub(super) fn encoder(&self) -> &Encoder {
        &self.0.encoder
    }

    pub(super) fn recurrence(&self) -> &Recurrence {
        &self.0.recurrence
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("name", &self.0.name).field("sha256", &self.0.sha256).finish_non_exhaustive()
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
