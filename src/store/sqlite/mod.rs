//! The store in one SQLite file, for the processes of one machine.

mod files;
mod leases;
mod network;
mod place;
pub(super) mod writer;

use std::{
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use tokio::sync::Notify;

use self::{
    files::{Gate, Sign, Signs},
    leases::{Lease, Watched},
    place::Place,
};
use super::{
    DatabaseUrl, Enlistment, News, Problem, Result, StoreError,
    queue::{impl_store, is_up_to_date},
    sql::{self, Dialect},
};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

const DIALECT: Dialect = Dialect {
    now: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    nonce: "lower(hex(randomblob(16)))",
    lock: "", // one writer at a time: nobody else is changing anything
    list: "(SELECT value, key AS position FROM json_each($1)) AS list",
    new: "(SELECT json_extract(value, '$[0]') AS source, json_extract(value, '$[1]') AS priority,
                  json_extract(value, '$[2]') AS metadata, key AS position FROM json_each($1)) AS new",
};

/// How long a write waits for the other processes' writes.
const BUSY: Duration = Duration::from_secs(30);

/// How long a write waits for others without a word.
const SILENCE: Duration = Duration::from_secs(5);

/// ... and how often it says that it still does.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How often a watcher asks whether the file has changed: it costs some microseconds.
const LOOK: Duration = Duration::from_millis(200);

/// The queue in an SQLite file.
#[derive(Clone)]
pub struct SqliteStore {
    /// The database, for messages.
    name: Arc<str>,
    path: Arc<Path>,
    /// Questions do not wait for writes.
    reads: SqlitePool,
    /// One connection: writers within this process queue here, in order, instead of racing for the file's lock.
    writes: SqlitePool,
    watched: Arc<Mutex<Watched>>,
    /// When it was last said that a write waits for another process.
    told: Arc<Mutex<Option<Instant>>>,
    only_read: bool,
}

impl SqliteStore {
    /// Opens the database in `path`; creates folder, file and tables where they are missing.
    pub async fn open(path: &Path) -> Result<Self> {
        let name: Arc<str> = DatabaseUrl::Sqlite(path.to_owned()).to_string().into();
        let path = absolute(&name, path)?;
        // sqlx's own lock against two migrators at once does nothing on SQLite, and the switch to WAL does not wait for
        // others either: of 480 processes that started at once, 160 failed.
        let gate = Gate::of(&name, &path).await?;
        migrate(&name, &path).await?;
        let options = options(&path);
        let place = Arc::new(Mutex::new(Place::of(&path)));
        let store = Self {
            writes: pool(1, &place).connect_lazy_with(options.clone()),
            reads: pool(4, &place).connect_lazy_with(options),
            path: path.into(),
            name,
            watched: Arc::default(),
            told: Arc::default(),
            only_read: false,
        };
        drop(gate);
        Ok(store)
    }

    /// Opens a database that this user may not write, to look at it.
    pub async fn open_to_read(path: &Path) -> Result<Self> {
        let name: Arc<str> = DatabaseUrl::Sqlite(path.to_owned()).to_string().into();
        let path = absolute(&name, path)?;
        let (reads, writes) = pools_to_read(&path);
        let (watched, told) = Default::default();
        let store = Self { writes, reads, path: path.into(), name, watched, told, only_read: true };
        let applied = sqlx::query_as(sql::APPLIED).fetch_all(&store.reads).await;
        let applied: Vec<(i64, Vec<u8>)> = applied.map_err(|error| StoreError::driver(&store.name, &error))?;
        if is_up_to_date(&MIGRATIONS, &applied) {
            return Ok(store);
        }
        let cause = "they are of another version, and this user may not write the database to bring them up to date";
        Err(StoreError::Schema { database: store.name.to_string(), cause: cause.to_owned() })
    }

    /// Starts a transaction that may write from its first moment on, so that it never has to wait half way.
    async fn begin(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        let mut beginning = pin!(self.writes.begin_with("BEGIN IMMEDIATE"));
        match tokio::time::timeout(SILENCE, &mut beginning).await {
            Ok(begun) => begun,
            Err(_) => {
                self.tell_that_it_waits();
                beginning.await
            }
        }
    }

