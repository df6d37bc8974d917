//! Recordings that a query to another database names.

use serde_json::value::RawValue;

use super::{
    SourceError,
    list_row::{Row, expected, text},
};
use crate::store::{DatabaseUrl, ForeignRows, NewRecording, Problem, StoreError};

/// A query to another database, answered page by page.
///
/// A column under one of the names for paths is the recording's source, `priority` its priority, and all others become
/// its metadata.
#[derive(Debug)]
pub struct Query {
    rows: ForeignRows,
    columns: Option<Columns>,
    priority: i64,
}

/// Rows of one page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The recordings that they name, as their paths stand there.
    pub recordings: Vec<NewRecording>,
    /// Rows without a path, or whose path has a NUL, which no file's name has.
    pub passed_over: u64,
}

/// The columns with a meaning of their own, the same in all rows.
#[derive(Clone, Debug)]
struct Columns {
    path: String,
    priority: Option<String>,
}

impl Query {
    /// Begins to ask. Rows that name no priority get `priority`.
    pub fn ask(url: DatabaseUrl, query: &str, priority: i64) -> Self {
        Self { rows: ForeignRows::of(url, query), columns: None, priority }
    }

    /// The next page; none after the last.
    ///
    /// # Errors
    /// When the database cannot be asked, or answers with what is no recording.
    pub async fn page(&mut self) -> Result<Option<Page>, SourceError> {
        let Some(rows) = self.rows.page().await.map_err(SourceError::of_query)? else { return Ok(None) };
        let mut page = Page::default();
        for row in rows {
            match self.recording(&row).map_err(SourceError::Query)? {
                Some(recording) => page.recordings.push(recording),
                None => page.passed_over += 1,
            }
        }
        Ok(Some(page))
    }

    fn recording(&mut self, row: &str) -> Result<Option<NewRecording>, String> {
        let mut row = Row::of_json(row).map_err(|error| error.to_string())?;
        let columns = match &self.columns {
            Some(columns) => columns,
            None => self.columns.insert(Columns::of(&row)?),
        };
        let priority = columns.priority.as_deref().and_then(|column| row.take(column));
        let priority = integer(priority.as_deref())?.unwrap_or(self.priority);
        let path = row.take(&columns.path).filter(|path| path.get() != "null");
        let Some(path) = path else { return Ok(None) };
        let told = || format!("the column {} holds {path}, which is no text", columns.path);
        let path = text(&path).ok_or_else(told)?;
        Ok((!path.is_empty() && !path.contains('\0')).then(|| row.recording(path, priority)))
    }
}

impl Columns {
    fn of(row: &Row) -> Result<Self, String> {
        let Some(path) = row.path_column(|_| true) else {
            return Err(format!(
                "no column {}; it has {}. Name the one with the path, as in SELECT url AS path",
                expected(),
                row.columns()
            ));
        };
        Ok(Self { path: path.to_owned(), priority: row.column("priority").map(str::to_owned) })
    }
}

/// A priority, where there is one.
fn integer(value: Option<&RawValue>) -> Result<Option<i64>, String> {
    match value.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(text) => {
            let told = |_| format!("the column priority holds {text}, which is no integer; give it another name");
            text.parse().map(Some).map_err(told)
        }
    }
}

impl SourceError {
    /// What the database says of a query itself is the fault of the one who typed it; all else is the database's.
    fn of_query(error: StoreError) -> Self {
        match error {
            // As the table of another SELECT, what is no SELECT is no SQL.
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

/// Whether a database says that it cannot read the statement, in the words that SQLite and PostgreSQL have for it.
fn is_syntax(cause: &str) -> bool {
    ["syntax error", "incomplete input", "multiple commands"].iter().any(|words| cause.contains(words))
}
