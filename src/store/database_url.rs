//! The address of a database, as a user writes it.

use std::{fmt, path::PathBuf, str::FromStr};

#[cfg(feature = "postgres")]
use super::PostgresAddress;
use super::StoreError;

/// Address of a database.
///
/// Read from `sqlite://queue.db` (relative), `sqlite:///data/queue.db` (absolute), a plain path that ends in `.db`,
/// `.sqlite` or `.sqlite3`, or `postgres://user:password@host:port/name`. `Display` and `Debug` never show the password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A server.
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresAddress>),
}

impl FromStr for DatabaseUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => postgres(text),
            Some(("sqlite", path)) => sqlite(path),
            Some((scheme, _)) => Err(StoreError::Url(format!(
                "{scheme}:// is no database that prepare-audio can use; give sqlite://FILE or postgres://USER@HOST/NAME"
            ))),
            None => match text.strip_prefix("sqlite:") {
                Some(path) => sqlite(path),
                None if [".db", ".sqlite", ".sqlite3"].iter().any(|end| text.ends_with(end)) => sqlite(text),
                None if text == ":memory:" => sqlite(text),
                None => Err(StoreError::Url(
                    "the database address has no scheme and does not end in .db, .sqlite or .sqlite3; give \
                     sqlite://FILE or postgres://USER@HOST/NAME"
                        .to_owned(),
                )),
            },
        }
    }
}

fn sqlite(path: &str) -> Result<DatabaseUrl, StoreError> {
    if path.is_empty() || path == ":memory:" || path == "/:memory:" {
        return Err(StoreError::Url(
            "an SQLite database in memory is gone when the command ends; give a file, as sqlite://queue.db".to_owned(),
        ));
    }
    if path.contains('?') {
        return Err(StoreError::Url(
            "an SQLite address takes no parameters: leave out the ? and what follows".to_owned(),
        ));
    }
    Ok(DatabaseUrl::Sqlite(PathBuf::from(path)))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str) -> Result<DatabaseUrl, StoreError> {
    Err(StoreError::Url(
        "this prepare-audio was built without the feature \"postgres\"; \
         `cargo install prepare-audio --features postgres` builds one that can use PostgreSQL. \
         Or give sqlite://FILE"
            .to_owned(),
    ))
}

#[cfg(feature = "postgres")]
fn postgres(text: &str) -> Result<DatabaseUrl, StoreError> {
    Ok(DatabaseUrl::Postgres(Box::new(text.parse()?)))
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
