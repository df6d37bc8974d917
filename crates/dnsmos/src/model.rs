//! The model's file, shared by all workers.

use std::{path::Path, sync::Arc};

use crate::{DnsmosError, DnsmosMeter};

/// SHA-256 of `dnsmos_models/sig_bak_ovr.onnx` of speechmos 0.0.1.1.
#[cfg(feature = "onnx")]
const SHA256: &str = "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd";

/// Its place in a folder of Python packages.
#[cfg(feature = "onnx")]
const IN_PACKAGES: &str = "speechmos/dnsmos_models/sig_bak_ovr.onnx";

/// DNSMOS P.835. Cheap to clone: all clones share the file.
#[derive(Clone)]
pub struct DnsmosModel(Arc<[u8]>);

impl DnsmosModel {
    /// Opens the model: the file at `path`, or without it that of the first Python environment that has speechmos, in the
    /// order in which ONNX Runtime is searched for. ONNX Runtime is loaded, so that its absence shows here and not in the
    /// first recording.
    ///
    /// # Errors
    /// If there is no such file, it is another model, or ONNX Runtime cannot be loaded.
    #[cfg(feature = "onnx")]
    pub fn open(path: Option<&Path>) -> Result<Self, DnsmosError> {
        use sha2::{Digest, Sha256};

        let found = match path {
            Some(path) => path.to_owned(),
            None => find().ok_or(DnsmosError::Missing)?,
        };
        let bytes = std::fs::read(&found).map_err(|source| DnsmosError::Read { path: found.clone(), source })?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        if sha256 != SHA256 {
            return Err(DnsmosError::OtherModel { path: found, sha256 });
        }
        let model = Self(bytes.into());
        model.meter()?;
        Ok(model)
    }

    /// Refuses the model: this build has no ONNX Runtime.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "onnx"))]
    pub fn open(_path: Option<&Path>) -> Result<Self, DnsmosError> {
        Err(DnsmosError::OnnxNotCompiled)
    }

    /// A meter with a session of its own, so that no worker waits for another.
    ///
    /// # Errors
    /// If ONNX Runtime cannot create another session.
    #[cfg(feature = "onnx")]
    pub fn meter(&self) -> Result<DnsmosMeter, DnsmosError> {
        crate::session::DnsmosSession::new(&self.0).map(DnsmosMeter::new)
    }

    /// Never returns a meter: this build has no ONNX Runtime.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "onnx"))]
    pub fn meter(&self) -> Result<DnsmosMeter, DnsmosError> {
        Err(DnsmosError::OnnxNotCompiled)
    }
}

#[cfg(feature = "onnx")]
fn find() -> Option<std::path::PathBuf> {
    prepare_audio_vad::python_packages().into_iter().map(|folder| folder.join(IN_PACKAGES)).find(|file| file.is_file())
}

impl std::fmt::Debug for DnsmosModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DnsmosModel").field("bytes", &self.0.len()).finish()
    }
}
