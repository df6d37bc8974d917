//! The identity of a piece of work: which model listens, and how its answers are cut.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::vad::{Engine, Parameters};

/// Model and parameters. A source is prepared once for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Short hash of [`Recipe::text`], which the row's `recipe` holds.
    pub id: String,
    /// The recipe in words, JSON, which the row's `parameters` holds.
    pub text: String,
}

impl Recipe {
    /// All that decides the segments' boundaries and bytes, and nothing that does not: not the number of workers, not
    /// the folder that they go to, not the engine that computes the model.
    pub fn new(engine: &Engine, parameters: &Parameters) -> Self {
        let text = json!({
            "model_sha256": engine.sha256(),
            "vad": parameters,
            "segments": { "format": "wav", "encoding": "pcm_s16le", "sample_rate": 16_000, "channels": 1 },
        })
        .to_string();
        let id = Sha256::digest(&text)[..8].iter().map(|b| format!("{b:02x}")).collect();
        Self { id, text }
    }
}
