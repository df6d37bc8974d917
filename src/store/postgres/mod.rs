//! PostgreSQL: a server, for the processes of many machines.

mod address;
mod session;
mod startup_options;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use async_trait::async_trait;
use sqlx::{
    Connection, PgConnection, PgPool, Postgres,
    error::BoxDynError,
    postgres::{PgArguments, PgListener, PgQueryResult, PgRow},
};
use tokio::sync::Notify;

pub use self::address::{PostgresAddress, TargetSession};
pub(super) use self::session::Session;
use super::{
    Notifications, Problem, Result, StoreError, WorkerRegistration,
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
        floor: "FLOOR", // its CAST rounds to the nearest
        like: "ILIKE",
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

/// How long connections may take to close.
const CLOSING: Duration = Duration::from_secs(2);

/// How long a listener waits before it tries again to get a connection, and how often rows are looked for behind a pooler.
const AGAIN: Duration = Duration::from_secs(1);

/// Sent by a trigger of the table.
const CHANNEL: &str = "prepare_audio";

/// The queue on a PostgreSQL server.
pub struct PostgresBackend {
    /// The database, for messages; without its password.
    name: Arc<str>,
    session: Arc<Session>,
    pool: Arc<RwLock<PgPool>>,
}

impl PostgresBackend {
    /// Connects, and brings the tables up to date.
    pub async fn open(address: &PostgresAddress) -> Result<Self> {
        let name: Arc<str> = address.to_string().into();
        // On a separate connection: a pool would hide the reason why a server does not answer behind a timeout.
        let (session, mut connection) = Session::open(&name, address).await?;
        migrate(&name, &session, &mut connection).await?;
        connection.close().await.map_err(|error| StoreError::driver(&name, &error))?;
        let pool = Arc::new(RwLock::new(session.pool()));
        Ok(Self { name, session: Arc::new(session), pool })
    }

    fn pool(&self) -> PgPool {
        current(&self.pool)
    }

    async fn transaction(&self) -> Result<PostgresTransaction> {
        let begun = self.pool().begin_with(self.session.begin()).await;
        let transaction = begun.map_err(|error| StoreError::driver(&self.name, &error))?;
        let transaction = OpenTransaction { database: Arc::clone(&self.name), transaction };
        Ok(PostgresTransaction { session: Arc::clone(&self.session), transaction })
    }

    /// Executes one statement; behind a pooler in a transaction of its own.
    async fn execute(&self, statement: Statement<'_>) -> Result<Answer> {
        if !self.session.is_pooled() {
            return self.session.inspect(executor::execute(&self.pool(), &self.name, statement).await);
        }
        let mut transaction = Box::new(self.transaction().await?);
        let answer = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(answer)
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
        self.execute(statement).await
    }

    async fn write(&self, statement: Statement<'_>) -> Result<Answer> {
        self.execute(statement).await
    }

    async fn begin(&self) -> Result<Box<dyn Transaction>> {
        Ok(Box::new(self.transaction().await?))
    }

    async fn register_worker(&self, _: &str) -> Result<Box<dyn WorkerRegistration>> {
        Ok(Box::new(NoRegistration))
    }

    /// From another machine only a lease shows that a worker is dead: every lease that ran out by the server's clock.
    async fn worker_liveness(&self) -> Option<Box<dyn WorkerLiveness>> {
        None
    }

    /// LISTEN does not work behind a pooler, so the table is polled there.
    fn notifications(&self) -> Notifications {
        let (pool, session) = (Arc::clone(&self.pool), Arc::clone(&self.session));
        Notifications::from_task(|change| async move {
            loop {
                if !session.is_pooled()
                    && let Err(error) = listen_until_it_fails(&current(&pool), &change).await
                {
                    tracing::debug!(%error, "not listening");
                }
                change.notify_one(); // something may have been missed
                tokio::time::sleep(AGAIN).await;
            }
        })
    }

    /// A server that was cut off leaves calls hanging until TCP gives up. They keep the old pool.
    fn reset_connections(&self) -> StoreError {
        *self.pool.write().unwrap_or_else(PoisonError::into_inner) = self.session.pool();
        StoreError::problem(Problem::Unreachable, &self.name, "it does not answer")
    }

    fn is_pooled(&self) -> bool {
        self.session.is_pooled()
    }

    async fn close(&self) {
        // A connection that hangs is not waited for.
        let _ = tokio::time::timeout(CLOSING, self.pool().close()).await;
    }
}

/// A transaction; behind a pooler without named statements.
struct PostgresTransaction {
    session: Arc<Session>,
    transaction: OpenTransaction<'static, Postgres>,
}

#[async_trait]
impl Transaction for PostgresTransaction {
    async fn execute(&mut self, statement: Statement<'_>) -> Result<Answer> {
        let persistent = statement.persistent && !self.session.is_pooled();
        self.session.inspect(self.transaction.execute(Statement { persistent, ..statement }).await)
    }

    async fn execute_script(&mut self, script: &'static str) -> Result<()> {
        self.transaction.execute_script(script).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Box::new(self.transaction).commit().await
    }

    async fn rollback(self: Box<Self>) -> Result<()> {
        Box::new(self.transaction).rollback().await
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

/// Brings the tables up to date. For a user who may only read them, that they are up to date is enough.
async fn migrate(name: &str, session: &Session, connection: &mut PgConnection) -> Result<()> {
    let begun = connection.begin_with(session.begin()).await;
    let transaction = begun.map_err(|error| StoreError::driver(name, &error))?;
    let mut transaction = OpenTransaction { database: name.into(), transaction };
    // Unnamed statements, whether there is a pooler or not: none is needed twice.
    match migrations::POSTGRES.bring_up_to_date(name, &mut transaction).await {
        Ok(()) => Box::new(transaction).commit().await,
        Err(error) => {
            let _ = Box::new(transaction).rollback().await; // the error is more telling
            Err(error)
        }
    }
}
