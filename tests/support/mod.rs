//! What several test files share.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod audit;
pub mod desk;
pub mod onnx;
pub mod place;
pub mod postgres;
pub mod recordings;
#[cfg(target_os = "linux")]
pub mod watched;
