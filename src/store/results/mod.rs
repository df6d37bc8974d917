//! The results: segments, and what is stored so that sources can be segmented again.

mod quality;
mod sql;
mod types;

use prepare_audio_types::{Segment, StoredRecording};

pub use quality::{MeasurableRecording, QualityCounts};
pub(super) use sql::with_columns;
pub(super) use types::segment;
pub use types::{DoneRecording, RecipeCount, Reference, SegmentOf};

use super::{
    Result, Selection, Store,
    columns::{rows, signed, unsigned},
    statement::Statement,
};

/// Segments.
impl Store {
    /// Segment rows of done recordings in order of recording and position, in pages: those after `(id, idx)`.
    pub async fn segments(&self, of: &Selection, after: Option<(i64, u64)>, limit: usize) -> Result<Vec<SegmentOf>> {
        let (id, idx) = after.map_or((i64::MIN, i64::MIN), |(id, idx)| (id, signed(idx)));
        let page = of.statement(&sql::with_columns(sql::SEGMENTS)).bind(id).bind(idx).bind(rows(limit));
        self.read(page).await?.all(SegmentOf::read)
    }

    /// Done recordings in order of their ids, in pages: those after `after`.
    pub async fn done(&self, of: &Selection, after: i64, limit: usize) -> Result<Vec<DoneRecording>> {
        self.read(of.statement(sql::DONE).bind(after).bind(rows(limit))).await?.all(DoneRecording::read)
    }

    /// The segments of recordings `first` to `last` with the ids of their recordings, in pages: those after `(id, idx)`.
    pub async fn segments_between(
        &self,
        first: i64,
        last: i64,
        after: Option<(i64, u64)>,
        limit: usize,
    ) -> Result<Vec<(i64, Segment)>> {
        let (id, idx) = after.map_or((i64::MIN, i64::MIN), |(id, idx)| (id, signed(idx)));
        let page = Statement::new(sql::with_columns(sql::SEGMENTS_BETWEEN)).bind(first).bind(last);
        self.read(page.bind(id).bind(idx).bind(rows(limit))).await?.all(types::numbered_segment)
    }

    /// The recipes that recordings of `of` are done under, the most frequent first.
    pub async fn recipes(&self, of: &Selection) -> Result<Vec<RecipeCount>> {
        self.read(of.statement(sql::RECIPES)).await?.all(RecipeCount::read)
    }

    /// A source of `of` that is done under several recipes, if there is one.
    pub async fn source_with_several_recipes(&self, of: &Selection) -> Result<Option<String>> {
        self.read(of.statement(sql::SEVERAL_RECIPES)).await?.first(|row| row.text("source"))
    }

    /// The files that segment rows refer to, whatever the state of their recordings, in pages: those after `(id, idx)`. A
    /// recording that was put back to pending still has its rows and files.
    pub async fn referenced(&self, after: Option<(i64, i64)>, limit: usize) -> Result<Vec<Reference>> {
        let (id, idx) = after.unwrap_or((i64::MIN, i64::MIN));
        let page = Statement::new(sql::REFERENCED).bind(id).bind(idx).bind(rows(limit));
        self.read(page).await?.all(Reference::read)
    }
}

/// Stored probabilities.
impl Store {
    /// The newest done recording of a source that has stored probabilities of this `model_key`, with the segments of the
    /// same audio.
    pub async fn stored_recording(&self, source: &str, model_key: &str) -> Result<Option<StoredRecording>> {
        let stored = Statement::new(sql::with_columns(sql::STORED)).bind(source.to_owned()).bind(model_key.to_owned());
        self.call(|db| async move {
            let Some(mut stored) = db.read(stored).await?.first(types::stored_recording)? else { return Ok(None) };
            let segments = Statement::new(sql::with_columns(sql::STORED_SEGMENTS)).bind(stored.id);
            stored.segments = db.read(segments).await?.all(types::stored_segment)?;
            Ok(Some(stored))
        })
        .await
    }

    /// How many sources of `of` [`Store::resegment`] would add a row for.
    pub async fn resegmentable(&self, of: &Selection, recipe: &str, model_key: &str) -> Result<u64> {
        self.count(resegment(sql::RESEGMENTABLE, of, recipe, model_key)).await
    }

    /// How many done sources of `of` have neither a row under `recipe` nor stored probabilities of this `model_key`, so
    /// that [`Store::resegment`] skips them.
    pub async fn without_probabilities(&self, of: &Selection, recipe: &str, model_key: &str) -> Result<u64> {
        self.count(resegment(sql::WITHOUT_PROBABILITIES, of, recipe, model_key)).await
    }

    /// Adds a pending row for `recipe` for each source that is done with stored probabilities of this `model_key` and has
    /// no row of this recipe. Returns how many.
    pub async fn resegment(&self, of: &Selection, recipe: &str, model_key: &str) -> Result<u64> {
        Ok(self.write(resegment(sql::RESEGMENT, of, recipe, model_key)).await?.affected)
    }

    async fn count(&self, statement: Statement<'static>) -> Result<u64> {
        self.read(statement).await?.one(|row| row.integer("sources").map(unsigned))
    }
}

fn resegment(text: &str, of: &Selection, recipe: &str, model_key: &str) -> Statement<'static> {
    let text = text.replace("{resegmentable}", sql::FROM_RESEGMENTABLE);
    of.statement(&text).bind(recipe.to_owned()).bind(model_key.to_owned())
}
