//! What the fuzz targets share.

pub mod heads;
#[path = "../../tests/all/support/ogg.rs"]
pub mod ogg;
pub mod recording;
pub mod scratch;