    /// Says for whom this process waits, though not with each write that does.
    fn tell_that_it_waits(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!("waiting for the database {}: {}", self.name, writer::told(&self.name));
        }
    }

    /// Announces `worker` by a file that stays locked until its process is dead.
    async fn sign_in(&self, worker: &str) -> Result<Box<dyn Enlistment>> {
        let gate = Gate::of(&self.name, &self.path).await?;
        let sign = Sign::set(&gate, &self.path, worker);
        let sign = sign.map_err(|error| StoreError::file(&self.name, "cannot announce the worker", &error))?;
        Ok(Box::new(sign))
    }

    fn session(&self) -> Self {
        match self.only_read {
            false => self.clone(),
            // Whether there is a log beside the file may have changed since the last call.
            true => {
                let (reads, writes) = pools_to_read(&self.path);
                Self { reads, writes, ..self.clone() }
            }
        }
    }

    /// Nothing lies between this process and the file that could hang: it waits for somebody else's write.
    fn forget(&self) -> StoreError {
        StoreError::held(&self.name)
    }

    fn listen(&self) -> News {
        let options = options(&self.path);
        News::by(|notice| async move {
            loop {
                if let Err(error) = look_until_it_breaks(&options, &notice).await {
                    tracing::debug!(%error, "not watching the file");
                }
                notice.notify_one(); // something may have been missed
                tokio::time::sleep(LOOK).await;
            }
        })
    }

    /// Who lives and who is dead. Where that cannot be told, all may live, and their leases tell.
    async fn signs(&self) -> Signs {
        let signs = match Gate::of(&self.name, &self.path).await {
            Ok(gate) => Sign::all(&gate, &self.path),
            Err(error) => Err(std::io::Error::other(error)),
        };
        signs.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot look for dead workers; their leases have to run out");
            Signs::default()
        })
    }

    /// The recordings whose claims ended: their worker is dead, or has given no sign of life for `patience`.
    async fn lapsed(
        &self,
        connection: &mut SqliteConnection,
        signs: &Signs,
        patience: Duration,
    ) -> sqlx::Result<Option<Vec<i64>>> {
        let leases: Vec<Lease> = sqlx::query_as(DIALECT.sql(sql::LEASES)).fetch_all(connection).await?;
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Some(watched.lapsed(&leases, signs, patience, Instant::now())))
    }
}

/// Tells of each change that another connection has made.
async fn look_until_it_breaks(options: &SqliteConnectOptions, notice: &Notify) -> sqlx::Result<()> {
    let mut connection = options.connect().await?;
    let mut known = None;
    loop {
        let version: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut connection).await?;
        if known.replace(version) != Some(version) {
            notice.notify_one();
        }
        tokio::time::sleep(LOOK).await;
    }
}

impl Enlistment for Sign {}

impl_store!(SqliteStore, Sqlite, DIALECT);

/// The file's absolute path, in a folder that exists and lies on this machine.
fn absolute(name: &str, path: &Path) -> Result<PathBuf> {
    let file = |error| StoreError::file(name, "its folder cannot be used", &error);
    let path = std::path::absolute(path).map_err(file)?;
    let folder = path.parent().unwrap_or(&path);
    // Not with all folders above it: a mistyped name, or a disk that is not mounted, must not make an empty queue.
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists && !folder.is_dir() => return Err(file(error)),
        _ => {}
    }
    match network::filesystem(folder) {
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

async fn migrate(name: &str, path: &Path) -> Result<()> {
    let options = options(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let driver = |error| StoreError::driver(name, &error);
    let mut connection = options.connect().await.map_err(driver)?;
    // Not `run`: its future cannot be spawned ("implementation of `Acquire` is not general enough").
    let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await;
    migrated.map_err(|error| StoreError::migration(name, &error))?;
    connection.close().await.map_err(driver)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
}

/// Connections that do not write. Where no log lies beside the file, nobody has it open, and SQLite must not try to make
/// one.
fn pools_to_read(path: &Path) -> (SqlitePool, SqlitePool) {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let options = options(path).read_only(true).immutable(!Path::new(&log).exists());
    let place = Arc::new(Mutex::new(Place::of(path)));
    (pool(1, &place).connect_lazy_with(options.clone()), pool(1, &place).connect_lazy_with(options))
}

/// Connections that leave a file when it is moved or removed. Otherwise work would go on in a file that nobody finds any
/// more; so the next call says that the file cannot be opened, and the run pauses until it is back.
fn pool(connections: u32, place: &Arc<Mutex<Place>>) -> SqlitePoolOptions {
    let place = Arc::clone(place);
    SqlitePoolOptions::new()
        .before_acquire(move |_, meta| {
            let still_there = place.lock().unwrap_or_else(PoisonError::into_inner).holds(meta.age);
            Box::pin(async move { Ok(still_there) })
        })
        .max_connections(connections)
        .acquire_timeout(2 * BUSY)
        // A file does not go away as a server does. To ask costs as much as to claim.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// SQLite itself ends a transaction when the disk is full. sqlx does not notice, and the next one on the same
    /// connection failed, and so did all that came after.
    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_does_not_break_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("queue.db")).await.unwrap();
        for number in 0..3 {
            let mut broken = store.begin().await.unwrap();
            sqlx::query("ROLLBACK").execute(&mut *broken).await.unwrap();
            broken.commit().await.unwrap_err();
            let added = store.add(&[number.to_string().into()], None).await.unwrap();
            assert_eq!(added.inserted, 1);
        }
    }

    /// "database is locked" is what SQLite says to it.
    #[tokio::test]
    async fn a_write_that_waits_in_vain_tells_for_whom() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        let (store, other) = (SqliteStore::open(&path).await.unwrap(), SqliteStore::open(&path).await.unwrap());
        sqlx::query("PRAGMA busy_timeout = 50").execute(&store.writes).await.unwrap();
        let writing = other.begin().await.unwrap();
        let error = store.add(&["a".into()], None).await.unwrap_err();
        assert_eq!((error.code(), error.is_passing()), ("database_busy", true));
        let told = error.to_string();
        assert!(told.contains("cannot be written at the moment") && !told.contains("locked"), "{told}");
        #[cfg(target_os = "linux")]
        assert!(told.contains("an earlier write of this process"), "{told}");
        drop(writing);
        store.add(&["a".into()], None).await.unwrap();
    }
}
