//! Tests of the crate's public interface, as one binary so that it is linked once.
//!
//! They read the workspace's `fixtures/`, so they are not part of the published package.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests may panic

mod allocations;
mod extensions;
mod native_engine;
#[cfg(feature = "onnx")]
mod onnx_runtime;
mod segmenter;

use std::path::{Path, PathBuf};

/// A file or folder of the workspace's `fixtures/`.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// The largest difference between two lists of probabilities of the same length.
fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
