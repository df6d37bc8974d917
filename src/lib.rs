//! From a table of recordings to clean speech segments.
#![warn(missing_docs)]

pub mod audio;
pub mod store;
pub mod vad;
