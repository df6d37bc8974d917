//! PostgreSQL: a server, for the processes of many machines.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres,
    error::BoxDynError,
    postgres::{PgArguments, PgConnectOptions, PgListener, PgPoolOptions, PgQueryResult, PgRow},
};
use tokio::sync::Notify;

use super::{
    DatabaseUrl, Notifications, Problem, Result, StoreError, WorkerRegistration,
    backend::{Backend, Transaction, WorkerLiveness},
    dialect::Dialect,
    executor::{self, Driver, OpenTransaction},
    migrations,
    row::{Answer, Row},
    statement::{Statement, Value},
};

impl Driver for Postgres {
    const DIALECT: Dialect = Dialect {
        now: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        nonce: "replace(CAST(gen_random_uuid() AS TEXT), '-', '')",
        lock: "FOR UPDATE OF r SKIP LOCKED",
        list: "json_array_elements_text(CAST($1 AS JSON)) WITH ORDINALITY AS list (value, position)",
        new: "(SELECT list.value ->> 0 AS source, CAST(list.value ->> 1 AS BIGINT) AS priority, list.value ->> 2 AS metadata, list.position
               FROM json_array_elements(CAST($1 AS JSON)) WITH ORDINALITY AS list (value, position)) AS new",
        unsynced: "(SELECT set_config('synchronous_commit', 'off', true) IS NOT NULL AS applies) AS unsynced",
        numbered_values: true,
    };

    fn arguments(values: Vec<Value<'_>>) -> std::result::Result<PgArguments, BoxDynError> {
        executor::arguments::<Self>(values)
    }

    fn row(row: PgRow) -> Row {
        Row::Postgres(row)
    }

    fn affected(result: &PgQueryResult) -> u64 {
        result.rows_affected()
    }
}

/// The migrations that the tables have gone through.
const APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";

/// How long connections may take to close.
const CLOSING: Duration = Duration::from_secs(2);

/// How long a server may take to answer a first call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a call may wait for a connection before it fails.
const CONNECTION: Duration = Duration::from_secs(5);

/// How long a listener waits before it tries again to get a connection.
const AGAIN: Duration = Duration::from_secs(1);

/// Sent by a trigger of the table.
const CHANNEL: &str = "prepare_audio";

/// The queue on a PostgreSQL server.
pub struct PostgresBackend {
    /// The database, for messages; without its password.
    name: Arc<str>,
    options: Arc<PgConnectOptions>,
    pool: Arc<RwLock<PgPool>>,
}

impl PostgresBackend {
    /// Connects, and brings the tables up to date.
    pub async fn open(options: &PgConnectOptions) -> Result<Self> {
        let name: Arc<str> = DatabaseUrl::Postgres(Box::new(options.clone())).to_string().into();
        let options = &options.clone().application_name("prepare-audio");
        migrate(&name, options).await?;
        let pool = Arc::new(RwLock::new(pool().connect_lazy_with(options.clone())));
        Ok(Self { name, options: Arc::new(options.clone()), pool })
    }

    fn pool(&self) -> PgPool {
        current(&self.pool)
    }
}

fn current(pool: &RwLock<PgPool>) -> PgPool {
    pool.read().unwrap_or_else(PoisonError::into_inner).clone()
}

#[async_trait]
impl Backend for PostgresBackend {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    async fn read(&self, statement: Statement<'_>) -> Result<Answer> {
        executor::execute(&self.pool(), &self.name, statement).await
    }

