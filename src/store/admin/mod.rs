//! What operators ask for and change: counts, failures, who holds what; retry and cancel.

mod sql;
mod types;

pub use types::{Again, Failure, Running, StateCount};

use super::{Result, Selection, Store, columns::rows, statement::Statement};

/// Questions of operators.
impl Store {
    /// Counts by state; states without recordings are left out.
    pub async fn counts(&self) -> Result<Vec<StateCount>> {
        let mut counts = self.read(Statement::new(sql::COUNTS)).await?.all(StateCount::read)?;
        counts.retain(|count: &StateCount| count.recordings > 0);
        counts.sort_by_key(|count| count.state);
        Ok(counts)
    }

    /// The newest failures, newest first; with `quarantined_only`, those that were quarantined.
    pub async fn failures(&self, quarantined_only: bool, limit: usize) -> Result<Vec<Failure>> {
        let states = if quarantined_only { "'quarantined'" } else { "'failed', 'quarantined'" };
        let failures = Statement::new(sql::FAILURES.replace("{states}", states)).bind(rows(limit));
        self.read(failures).await?.all(Failure::read)
    }

    /// The error codes of failed and quarantined recordings, with the number of recordings that have each.
    pub async fn error_codes(&self) -> Result<Vec<(String, i64)>> {
        let codes = self.read(Statement::new(sql::ERROR_CODES)).await?;
        codes.all(|row| Ok((row.text("error_code")?, row.integer("recordings")?)))
    }

    /// Sources of the pending recordings that `recipe` may claim, in pages by id: `(id, source)`, ids above `after`.
    pub async fn pending(&self, recipe: &str, after: i64, limit: usize) -> Result<Vec<(i64, String)>> {
        let page = Statement::new(sql::PENDING).bind(recipe.to_owned()).bind(after).bind(rows(limit));
        self.read(page).await?.all(|row| Ok((row.integer("id")?, row.text("source")?)))
    }

    /// Who holds what, by worker.
    pub async fn running(&self) -> Result<Vec<Running>> {
        self.read(Statement::new(sql::RUNNING)).await?.all(Running::read)
    }

    /// How many recordings match.
    pub async fn matching(&self, of: &Selection) -> Result<i64> {
        self.read(of.statement(sql::MATCHING)).await?.one(|row| row.integer("recordings"))
    }

    /// The identity of this database, which no other has.
    pub async fn identity(&self) -> Result<String> {
        self.read(Statement::new(sql::IDENTITY)).await?.one(|row| row.text("id"))
    }

    /// The number of the newest migration that the tables have gone through.
    pub async fn schema(&self) -> Result<i64> {
        self.read(Statement::new(sql::SCHEMA)).await?.one(|row| row.integer("version"))
    }
}

/// Changes by operators.
impl Store {
    /// Puts recordings back to pending with all their attempts; returns how many.
    pub async fn retry(&self, again: Again<'_>) -> Result<u64> {
        self.change(sql::retry(&again)).await
    }

    /// Cancels recordings, unless they are done. A worker that holds one stops at its next heartbeat.
    pub async fn cancel(&self, of: &Selection) -> Result<u64> {
        self.change(of.statement(sql::CANCEL)).await
    }

    /// A change of many rows, in a transaction that holds the write lock from its beginning.
    async fn change(&self, statement: Statement<'static>) -> Result<u64> {
        self.call(|db| async move {
            let mut transaction = db.begin().await?;
            let changed = transaction.execute(statement).await?.affected;
            transaction.commit().await?;
            Ok(changed)
        })
        .await
    }
}
