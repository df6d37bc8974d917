//! Types that the crates of prepare-audio share: a prepared recording, its segments, and the codes of its errors.
//!
//! The crate has plain data only. `prepare_audio::store` stores it in rows, and `prepare-audio-pipeline` produces it.

mod error_code;
mod gaps;
mod part;
mod prepared;
mod segment;
mod stored;

pub use error_code::{ErrorCode, Retry, UnknownErrorCode};
pub use gaps::Gaps;
pub use part::Part;
pub use prepared::{PackedProbabilities, PreparedRecording, StageTimes};
pub use segment::Segment;
pub use stored::{StoredRecording, StoredSegment};

/// Serialises a column of JSON text as a JSON value. Text that is not JSON, which a user may have written into the column,
/// stays a string.
///
/// # Errors
/// The serialiser's errors.
pub fn serialize_json_text<S: serde::Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::Serialize;
    match text.as_deref().map(serde_json::from_str::<serde_json::Value>).transpose() {
        Ok(value) => value.serialize(serializer),
        Err(_) => text.serialize(serializer),
    }
}
