//! Looking through the recordings: pages of any table's length, one recording in full, one segment.

mod annotation;
mod sql;
mod types;

use prepare_audio_types::Segment;

pub use annotation::Annotation;
pub use types::{Direction, ListedRecording, RecordingDetails, RecordingFilter};

use super::{
    Result, Store,
    columns::{rows, signed},
    results,
    statement::Statement,
};

/// Recordings one by one, and in pages.
impl Store {
    /// Recordings that meet `filter` with ids between `ids`, both exclusive, from the cursor on: downwards from the greater
    /// bound, or upwards from the lesser.
    pub async fn listed(
        &self,
        filter: &RecordingFilter,
        ids: (i64, i64),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<ListedRecording>> {
        let (conditions, values) = filter.conditions(4);
        let id = if filter.uses_index() { "r.id + 0" } else { "r.id" };
        let text = sql::LISTED.replace("{conditions}", &conditions).replace("{order}", direction.order());
        let text = text.replace("{id}", id);
        let statement = Statement::new(text).bind(ids.0).bind(ids.1).bind(rows(limit));
        self.read(values.into_iter().fold(statement, Statement::bind)).await?.all(ListedRecording::read)
    }

    /// The id of the last of the next `limit` recordings behind the id `cursor`; `None` where there are no more. Searches that
    /// find little go from one to the next, so that each statement is short.
    pub async fn listed_until(&self, cursor: i64, direction: Direction, limit: usize) -> Result<Option<i64>> {
        let text = match direction {
            Direction::Older => sql::OLDER_UNTIL,
            Direction::Newer => sql::NEWER_UNTIL,
        };
        let answer = self.read(Statement::new(text).bind(cursor).bind(rows(limit))).await?;
        answer.one(|row| row.optional_integer("id"))
    }

    /// Everything that is known of a recording, besides its segments and probabilities.
    pub async fn recording(&self, id: i64) -> Result<Option<RecordingDetails>> {
        self.read(Statement::new(sql::RECORDING).bind(id)).await?.first(RecordingDetails::read)
    }

    /// A segment of a recording, whatever the recording's state.
    pub async fn segment(&self, recording: i64, idx: u64) -> Result<Option<Segment>> {
        let text = results::with_columns(sql::ONE_SEGMENT);
        self.read(Statement::new(text).bind(recording).bind(signed(idx))).await?.first(results::segment)
    }
}
