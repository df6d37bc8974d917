//! Shared code of the fuzz targets.

pub mod heads;
#[path = "../../tests/all/support/ogg.rs"]
pub mod ogg;
pub mod recording;
pub mod scratch;
