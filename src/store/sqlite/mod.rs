//! SQLite: one file, for the processes of one machine.

mod connections;
mod file_identity;
mod leases;
mod lock_files;
pub(super) mod lock_holder;
mod network_filesystem;
mod read_only;
mod work_record;

use std::{
    path::Path,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions, Sqlite, SqlitePool,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteQueryResult, SqliteRow},
};
use tokio::sync::Notify;

pub use self::read_only::ReadOnlyBackend;
use self::{
    leases::LeaseObserver,
    lock_files::{SetupLock, WorkerLock, WorkerLocks},
};
use super::{
    DatabaseUrl, Notifications, Result, StoreError, WorkRecord, WorkerRegistration,
    backend::{Backend, Lease, Transaction, WorkerLiveness},
    dialect::Dialect,
    executor::{self, Driver, OpenTransaction},
    row::{Answer, Row},
    statement::{Statement, Value},
};

/// How long connections may take to close.
const CLOSING: Duration = Duration::from_secs(2);

/// How long a write waits for others before that is logged.
const WARN_AFTER: Duration = Duration::from_secs(5);

/// ... and how often it is logged from then on.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// How often a watcher checks whether the file has changed: it costs some microseconds.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

impl Driver for Sqlite {
    const DIALECT: Dialect = Dialect {
        now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        nonce: "lower(hex(randomblob(16)))",
        lock: "", // one writer at a time: no other transaction is changing anything
        list: "(SELECT value, key AS position FROM json_each($1)) AS list",
        new: "(SELECT json_extract(value, '$[0]') AS source, json_extract(value, '$[1]') AS priority,
                      json_extract(value, '$[2]') AS metadata, key AS position FROM json_each($1)) AS new",
        unsynced: "(SELECT 1 AS applies) AS unsynced", // not used: a file beside the database says what was begun
        floor: "",                                     // its CAST cuts the fraction off
        like: "LIKE",
        // SQLite searches the names of all parameters for each one: quadratic time for thousands of them.
        numbered_values: false,
    };

    fn arguments(values: Vec<Value<'_>>) -> std::result::Result<SqliteArguments, BoxDynError> {
        executor::arguments::<Self>(values)
    }

    fn row(row: SqliteRow) -> Row {
        Row::Sqlite(row)
    }

    fn affected(result: &SqliteQueryResult) -> u64 {
        result.rows_affected()
    }
}

/// The queue in an SQLite file.
pub struct SqliteBackend {
    /// The database, for messages.
    name: Arc<str>,
    path: Arc<Path>,
    /// Reads do not wait for writes.
    reads: SqlitePool,
    /// One connection: writers within this process queue here, in order, instead of racing for the file's lock.
    writes: SqlitePool,
    observer: Arc<Mutex<LeaseObserver>>,
    /// When it was last logged that a write waits for another process.
    warned: Mutex<Option<Instant>>,
}

impl SqliteBackend {
    /// Opens the database in `path`; creates folder, file and tables where they are missing.
    pub async fn open(path: &Path) -> Result<Self> {
        let name: Arc<str> = DatabaseUrl::Sqlite(path.to_owned()).to_string().into();
        let path = connections::absolute(&name, path)?;
        // sqlx's own lock against two migrators at once does nothing on SQLite, and the switch to WAL does not wait for
        // others either: of 480 processes that started at once, 160 failed.
        let setup = SetupLock::acquire(&name, &path).await?;
        connections::migrate(&name, &path).await?;
        let (reads, writes) = connections::pools(&path);
        drop(setup);
        Ok(Self { name, path: path.into(), reads, writes, observer: Arc::default(), warned: Mutex::default() })
    }

    /// Logs which process this one waits for, though not with each write that does.
    fn warn_of_waiting(&self) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
            *warned = Some(Instant::now());
            tracing::warn!("waiting for the database {}: {}", self.name, lock_holder::describe(&self.name));
        }
    }
}

#[async_trait]
impl Backend for SqliteBackend {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    async fn read(&self, statement: Statement<'_>) -> Result<Answer> {
        executor::execute(&self.reads, &self.name, statement).await
    }

    async fn write(&self, statement: Statement<'_>) -> Result<Answer> {
        executor::execute(&self.writes, &self.name, statement).await
    }

    /// It may write from its first moment on, so that it never has to wait half way.
    async fn begin(&self) -> Result<Box<dyn Transaction>> {
        let mut beginning = pin!(self.writes.begin_with("BEGIN IMMEDIATE"));
        let begun = match tokio::time::timeout(WARN_AFTER, &mut beginning).await {
            Ok(begun) => begun,
            Err(_) => {
                self.warn_of_waiting();
                beginning.await
            }
        };
        let transaction = begun.map_err(|error| StoreError::driver(&self.name, &error))?;
        Ok(Box::new(OpenTransaction { database: Arc::clone(&self.name), transaction }))
    }

