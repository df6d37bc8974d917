//! The queue and the results, in an SQLite file or on a PostgreSQL server.
//!
//! The promise is *claimed at least once, visible exactly once*. A claim hands out a [`ClaimKey`]; each later write
//! names it, and a write whose key is no longer valid (the lease ran out and another worker took the row, or a user
//! cancelled it) changes nothing and fails with [`StoreError::Lost`]. All times come from the database's clock,
//! in milliseconds since 1970, because the hosts' clocks differ.
//!
//! [`Store`] has the methods, in `queue/` for the runner, in `results/` for those who read segments, in `figures/` for
//! reports, in `browse/` for those who look through recordings, in `live/` for sessions of `listen`, and in `admin/` for operators. They are made of statements: data that each database's backend executes.

mod admin;
mod backend;
mod browse;
mod columns;
mod database_url;
mod dialect;
mod error;
mod executor;
mod figures;
mod foreign;
mod live;
mod migrations;
mod notify;
#[cfg(feature = "postgres")]
mod postgres;
mod queue;
mod results;
mod row;
mod selection;
mod sqlite;
mod statement;

use std::{future::Future, sync::Arc};

pub use admin::{Again, Failure, Running, StateCount};
pub use browse::{Annotation, Direction, ListedRecording, RecordingDetails, RecordingFilter};
pub use database_url::DatabaseUrl;
pub use error::{Problem, StoreError};
pub use figures::{
    CATEGORIES, Category, Class, Extreme, GroupKey, GroupedRecording, MEASURES, Measure, NameCount, Outliers,
    StageTotals, Table, UnknownGroupKey,
};
pub use foreign::ForeignRows;
pub use live::{LiveEnd, LiveSession};
pub use notify::Notifications;
#[cfg(feature = "postgres")]
pub use postgres::PostgresAddress;
pub use queue::{
    Added, AfterFailure, Claim, ClaimKey, Claimer, Ended, Ending, Exclusion, Isolation, NewRecording, Outlook, Reaped,
    Scope, State, WorkRecord, WorkerRegistration,
};
pub use results::{DoneRecording, MeasurableRecording, QualityCounts, RecipeCount, Reference, SegmentOf};
pub use selection::Selection;

use self::{backend::Backend, row::Answer, statement::Statement};

/// What every store call returns.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Opens the database that `url` names, creates it if it is SQLite and missing, and brings its schema up to date.
pub async fn connect(url: &DatabaseUrl) -> Result<Arc<Store>> {
    Ok(match url {
        DatabaseUrl::Sqlite(path) => Store::over(sqlite::SqliteBackend::open(path).await?),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(address) => Store::over(postgres::PostgresBackend::open(address).await?),
    })
}

/// Opens a database for reading, also where this user may do nothing else. Writes then fail with [`Problem::ReadOnly`].
pub async fn open_read_only(url: &DatabaseUrl) -> Result<Arc<Store>> {
    match (connect(url).await, url) {
        (Err(StoreError::Database { problem: Problem::ReadOnly, .. }), DatabaseUrl::Sqlite(path)) => {
            Ok(Store::over(sqlite::ReadOnlyBackend::open(path).await?))
        }
        (opened, _) => opened,
    }
}

/// The queue and the results in one database.
pub struct Store {
    backend: Arc<dyn Backend>,
}

impl Store {
    fn over(backend: impl Backend + 'static) -> Arc<Self> {
        Arc::new(Self { backend: Arc::new(backend) })
    }

    /// Whether a connection pooler in transaction mode is between this program and the server.
    pub fn is_pooled(&self) -> bool {
        self.backend.is_pooled()
    }

    /// Gives up connections that do not answer, so that the next call gets a new one. Returns the error that calls
    /// waiting on them end with.
    pub fn reset_connections(&self) -> StoreError {
        self.backend.reset_connections()
    }

    /// Closes all connections, so that SQLite can remove its log. No call may follow.
    pub async fn close(&self) {
        self.backend.close().await;
    }

    /// Runs database work to its end even when the caller stops waiting for it.
    ///
    /// A future that is dropped between two statements leaves its connection in an open transaction, or with an answer
    /// that is never fetched.
    async fn call<T, W>(&self, work: impl FnOnce(Arc<dyn Backend>) -> W) -> Result<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        match tokio::spawn(work(Arc::clone(&self.backend))).await {
            Ok(done) => done,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(ended) => Err(StoreError::problem(Problem::Other, self.backend.name(), ended)),
        }
    }

    /// A call of one statement that reads.
    async fn read(&self, statement: Statement<'static>) -> Result<Answer> {
        self.call(|db| async move { db.read(statement).await }).await
    }

    /// A call of one statement that writes.
    async fn write(&self, statement: Statement<'static>) -> Result<Answer> {
        self.call(|db| async move { db.write(statement).await }).await
    }
}
