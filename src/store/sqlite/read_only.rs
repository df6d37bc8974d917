//! An SQLite file that this user may read but not write.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use super::connections;
use crate::store::{
    DatabaseUrl, Notifications, Problem, Result, StoreError, WorkerRegistration,
    backend::{Backend, Transaction, WorkerLiveness},
    executor, migrations,
    row::Answer,
    statement::Statement,
};

/// How often a watcher would check the file.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A file that is only read.
pub struct ReadOnlyBackend {
    /// The database, for messages.
    name: Arc<str>,
    path: PathBuf,
}

impl ReadOnlyBackend {
    /// Opens the database in `path`.
    pub async fn open(path: &Path) -> Result<Self> {
        let name: Arc<str> = DatabaseUrl::Sqlite(path.to_owned()).to_string().into();
        let path = connections::absolute(&name, path)?;
        let backend = Self { name, path };
        let applied = match backend.read(migrations::applied_statement()).await {
            Err(StoreError::Database { problem: Problem::Statement, .. }) => Vec::new(), // no such table
            applied => applied?.all(migrations::read_applied)?,
        };
        if migrations::SQLITE.is_up_to_date(&backend.name, &applied)? {
            return Ok(backend);
        }
        let cause = "they are of another version, and this user may not write the database to bring them up to date";
        Err(StoreError::Schema { database: backend.name.to_string(), cause: cause.to_owned() })
    }

    /// If there is no log beside the file, no process has it open, and SQLite must not try to create one.
    fn options(&self) -> SqliteConnectOptions {
        let mut log = self.path.as_os_str().to_owned();
        log.push("-wal");
        connections::options(&self.path).read_only(true).immutable(!Path::new(&log).exists())
    }

    fn refusal(&self) -> StoreError {
        StoreError::problem(Problem::ReadOnly, &self.name, "it was opened for reading only")
    }
}

#[async_trait]
impl Backend for ReadOnlyBackend {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Each time on a new connection: a process may have opened, changed and closed the file since the last one, and a
    /// connection to a file that cannot change would not notice.
    async fn read(&self, statement: Statement<'_>) -> Result<Answer> {
        let driver = |error| StoreError::driver(&self.name, &error);
        let mut connection = self.options().connect().await.map_err(driver)?;
        let answer = executor::execute(&mut connection, &self.name, statement).await;
        connection.close().await.map_err(driver)?;
        answer
    }

    async fn write(&self, _: Statement<'_>) -> Result<Answer> {
        Err(self.refusal())
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>> {
        Err(self.refusal())
    }

    async fn register_worker(&self, _: &str) -> Result<Box<dyn WorkerRegistration>> {
        Err(self.refusal())
    }

    async fn worker_liveness(&self) -> Option<Box<dyn WorkerLiveness>> {
        None
    }

    /// No command that may open a file read-only waits for changes; one that did would poll.
    fn notifications(&self) -> Notifications {
        Notifications::from_task(|change| async move {
            loop {
                change.notify_one();
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        })
    }

    fn reset_connections(&self) -> StoreError {
        StoreError::held(&self.name)
    }

    async fn close(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Store, sqlite::SqliteBackend};

    #[tokio::test]
    async fn reads_what_others_write_and_refuses_to_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        let writer = Store::over(SqliteBackend::open(&path).await.unwrap());
        let reader = Store::over(ReadOnlyBackend::open(&path).await.unwrap());
        writer.add(&["a".into()], None).await.unwrap();
        assert_eq!(reader.matching(&crate::store::Selection::All).await.unwrap(), 1, "from the log");
        writer.close().await;
        assert!(!folder.path().join("queue.db-wal").exists());
        assert_eq!(reader.matching(&crate::store::Selection::All).await.unwrap(), 1, "without a log");
        let writer = Store::over(SqliteBackend::open(&path).await.unwrap());
        writer.add(&["b".into()], None).await.unwrap();
        writer.close().await;
        assert_eq!(reader.matching(&crate::store::Selection::All).await.unwrap(), 2, "changed in between");
        let error = reader.add(&["c".into()], None).await.unwrap_err();
        assert_eq!(error.code(), "database_read_only");
        let error = reader.resegment(&crate::store::Selection::All, "r", "m").await.unwrap_err();
        assert_eq!(error.code(), "database_read_only");
    }
}
