//! Recordings from a query to another database.

use serde_json::value::RawValue;

use super::{
    SourceError,
    list_row::{Row, expected, text},
};
use crate::store::{DatabaseUrl, ForeignRows, NewRecording};

/// A query to another database, read page by page.
///
/// A column with one of the names for paths is the recording's source, `priority` its priority; all others become its
/// metadata.
#[derive(Debug)]
pub struct Query {
    rows: ForeignRows,
    columns: Option<Columns>,
    priority: i64,
}

/// The recordings of one page of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The recordings, with their paths as the rows have them.
    pub recordings: Vec<NewRecording>,
    /// Number of rows without a path, or whose path has a NUL character, which no file's name has.
    pub passed_over: u64,
}

/// The columns that are not metadata. They are the same in all rows.
#[derive(Clone, Debug)]
struct Columns {
    path: String,
    priority: Option<String>,
}

impl Query {
    /// Starts the query. Rows without a priority get `priority`.
    pub fn ask(url: DatabaseUrl, query: &str, priority: i64) -> Self {
        Self { rows: ForeignRows::of(url, query), columns: None, priority }
    }

    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// If the database cannot be queried, or a row is no recording.
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
        let no_text = || format!("the column {} holds {path}, which is no text", columns.path);
        let path = text(&path).ok_or_else(no_text)?;
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

/// The value of a column of priorities; `None` for NULL and for a column that does not exist.
fn integer(value: Option<&RawValue>) -> Result<Option<i64>, String> {
    match value.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(text) => {
            let no_integer = |_| format!("the column priority holds {text}, which is no integer; give it another name");
            text.parse().map(Some).map_err(no_integer)
        }
    }
}
