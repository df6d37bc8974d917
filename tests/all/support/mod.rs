//! Code that all tests share: directories, databases, servers, recordings, and the audit of a finished run.

pub mod audit;
pub mod downgrade;
pub mod inspect;
#[cfg(feature = "live")]
pub mod live;
pub mod ogg;
pub mod onnx;
#[cfg(target_os = "linux")]
pub mod peak_memory;
pub mod pgbouncer;
pub mod postgres;
pub mod recordings;
pub mod test_database;
pub mod test_dir;
