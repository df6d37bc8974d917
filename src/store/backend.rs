//! What a database has to provide. SQLite and PostgreSQL each implement [`Backend`]; everything above it is common.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Notifications, Result, StoreError, WorkerRegistration, row::Answer, statement::Statement};

/// A database that executes statements.
#[async_trait]
pub trait Backend: Send + Sync {
    /// The database, for messages; without its password.
    fn name(&self) -> &Arc<str>;

    /// Executes a statement that reads.
    async fn read(&self, statement: Statement<'_>) -> Result<Answer>;

    /// Executes one statement that writes, in a transaction of its own.
    async fn write(&self, statement: Statement<'_>) -> Result<Answer>;

    /// Begins a transaction that writes. Dropping it rolls it back.
    async fn begin(&self) -> Result<Box<dyn Transaction>>;

    /// Makes it known that `worker` is alive, for as long as the returned value exists.
    async fn register_worker(&self, worker: &str) -> Result<Box<dyn WorkerRegistration>>;

    /// Whether [`Backend::worker_liveness`] can tell live workers from dead ones.
    fn sees_workers(&self) -> bool {
        false
    }

    /// Finds out which workers are alive, where the database has means to. `None` means that leases alone decide.
    ///
    /// The value is kept until the transaction that reclaims is committed, so that no other process reclaims from the
    /// same dead workers meanwhile.
    async fn worker_liveness(&self) -> Option<Box<dyn WorkerLiveness>>;

    /// Reports recordings that were added.
    fn notifications(&self) -> Notifications;

    /// Whether a connection pooler is between this program and the server, so that no session is this program's own.
    fn is_pooled(&self) -> bool {
        false
    }

    /// Gives up connections that do not answer. Returns the error that calls waiting on them end with.
    fn reset_connections(&self) -> StoreError;

    /// Closes all connections.
    async fn close(&self);
}

/// A transaction that writes.
#[async_trait]
pub trait Transaction: Send {
    /// Executes a statement.
    async fn execute(&mut self, statement: Statement<'_>) -> Result<Answer>;

    /// Executes several statements without parameters, as a migration has them.
    async fn execute_script(&mut self, script: &'static str) -> Result<()>;

    /// Makes the changes permanent.
    async fn commit(self: Box<Self>) -> Result<()>;

    /// Undoes the changes.
    async fn rollback(self: Box<Self>) -> Result<()>;
}

/// Which workers are known to be alive or dead.
pub trait WorkerLiveness: Send + Sync {
    /// The recordings of `leases`, all that are running, whose claims have ended. A live worker loses a claim only when
    /// its row did not change for `patience`.
    fn expired(&self, leases: &[Lease], patience: Duration) -> Vec<i64>;

    /// Whether the worker of `lease`, which has ended, may have been working on the recording. `false` only where it
    /// is known that it was not.
    fn had_begun(&self, lease: &Lease) -> bool;
}

/// What the row of a running recording says.
#[derive(Debug)]
pub struct Lease {
    /// The recording's id.
    pub id: i64,
    /// Counts the row's claims.
    pub token: i64,
    /// The worker that holds it.
    pub worker: String,
    /// Milliseconds since 1970.
    pub lease_until: i64,
    /// Whether that is over by the database's clock.
    pub expired: bool,
    /// Whether the row says that the attempt has begun.
    pub begun: bool,
}
