//! The store on a PostgreSQL server, for the processes of many machines.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use sqlx::{
    ConnectOptions, Connection, Executor, PgConnection, PgPool, Postgres, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::sync::Notify;

use super::{
    DatabaseUrl, Enlistment, News, Problem, Result, StoreError,
    queue::{impl_store, is_up_to_date},
    sql::{self, Dialect},
};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

const DIALECT: Dialect = Dialect {
    now: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    nonce: "replace(CAST(gen_random_uuid() AS TEXT), '-', '')",
    lock: "FOR UPDATE OF r SKIP LOCKED",
    list: "json_array_elements_text(CAST($1 AS JSON)) WITH ORDINALITY AS list (value, position)",
    new: "(SELECT list.value ->> 0 AS source, CAST(list.value ->> 1 AS BIGINT) AS priority, list.value ->> 2 AS metadata, list.position
           FROM json_array_elements(CAST($1 AS JSON)) WITH ORDINALITY AS list (value, position)) AS new",
};

/// How long a server may take to answer a first call.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a call may wait for a connection before its caller is told that there is none.
const CONNECTION: Duration = Duration::from_secs(5);

/// How long a listener waits before it tries again to get a connection.
const AGAIN: Duration = Duration::from_secs(1);

/// Sent by a trigger of the table.
const CHANNEL: &str = "prepare_audio";

/// The queue on a PostgreSQL server.
#[derive(Clone)]
pub struct PostgresStore {
    /// The database, for messages; without its password.
    name: Arc<str>,
    options: Arc<PgConnectOptions>,
    pool: Arc<RwLock<PgPool>>,
}

/// What one call works with.
struct Session {
    reads: PgPool,
    writes: PgPool,
}

impl Session {
    async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        self.writes.begin().await
    }
}

impl PostgresStore {
    /// Connects, and brings the tables up to date.
    pub async fn open(options: &PgConnectOptions) -> Result<Self> {
        let name: Arc<str> = DatabaseUrl::Postgres(Box::new(options.clone())).to_string().into();
        let options = &options.clone().application_name("prepare-audio");
        migrate(&name, options).await?;
        let pool = Arc::new(RwLock::new(pool().connect_lazy_with(options.clone())));
        Ok(Self { name, options: Arc::new(options.clone()), pool })
    }

    fn session(&self) -> Session {
        let pool = self.pool.read().unwrap_or_else(PoisonError::into_inner).clone();
        Session { reads: pool.clone(), writes: pool }
    }

    /// A server that was cut off leaves calls hanging for as long as TCP hopes. They keep the old pool.
    fn forget(&self) -> StoreError {
        let new = pool().connect_lazy_with((*self.options).clone());
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = new;
        StoreError::problem(Problem::Unreachable, &self.name, "it does not answer")
    }

    fn listen(&self) -> News {
        let store = self.clone();
        News::by(|notice| async move {
            loop {
                if let Err(error) = listen_until_it_breaks(&store.session().reads, &notice).await {
                    tracing::debug!(%error, "not listening");
                }
                notice.notify_one(); // something may have been missed
                tokio::time::sleep(AGAIN).await;
            }
        })
    }

    /// Leases alone tell that a worker is dead: from another machine nothing else can.
    async fn sign_in(&self, _worker: &str) -> Result<Box<dyn Enlistment>> {
        Ok(Box::new(NoSign))
    }

    async fn signs(&self) -> NoSign {
        NoSign
    }

    /// Every lease that ran out by the server's clock.
    async fn lapsed(&self, _: &mut PgConnection, _: &NoSign, _: Duration) -> sqlx::Result<Option<Vec<i64>>> {
        Ok(None)
    }
}

async fn listen_until_it_breaks(pool: &PgPool, notice: &Notify) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(CHANNEL).await?;
    notice.notify_one();
    while listener.try_recv().await?.is_some() {
        notice.notify_one();
    }
    Ok(())
}

/// Stands for the sign of life that a worker on PostgreSQL does not need.
struct NoSign;

impl Enlistment for NoSign {}

impl_store!(PostgresStore, Postgres, DIALECT);

/// Migrates on a connection of its own: a pool would hide the reason why a server does not answer behind a timeout.
async fn migrate(name: &str, options: &PgConnectOptions) -> Result<()> {
    let driver = |error| StoreError::driver(name, &error);
    let connecting = tokio::time::timeout(PATIENCE, options.connect()).await;
    let connecting = connecting.map_err(|_| StoreError::problem(Problem::Unreachable, name, "it does not answer"))?;
    let mut connection = connecting.map_err(driver)?;
    quiet(&mut connection).await.map_err(driver)?;
    // A user who may only read them cannot bring the tables up to date, which mostly they are.
    let applied: sqlx::Result<Vec<(i64, Vec<u8>)>> = sqlx::query_as(sql::APPLIED).fetch_all(&mut connection).await;
    if applied.is_ok_and(|applied| is_up_to_date(&MIGRATIONS, &applied)) {
        return connection.close().await.map_err(driver);
    }
    // Not `run`: its future cannot be spawned ("implementation of `Acquire` is not general enough").
    let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await;
    migrated.map_err(|error| StoreError::migration(name, &error))?;
    connection.close().await.map_err(driver)
}

fn pool() -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(CONNECTION)
        .test_before_acquire(false) // what is sent below tests it as well
        .after_connect(|connection, _| Box::pin(quiet(connection)))
        // A `begin` that was cancelled leaves a transaction open that sqlx does not know of; all that follows on this
        // connection would be written into it and never be committed.
        .before_acquire(|connection, _| {
            Box::pin(async move {
                // A ROLLBACK alone, mostly of nothing, would fill the server's log with warnings.
                connection.execute("BEGIN; ROLLBACK").await?;
                Ok(true)
            })
        })
}

/// Keeps the server's notices ("there is no transaction in progress") out of the user's log, and lets the server notice
/// soon that this machine was cut off. Within a transaction, which keeps rows locked that others are to take over, it is
/// never silent for longer than it takes to send the next statement: ten seconds of silence there mean that it is gone.
///
/// And no compiling of statements: where the server knows no statistics yet, as after a million rows were added, it
/// compiled each claim for half a second to run it for less than one millisecond.
async fn quiet(connection: &mut PgConnection) -> sqlx::Result<()> {
    let settings = "SET client_min_messages = error; SET idle_in_transaction_session_timeout = '10s'; \
                    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
                    SET tcp_user_timeout = '20s'; SET jit = off";
    connection.execute(settings).await.map(drop)
}
