//! Why a source that was named cannot be taken.

use std::io;

use crate::store::{Problem, StoreError};

/// Why a source that was named cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A path that does not exist.
    #[error("{0}: no such file or folder")]
    Missing(String),
    /// A pattern that matches nothing, or that is not valid.
    #[error("{0}: no file matches this pattern")]
    NoMatch(String),
    /// A name that no text column can hold.
    #[error("{0}: the name is not valid UTF-8, so the table cannot hold it; rename it")]
    NotUtf8(String),
    /// A folder or list that cannot be read.
    #[error("{0}: {1}")]
    Read(String, io::Error),
    /// A list whose content is not what its name says.
    #[error("{0}: {1}")]
    List(String, String),
    /// A query to another database that is wrong, or whose rows are no recordings.
    #[error("the query: {0}")]
    Query(String),
    /// Another database that cannot be queried.
    #[error(transparent)]
    Store(StoreError),
}

/// Why a search ended before all was found.
#[derive(Debug)]
pub(super) enum End {
    /// The receiver wants no more.
    Received,
    /// A source cannot be taken.
    Failed(SourceError),
}

impl From<SourceError> for End {
    fn from(error: SourceError) -> Self {
        Self::Failed(error)
    }
}

impl SourceError {
    /// Sorts errors of a query: what the database says about the statement is the user's mistake, all else is an error of
    /// the database.
    pub(super) fn of_query(error: StoreError) -> Self {
        match error {
            // The query becomes the table of another SELECT, where anything but a SELECT is a syntax error.
            StoreError::Database { problem: Problem::Statement, cause, .. } if is_syntax(&cause) => {
                Self::Query(format!("{cause} (it must be one SELECT)"))
            }
            StoreError::Database { problem: Problem::Statement, cause, .. } => Self::Query(cause),
            StoreError::Database { problem: Problem::ReadOnly, cause, .. } => {
                Self::Query(format!("{cause}: the other database is only read, and the query must not change it"))
            }
            other => Self::Store(other),
        }
    }
}

/// Whether SQLite or PostgreSQL reports a syntax error.
fn is_syntax(cause: &str) -> bool {
    ["syntax error", "incomplete input", "multiple commands"].iter().any(|words| cause.contains(words))
}