    /// By a file that stays locked until its process is dead.
    async fn register_worker(&self, worker: &str) -> Result<Box<dyn WorkerRegistration>> {
        let setup = SetupLock::acquire(&self.name, &self.path).await?;
        let lock = WorkerLock::create(&setup, &self.path, worker);
        let lock = lock.map_err(|error| StoreError::file(&self.name, "cannot announce the worker", &error))?;
        Ok(Box::new(lock))
    }

    fn sees_workers(&self) -> bool {
        true
    }

    /// Where that cannot be found out, all may be alive, and their leases decide.
    async fn worker_liveness(&self) -> Option<Box<dyn WorkerLiveness>> {
        let locks = match SetupLock::acquire(&self.name, &self.path).await {
            Ok(setup) => WorkerLock::check_all(&setup, &self.path),
            Err(error) => Err(std::io::Error::other(error)),
        };
        let locks = locks.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot look for dead workers; their leases have to run out");
            WorkerLocks::default()
        });
        Some(Box::new(LockedWorkers { locks, observer: Arc::clone(&self.observer) }))
    }

    fn notifications(&self) -> Notifications {
        let options = connections::options(&self.path);
        Notifications::from_task(|change| async move {
            loop {
                if let Err(error) = watch_until_it_fails(&options, &change).await {
                    tracing::debug!(%error, "not watching the file");
                }
                change.notify_one(); // something may have been missed
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        })
    }

    /// Nothing between this process and the file can hang: it waits for another process's write.
    fn reset_connections(&self) -> StoreError {
        StoreError::held(&self.name)
    }

    async fn close(&self) {
        let closing = async {
            self.reads.close().await;
            self.writes.close().await;
        };
        // A connection that hangs is not waited for.
        let _ = tokio::time::timeout(CLOSING, closing).await;
    }
}

impl WorkerRegistration for WorkerLock {
    fn work_record(&self) -> Option<Arc<dyn WorkRecord>> {
        Some(self.record())
    }
}

/// The workers by their lock files.
struct LockedWorkers {
    locks: WorkerLocks,
    observer: Arc<Mutex<LeaseObserver>>,
}

impl WorkerLiveness for LockedWorkers {
    fn expired(&self, leases: &[Lease], patience: Duration) -> Vec<i64> {
        let mut observer = self.observer.lock().unwrap_or_else(PoisonError::into_inner);
        observer.expired(leases, &self.locks, patience, Instant::now())
    }

    fn had_begun(&self, lease: &Lease) -> bool {
        let lock = self.locks.dead.iter().find(|lock| lock.name() == lease.worker);
        lock.and_then(WorkerLock::begun).is_none_or(|begun| begun.contains(&(lease.id, lease.token)))
    }
}

/// Notifies of each change that another connection has made.
async fn watch_until_it_fails(options: &SqliteConnectOptions, change: &Notify) -> sqlx::Result<()> {
    let mut connection = options.connect().await?;
    let mut known = None;
    loop {
        let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut connection).await?;
        if known.replace(version) != Some(version) {
            change.notify_one();
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// SQLite itself ends a transaction when the disk is full. sqlx does not notice, and the next one on the same
    /// connection failed, and so did all that came after.
    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_does_not_break_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::over(SqliteBackend::open(&folder.path().join("queue.db")).await.unwrap());
        for number in 0..3 {
            let mut broken = store.backend.begin().await.unwrap();
            broken.execute(Statement::new("ROLLBACK")).await.unwrap();
            broken.commit().await.unwrap_err();
            let added = store.add(&[number.to_string().into()], None).await.unwrap();
            assert_eq!(added.inserted, 1);
        }
    }

    /// SQLite says "database is locked".
    #[tokio::test]
    async fn a_write_that_gives_up_waiting_names_what_it_waits_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        let (backend, other) = (SqliteBackend::open(&path).await.unwrap(), SqliteBackend::open(&path).await.unwrap());
        backend.write(Statement::new("PRAGMA busy_timeout = 50")).await.unwrap();
        let store = Store::over(backend);
        let writing = other.begin().await.unwrap();
        let error = store.add(&["a".into()], None).await.unwrap_err();
        assert_eq!((error.code(), error.is_passing()), ("database_busy", true));
        let message = error.to_string();
        assert!(message.contains("cannot be written at the moment") && !message.contains("locked"), "{message}");
        #[cfg(target_os = "linux")]
        assert!(message.contains("an earlier write of this process"), "{message}");
        drop(writing);
        store.add(&["a".into()], None).await.unwrap();
    }
}
