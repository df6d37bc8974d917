//! Figures over all rows, which the database computes: histograms, extremes, sums, and a sample.

mod measures;
mod sql;
mod types;

use prepare_audio_types::PackedProbabilities;
use serde_json::json;

pub use measures::{CATEGORIES, Category, GroupKey, MEASURES, Measure, Outliers, Table, UnknownGroupKey};
pub use types::{Class, Extreme, GroupedRecording, NameCount, StageTotals};

use super::{
    Failure, Result, Store,
    columns::{self, PROBABILITIES, rows, signed},
    statement::Statement,
};

/// Figures.
impl Store {
    /// The classes of a measure's histogram that have values.
    pub async fn histogram(&self, measure: &Measure) -> Result<Vec<Class>> {
        let statement = Statement::new(with_rows(sql::HISTOGRAM, measure.table, measure.sql));
        let per_unit = f64::from(measure.classes) / (measure.high - measure.low);
        let statement = statement.bind(measure.low).bind(measure.high).bind(i64::from(measure.classes)).bind(per_unit);
        self.read(statement).await?.all(Class::read)
    }

    /// How many rows have each name of a category, the most frequent first.
    pub async fn category(&self, category: &Category, limit: usize) -> Result<Vec<NameCount>> {
        let statement = Statement::new(with_rows(sql::CATEGORY, category.table, category.sql)).bind(rows(limit));
        self.read(statement).await?.all(NameCount::read)
    }

    /// The rows with the greatest values of a measure, or with the least.
    pub async fn extremes(&self, measure: &Measure, greatest: bool, limit: usize) -> Result<Vec<Extreme>> {
        let text = match measure.table {
            Table::Segment => sql::EXTREMES_OF_SEGMENTS,
            Table::Recording => sql::EXTREMES_OF_RECORDINGS,
        };
        let text =
            with_rows(text, measure.table, measure.sql).replace("{order}", if greatest { "DESC" } else { "ASC" });
        self.read(Statement::new(text).bind(rows(limit))).await?.all(Extreme::read)
    }

    /// How long the stages of all done recordings took.
    pub async fn stage_totals(&self) -> Result<StageTotals> {
        self.read(Statement::new(sql::STAGES)).await?.one(StageTotals::read)
    }

    /// All recordings with the value of `key`, in pages: those after the id `after`.
    pub async fn grouped(&self, key: &GroupKey, after: i64, limit: usize) -> Result<Vec<GroupedRecording>> {
        let value = match key {
            GroupKey::Column(_, sql) => sql,
            GroupKey::Metadata(_) => "r.metadata",
        };
        let statement = Statement::new(sql::GROUPED.replace("{value}", value)).bind(after).bind(rows(limit));
        self.read(statement).await?.all(GroupedRecording::read)
    }

    /// How many failed and quarantined recordings have each error code, the most frequent first.
    pub async fn error_counts(&self, limit: usize) -> Result<Vec<NameCount>> {
        self.read(Statement::new(sql::ERRORS).bind(rows(limit))).await?.all(NameCount::read)
    }

    /// The newest failures of each error code, `each` of them.
    pub async fn newest_of_each_error(&self, each: usize) -> Result<Vec<Failure>> {
        self.read(Statement::new(sql::NEWEST_OF_EACH_ERROR).bind(rows(each))).await?.all(Failure::read)
    }

    /// The ids of the done recordings at these positions, from 1, in an order that stays the same as long as the rows do.
    pub async fn done_at(&self, positions: &[u64]) -> Result<Vec<i64>> {
        let statement = Statement::new(sql::AT_POSITIONS).bind(json!(positions).to_string());
        self.read(statement).await?.all(|row| row.integer("id"))
    }

    /// The stored probabilities of a recording, if it has some, and at most `limit` windows.
    pub async fn probabilities_of(&self, recording: i64, limit: u64) -> Result<Option<PackedProbabilities>> {
        let text = sql::PROBABILITIES_OF.replace("{probabilities}", &columns::selected(PROBABILITIES, "p"));
        let none = || PackedProbabilities { model_key: String::new(), coding: 0, windows: 0, data: Vec::new() };
        let read = self.read(Statement::new(text).bind(recording).bind(signed(limit))).await?;
        read.first(|row| columns::read(PROBABILITIES, none(), row))
    }
}

fn with_rows(text: &str, table: Table, value: &str) -> String {
    text.replace("{rows}", sql::rows_of(table)).replace("{value}", value)
}