    async fn write(&self, statement: Statement<'_>) -> Result<Answer> {
        executor::execute(&self.pool(), &self.name, statement).await
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>> {
        let begun = self.pool().begin().await;
        let transaction = begun.map_err(|error| StoreError::driver(&self.name, &error))?;
        Ok(Box::new(OpenTransaction { database: Arc::clone(&self.name), transaction }))
    }

    async fn register_worker(&self, _: &str) -> Result<Box<dyn WorkerRegistration>> {
        Ok(Box::new(NoRegistration))
    }

    /// From another machine only a lease shows that a worker is dead: every lease that ran out by the server's clock.
    async fn worker_liveness(&self) -> Option<Box<dyn WorkerLiveness>> {
        None
    }

    fn notifications(&self) -> Notifications {
        let pool = Arc::clone(&self.pool);
        Notifications::from_task(|change| async move {
            loop {
                if let Err(error) = listen_until_it_fails(&current(&pool), &change).await {
                    tracing::debug!(%error, "not listening");
                }
                change.notify_one(); // something may have been missed
                tokio::time::sleep(AGAIN).await;
            }
        })
    }

    /// A server that was cut off leaves calls hanging until TCP gives up. They keep the old pool.
    fn reset_connections(&self) -> StoreError {
        let new = pool().connect_lazy_with((*self.options).clone());
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = new;
        StoreError::problem(Problem::Unreachable, &self.name, "it does not answer")
    }

    async fn close(&self) {
        // A connection that hangs is not waited for.
        let _ = tokio::time::timeout(CLOSING, self.pool().close()).await;
    }
}

async fn listen_until_it_fails(pool: &PgPool, change: &Notify) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(CHANNEL).await?;
    change.notify_one();
    while listener.try_recv().await?.is_some() {
        change.notify_one();
    }
    Ok(())
}

/// A worker on PostgreSQL needs no registration: its leases are enough.
struct NoRegistration;

impl WorkerRegistration for NoRegistration {}

/// Migrates on a separate connection: a pool would hide the reason why a server does not answer behind a timeout.
async fn migrate(name: &str, options: &PgConnectOptions) -> Result<()> {
    let driver = |error| StoreError::driver(name, &error);
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await;
    let connecting = connecting.map_err(|_| StoreError::problem(Problem::Unreachable, name, "it does not answer"))?;
    let mut connection = connecting.map_err(driver)?;
    configure(&mut connection).await.map_err(driver)?;
    // A user who may only read them cannot bring the tables up to date, which mostly they are.
    let applied: sqlx::Result<Vec<(i64, Vec<u8>)>> = sqlx::query_as(APPLIED).fetch_all(&mut connection).await;
    if applied.is_ok_and(|applied| migrations::is_up_to_date(&migrations::POSTGRES, &applied)) {
        return connection.close().await.map_err(driver);
    }
    // Not `run`: its future cannot be spawned ("implementation of `Acquire` is not general enough").
    let migrated = migrations::POSTGRES.run_direct(None, &mut connection, false).await;
    migrated.map_err(|error| StoreError::migration(name, &error))?;
    connection.close().await.map_err(driver)
}

fn pool() -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(CONNECTION)
        .test_before_acquire(false) // what is sent below tests it as well
        .after_connect(|connection, _| Box::pin(configure(connection)))
        // A `begin` that was cancelled leaves a transaction open that sqlx does not know of; all that follows on this
        // connection would be written into it and never be committed.
        .before_acquire(|connection, _| {
            Box::pin(async move {
                // A ROLLBACK alone, mostly outside of a transaction, would fill the server's log with warnings.
                connection.execute("BEGIN; ROLLBACK").await?;
                Ok(true)
            })
        })
}

/// Keeps the server's notices ("there is no transaction in progress") out of the user's log, and lets the server notice
/// soon that this machine was cut off. Within a transaction, which keeps rows locked that others are to take over, this
/// program is never idle for longer than it takes to send the next statement: ten idle seconds there mean that it is gone.
///
/// JIT is off: where the server has no statistics yet, as after a million rows were added, it compiled each claim for half
/// a second to run it for less than one millisecond.
async fn configure(connection: &mut PgConnection) -> sqlx::Result<()> {
    let settings = "SET client_min_messages = error; SET idle_in_transaction_session_timeout = '10s'; \
                    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
                    SET tcp_user_timeout = '20s'; SET jit = off";
    connection.execute(settings).await.map(drop)
}
