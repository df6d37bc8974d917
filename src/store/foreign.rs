//! Rows of other databases, read only.

use std::{path::Path, time::Duration};

use futures_util::{Stream, TryStreamExt};
use serde_json::{Map, Value};
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{DatabaseUrl, Problem, Result, StoreError};

/// Rows to a page.
const PAGE: usize = 10_000;

/// How long to wait for other writes to an SQLite file.
const BUSY: Duration = Duration::from_secs(30);

type Pages = mpsc::Sender<Result<Vec<String>>>;

/// The rows of a query, fetched page by page, so that there may be any number of them. Nothing is written there: the file
/// is opened read-only, the transaction is READ ONLY.
#[derive(Debug)]
pub struct ForeignRows {
    pages: mpsc::Receiver<Result<Vec<String>>>,
    task: JoinHandle<()>,
}

impl ForeignRows {
    /// Starts `query`, one SELECT, on the database that `url` names.
    pub fn of(url: DatabaseUrl, query: &str) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let query = query.trim_end_matches(|c: char| c == ';' || c.is_whitespace()).to_owned();
        let task = tokio::spawn(async move {
            let read = match &url {
                DatabaseUrl::Sqlite(path) => sqlite(&url.to_string(), path, &query, &sender).await,
                #[cfg(feature = "postgres")]
                DatabaseUrl::Postgres(address) => postgres(&url.to_string(), address, &query, &sender).await,
            };
            if let Err(error) = read {
                let _ = sender.send(Err(error)).await; // fails if the receiver is gone
            }
        });
        Self { pages, task }
    }

    /// The next rows, each a JSON object of its columns; `None` after the last.
    ///
    /// # Errors
    /// Those of the other database. A wrong query is [`Problem::Other`].
    pub async fn page(&mut self) -> Result<Option<Vec<String>>> {
        self.pages.recv().await.transpose()
    }
}

impl Drop for ForeignRows {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The server makes the JSON, so that each of its types can be read.
#[cfg(feature = "postgres")]
async fn postgres(name: &str, address: &super::PostgresAddress, query: &str, pages: &Pages) -> Result<()> {
    use sqlx::Executor;

    let driver = |error| StoreError::driver(name, &error);
    let (session, mut connection) = super::postgres::Session::open(name, address).await?;
    let mut transaction = connection.begin_with(session.begin()).await.map_err(driver)?;
    transaction.execute("SET TRANSACTION READ ONLY").await.map_err(driver)?;
    // The end of the line ends a comment at the query's end.
    let text = format!("SELECT CAST(row_to_json(q) AS TEXT) FROM ({query}\n) AS q");
    let rows = sqlx::query_scalar(AssertSqlSafe(text)).persistent(false).fetch(&mut *transaction);
    by_pages(rows.map_err(driver), pages).await?;
    transaction.rollback().await.map_err(driver)?;
    connection.close().await.map_err(driver)
}

async fn sqlite(name: &str, path: &Path, query: &str, pages: &Pages) -> Result<()> {
    let driver = |error| StoreError::driver(name, &error);
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
    let mut connection = options.connect().await.map_err(driver)?;
    // As the table of another SELECT a query cannot be followed by a second statement.
    let text = format!("SELECT * FROM ({query}\n) AS q");
    let rows = sqlx::query(AssertSqlSafe(text)).persistent(false).fetch(&mut connection);
    let rows = rows.map_err(driver);
    let objects =
        rows.and_then(async |row| object(&row).map_err(|why| StoreError::problem(Problem::Statement, name, why)));
    by_pages(Box::pin(objects), pages).await?;
    connection.close().await.map_err(driver)
}

/// Sends the rows on. The channel holds one page: a slow receiver makes the other database wait.
async fn by_pages(mut rows: impl Stream<Item = Result<String>> + Unpin, pages: &Pages) -> Result<()> {
    let mut page = Vec::new();
    while let Some(row) = rows.try_next().await? {
        page.push(row);
        if page.len() == PAGE && pages.send(Ok(std::mem::take(&mut page))).await.is_err() {
            return Ok(());
        }
    }
    if !page.is_empty() {
        let _ = pages.send(Ok(page)).await;
    }
    Ok(())
}

/// A row of SQLite, where each value has a type of its own.
fn object(row: &SqliteRow) -> std::result::Result<String, String> {
    let mut object = Map::new();
    for (index, column) in row.columns().iter().enumerate() {
        let value = value(row, index).map_err(|why| format!("the column {} {why}", column.name()))?;
        object.insert(column.name().to_owned(), value);
    }
    Ok(Value::Object(object).to_string())
}

fn value(row: &SqliteRow, index: usize) -> std::result::Result<Value, String> {
    let raw = row.try_get_raw(index).map_err(|error| error.to_string())?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    let odd = |error: sqlx::Error| format!("cannot be read: {error}");
    Ok(match kind.as_str() {
        "INTEGER" => row.try_get::<i64, _>(index).map_err(odd)?.into(),
        // JSON has no infinite numbers.
        "REAL" => match row.try_get::<f64, _>(index).map_err(odd)? {
            number if number.is_finite() => number.into(),
            number => number.to_string().into(),
        },
        "TEXT" => row.try_get::<String, _>(index).map_err(odd)?.into(),
        _ => return Err("holds bytes (BLOB), which JSON cannot; leave it out, or take hex() of it".to_owned()),
    })
}
