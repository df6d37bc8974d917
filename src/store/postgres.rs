//! The store on a PostgreSQL server, for the processes of many machines.

use std::{sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{DatabaseUrl, Enlistment, Problem, Result, StoreError, queue::impl_store, sql::Dialect};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

const DIALECT: Dialect = Dialect {
    now: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    nonce: "replace(CAST(gen_random_uuid() AS TEXT), '-', '')",
    lock: "FOR UPDATE OF r SKIP LOCKED",
    list: "json_array_elements_text(CAST($1 AS JSON)) WITH ORDINALITY AS list (value, position)",
};

/// How long a server may take to answer a first call, and a write to get a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// The queue on a PostgreSQL server.
#[derive(Clone)]
pub struct PostgresStore {
    /// The database, for messages; without its password.
    name: Arc<str>,
    reads: PgPool,
    writes: PgPool,
}

impl PostgresStore {
    /// Connects, and brings the tables up to date.
    pub async fn open(options: &PgConnectOptions) -> Result<Self> {
        let name: Arc<str> = DatabaseUrl::Postgres(Box::new(options.clone())).to_string().into();
        migrate(&name, options).await?;
        let pool = pool().connect_lazy_with(options.clone());
        Ok(Self { name, reads: pool.clone(), writes: pool })
    }

    async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.writes.begin().await
    }

    /// Leases alone tell that a worker is dead: from another machine nothing else can.
    async fn sign_in(&self, _worker: &str) -> Result<Box<dyn Enlistment>> {
        Ok(Box::new(NoSign))
    }

    async fn dead_workers(&self) -> Vec<NoSign> {
        Vec::new()
    }
}

/// Stands for the sign of life that a worker on PostgreSQL does not need.
struct NoSign;

impl NoSign {
    fn name(&self) -> &str {
        ""
    }
}

impl Enlistment for NoSign {}

impl_store!(PostgresStore, Postgres, DIALECT);

/// Migrates on a connection of its own: a pool would hide the reason why a server does not answer behind a timeout.
async fn migrate(name: &str, options: &PgConnectOptions) -> Result<()> {
    let driver = |error| StoreError::driver(name, &error);
    let connecting = tokio::time::timeout(PATIENCE, options.connect()).await;
    let connecting = connecting.map_err(|_| StoreError::problem(Problem::Unreachable, name, "it does not answer"))?;
    let mut connection = connecting.map_err(driver)?;
    quiet(&mut connection).await.map_err(driver)?;
    // Not `run`: its future cannot be spawned ("implementation of `Acquire` is not general enough").
    let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await;
    migrated.map_err(|error| StoreError::migration(name, &error))?;
    connection.close().await.map_err(driver)
}

fn pool() -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false) // the ROLLBACK below tests it as well
        .after_connect(|connection, _| Box::pin(quiet(connection)))
        // A `begin` that was cancelled leaves a transaction open that sqlx does not know of; all that follows on this
        // connection would be written into it and never be committed.
        .before_acquire(|connection, _| {
            Box::pin(async move {
                connection.execute("ROLLBACK").await?;
                Ok(true)
            })
        })
}

/// Keeps the server's notices ("there is no transaction in progress") out of the user's log.
async fn quiet(connection: &mut PgConnection) -> sqlx::Result<()> {
    connection.execute("SET client_min_messages = error").await.map(drop)
}
