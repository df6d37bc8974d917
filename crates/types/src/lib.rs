//! Types that the crates of prepare-audio share: what a prepared recording is, its segments, and the codes of its
//! errors.
//!
//! Plain data only. How rows are stored is the matter of `prepare_audio::store`; how recordings are prepared, that of
//! `prepare-audio-pipeline`.

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

/// Serialises text that holds JSON as the value it stands for. Text that is not JSON, which a user may have written into
/// the column, stays a string.
///
/// # Errors
/// Those of the serialiser.
pub fn serialize_json_text<S: serde::Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::Serialize;
    match text.as_deref().map(serde_json::from_str::<serde_json::Value>).transpose() {
        Ok(value) => value.serialize(serializer),
        Err(_) => text.serialize(serializer),
    }
}
