//! Rows as the databases return them, read by column name.

use std::sync::Arc;

use sqlx::{Row as _, sqlite::SqliteRow};

use super::{Result, StoreError};

/// A row of either database.
pub enum Row {
    /// Of SQLite.
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres(sqlx::postgres::PgRow),
}

/// Reads a column of whichever database the row is from.
macro_rules! get {
    ($row:expr, $column:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get($column),
            #[cfg(feature = "postgres")]
            Row::Postgres(row) => row.try_get($column),
        }
    };
}

impl Row {
    /// An integer.
    pub fn integer(&self, column: &str) -> sqlx::Result<i64> {
        get!(self, column)
    }

    /// An integer or NULL.
    pub fn optional_integer(&self, column: &str) -> sqlx::Result<Option<i64>> {
        get!(self, column)
    }

    /// A floating-point number.
    pub fn real(&self, column: &str) -> sqlx::Result<f64> {
        get!(self, column)
    }

    /// A floating-point number or NULL.
    pub fn optional_real(&self, column: &str) -> sqlx::Result<Option<f64>> {
        get!(self, column)
    }

    /// A text.
    pub fn text(&self, column: &str) -> sqlx::Result<String> {
        get!(self, column)
    }

    /// A text or NULL.
    pub fn optional_text(&self, column: &str) -> sqlx::Result<Option<String>> {
        get!(self, column)
    }

    /// Bytes.
    pub fn blob(&self, column: &str) -> sqlx::Result<Vec<u8>> {
        get!(self, column)
    }
}

/// What a statement returned.
pub struct Answer {
    /// The database, for messages.
    pub database: Arc<str>,
    /// Its rows: those of a SELECT or of RETURNING.
    pub rows: Vec<Row>,
    /// Number of rows that it changed.
    pub affected: u64,
}

impl Answer {
    /// All rows, each read by `read`.
    pub fn all<T>(&self, read: impl Fn(&Row) -> sqlx::Result<T>) -> Result<Vec<T>> {
        self.rows.iter().map(|row| read(row).map_err(|error| StoreError::driver(&self.database, &error))).collect()
    }

    /// The first row, if there is one.
    pub fn first<T>(&self, read: impl Fn(&Row) -> sqlx::Result<T>) -> Result<Option<T>> {
        let first = self.rows.first().map(read).transpose();
        first.map_err(|error| StoreError::driver(&self.database, &error))
    }

    /// The row of a statement that always returns one.
    pub fn one<T>(&self, read: impl Fn(&Row) -> sqlx::Result<T>) -> Result<T> {
        let missing = || StoreError::driver(&self.database, &sqlx::Error::RowNotFound);
        self.first(read)?.ok_or_else(missing)
    }
}
