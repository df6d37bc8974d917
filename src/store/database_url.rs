//! The address of a database, as a user writes it.

use std::{fmt, path::PathBuf, str::FromStr};

#[cfg(feature = "postgres")]
use sqlx::postgres::PgConnectOptions;

use super::StoreError;

/// Address of a database.
///
/// Read from `sqlite://queue.db` (relative), `sqlite:///data/queue.db` (absolute), a plain path that ends in `.db`,
/// `.sqlite` or `.sqlite3`, or `postgres://user:password@host:port/name`. `Display` and `Debug` never show the password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A server. The options hold the password and print it in their own `Debug`: show this type instead.
    #[cfg(feature = "postgres")]
    Postgres(Box<PgConnectOptions>),
}

/// Parameters that `sqlx` understands. It would write any other with its value into the log, a misspelt password too.
#[cfg(feature = "postgres")]
const POSTGRES_PARAMETERS: [&str; 19] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "options[",
];

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

/// Refuses an address in which a part of the password would be read as host, port, name or parameter, and be shown.
#[cfg(feature = "postgres")]
fn refuse_unescaped(text: &str) -> Result<(), StoreError> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_whole = !rest[authority.len()..].contains('@') && authority.matches('@').count() <= 1;
    let is_plain = !rest.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_whole && is_plain {
        return Ok(());
    }
    Err(StoreError::Url(
        "the PostgreSQL address cannot be read: its user or password holds a character that must be written as %XX \
         (/ as %2F, @ as %40, ? as %3F, # as %23, a space as %20)"
            .to_owned(),
    ))
}

#[cfg(feature = "postgres")]
fn postgres(text: &str) -> Result<DatabaseUrl, StoreError> {
    refuse_unescaped(text)?;
    let parameters = text.split_once('?').map_or("", |(_, parameters)| parameters);
    for key in parameters.split('&').filter_map(|pair| pair.split('=').next()) {
        let known = key.is_empty() || POSTGRES_PARAMETERS.contains(&key) || key.starts_with("options[");
        if !known {
            return Err(StoreError::Url(format!(
                "the PostgreSQL address has a parameter that prepare-audio does not know: {key}"
            )));
        }
    }
    // The text itself stays out of the message: it may hold a password in an unexpected place.
    let options = PgConnectOptions::from_str(text).map_err(|error| {
        StoreError::Url(format!(
            "the PostgreSQL address cannot be read: {error}. It should look like postgres://USER:PASSWORD@HOST:PORT/NAME, \
             special characters in the password written as %XX"
        ))
    })?;
    Ok(DatabaseUrl::Postgres(Box::new(options)))
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            #[cfg(feature = "postgres")]
            Self::Postgres(options) => {
                let name = options.get_database().unwrap_or(options.get_username());
                write!(f, "postgres://{}@", options.get_username())?;
                match options.get_socket() {
                    Some(folder) => write!(f, "/{name}?host={}", folder.display()),
                    None => write!(f, "{}:{}/{name}", options.get_host(), options.get_port()),
                }
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}
