//! Connections to an SQLite file: where it may be, how it is opened, and when a connection is no longer used.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{file_identity::FileIdentity, network_filesystem};
use crate::store::{
    Problem, Result, StoreError,
    backend::Transaction,
    executor::{self, OpenTransaction},
    migrations,
};

/// How long a write waits for the other processes' writes.
const BUSY: Duration = Duration::from_secs(30);

/// The file's absolute path, in a folder that exists and is on this machine.
pub fn absolute(name: &str, path: &Path) -> Result<PathBuf> {
    let file = |error| StoreError::file(name, "its folder cannot be used", &error);
    let path = std::path::absolute(path).map_err(file)?;
    let folder = path.parent().unwrap_or(&path);
    // Not with all folders above it: a mistyped name, or a disk that is not mounted, must not make an empty queue.
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists && !folder.is_dir() => return Err(file(error)),
        _ => {}
    }
    match network_filesystem::name_of(folder) {
        None => Ok(path),
        Some(kind) => Err(StoreError::problem(
            Problem::Refused,
            name,
            format!(
                "it lies on a network filesystem ({kind}), where SQLite's locks are not reliable. Put it on a local disk, or use PostgreSQL (postgres://USER@HOST/NAME)"
            ),
        )),
    }
}

/// Creates the file if it is missing, and brings its tables up to date.
pub async fn migrate(name: &str, path: &Path) -> Result<()> {
    let options = options(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let driver = |error| StoreError::driver(name, &error);
    let mut connection = options.connect().await.map_err(driver)?;
    // Readers need no write lock where nothing is missing.
    let applied = executor::execute(&mut connection, &name.into(), migrations::applied_statement()).await;
    let is_up_to_date = match applied {
        Err(StoreError::Database { problem: Problem::Statement, .. }) => false, // no such table
        applied => migrations::SQLITE.is_up_to_date(name, &applied?.all(migrations::read_applied)?)?,
    };
    if !is_up_to_date {
        let transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(driver)?;
        let mut transaction = OpenTransaction { database: name.into(), transaction };
        migrations::SQLITE.bring_up_to_date(name, &mut transaction).await?;
        Box::new(transaction).commit().await?;
    }
    connection.close().await.map_err(driver)
}

/// How a connection is opened.
pub fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
}

/// The connections that read, and the one that writes.
pub fn pools(path: &Path) -> (SqlitePool, SqlitePool) {
    let file = Arc::new(Mutex::new(FileIdentity::of(path)));
    let options = options(path);
    (pool(4, &file).connect_lazy_with(options.clone()), pool(1, &file).connect_lazy_with(options))
}

/// Connections that are closed when their file is moved or removed. Otherwise work would go on in a file without a name;
/// so the next call fails because the file cannot be opened, and the run pauses until it is back.
fn pool(connections: u32, file: &Arc<Mutex<FileIdentity>>) -> SqlitePoolOptions {
    let file = Arc::clone(file);
    SqlitePoolOptions::new()
        .before_acquire(move |_, meta| {
            let is_current = file.lock().unwrap_or_else(PoisonError::into_inner).is_open_in(meta.age);
            Box::pin(async move { Ok(is_current) })
        })
        .max_connections(connections)
        .acquire_timeout(2 * BUSY)
        // A file does not go away as a server does. The test costs as much as a claim.
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        // A full disk ends a transaction without sqlx's knowledge; such a connection would fail for ever after.
        .after_release(|connection: &mut SqliteConnection, _| {
            Box::pin(async move {
                if connection.is_in_transaction() {
                    connection.ping().await?; // a rollback may still be on its way
                }
                Ok(!connection.is_in_transaction())
            })
        })
}
