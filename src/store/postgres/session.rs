//! Sessions with a server: connecting, and what depends on whether they are the program's own.
//!
//! A pooler in transaction mode (PgBouncer, Supavisor, RDS Proxy) gives each transaction whichever connection to the server
//! is free. So nothing may be left in a session behind it: no named statement, no SET, no LISTEN, no advisory lock of the
//! session. Everything happens in transactions there, with unnamed statements: the driver prepares a statement in one
//! exchange and runs it in the next, and only within a transaction both reach the same connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
    raw_sql,
};

use super::{PostgresAddress, TargetSession, startup_options};
use crate::store::{Problem, Result, StoreError};

/// How long a call may wait for a connection before it fails, if the address does not say.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings of a transaction behind a pooler; those of [`configure`] as far as they can be set there.
const POOLED_SETTINGS: &str = "SET LOCAL client_min_messages = error; \
                               SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL jit = off; \
                               SET LOCAL random_page_cost = 1.1";

/// How often both connections are asked which process serves them. Other clients of the pooler may come in between.
const PROBES: usize = 3;

/// How to talk to one server.
pub struct Session {
    options: PgConnectOptions,
    acquire_timeout: Duration,
    is_pooled: Arc<AtomicBool>,
    /// Begins a transaction behind a pooler.
    begin: String,
}

impl Session {
    /// Connects for the first time, and finds out whether a pooler is in between.
    pub async fn open(name: &str, address: &PostgresAddress) -> Result<(Self, PgConnection)> {
        let driver = |error| StoreError::driver(name, &error);
        let connect = async |options: &PgConnectOptions| {
            let connecting = tokio::time::timeout(address.connect_timeout(), options.connect()).await;
            connecting.map_err(|_| StoreError::problem(Problem::Unreachable, name, "it does not answer"))
        };
        let mut options = address.options().clone();
        if options.get_application_name().is_none() {
            options = options.application_name("prepare-audio");
        }
        let mut settings: &[(String, String)] = &[];
        let mut connecting = connect(&options).await?;
        if connecting.as_ref().is_err_and(refuses_startup_options) && !address.startup_options().is_empty() {
            options = address.without_startup_options().clone().application_name("prepare-audio");
            settings = address.startup_options();
            connecting = connect(&options).await?;
        }
        let mut connection = connecting.map_err(driver)?;
        check_kind(name, address.target_session(), &mut connection).await?;
        let is_pooled = match address.is_pooled() {
            _ if !settings.is_empty() => true,
            Some(is_pooled) => is_pooled,
            None => is_pooled(&mut connection, &options).await.map_err(driver)?,
        };
        if !is_pooled {
            configure(&mut connection).await.map_err(driver)?;
        }
        let session = Self {
            options,
            acquire_timeout: address.stated_connect_timeout().unwrap_or(ACQUIRE_TIMEOUT),
            is_pooled: Arc::new(AtomicBool::new(is_pooled)),
            begin: format!("BEGIN; {POOLED_SETTINGS}{}", startup_options::local(settings)),
        };
        Ok((session, connection))
    }

    /// Whether a pooler in transaction mode is in between.
    pub fn is_pooled(&self) -> bool {
        self.is_pooled.load(Ordering::Relaxed)
    }

    /// Looks at an error: one about a statement of another client shows that a pooler is in between that was not found at
    /// the beginning. The same call succeeds from then on.
    pub fn inspect<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(StoreError::Database { cause, .. }) = &result
            && cause.contains("prepared statement \"sqlx_s_")
            && !self.is_pooled.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("a connection pooler in transaction mode is between this program and the server: {cause}");
        }
        result
    }

    /// The statement that begins a transaction.
    pub fn begin(&self) -> AssertSqlSafe<String> {
        AssertSqlSafe(if self.is_pooled() { self.begin.clone() } else { "BEGIN".to_owned() })
    }

    /// New connections.
    pub fn pool(&self) -> PgPool {
        let [at_connect, at_acquire] = [(); 2].map(|()| Arc::clone(&self.is_pooled));
        let options = PgPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(self.acquire_timeout)
            .test_before_acquire(false) // what is sent below tests it as well
            .after_connect(move |connection, _| {
                let is_pooled = at_connect.load(Ordering::Relaxed);
                Box::pin(async move { if is_pooled { Ok(()) } else { configure(connection).await } })
            })
            // A `begin` that was cancelled leaves a transaction open that sqlx does not know of. Everything that follows on
            // this connection would be written into it and never be committed.
            //
            // A connection that prepared statements before the pooler was found would go on to use their names, so it is
            // closed.
            .before_acquire(move |connection, _| {
                let is_stale = at_acquire.load(Ordering::Relaxed) && connection.cached_statements_size() > 0;
                Box::pin(async move {
                    if is_stale {
                        return Ok(false);
                    }
                    // A ROLLBACK alone, mostly outside of a transaction, would fill the server's log with warnings.
                    connection.execute("BEGIN; ROLLBACK").await?;
                    Ok(true)
                })
            });
        options.connect_lazy_with(self.options.clone())
    }
}

/// PgBouncer refuses parameters that it does not track.
fn refuses_startup_options(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(said) if said.message().contains("unsupported startup parameter"))
}

/// Checks `target_session_attrs`.
async fn check_kind(name: &str, wanted: TargetSession, connection: &mut PgConnection) -> Result<()> {
    if wanted == TargetSession::Any {
        return Ok(());
    }
    let kind =
        raw_sql("SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only");
    let kind = connection.fetch_one(kind).await;
    let read = kind.and_then(|row| Ok((row.try_get::<bool, _>("standby")?, row.try_get::<bool, _>("read_only")?)));
    let (is_standby, is_read_only) = read.map_err(|error| StoreError::driver(name, &error))?;
    let (fits, cause) = match wanted {
        TargetSession::Any => (true, ""),
        TargetSession::ReadWrite => (!is_read_only, "its sessions are read-only (target_session_attrs=read-write)"),
        TargetSession::ReadOnly => (is_read_only, "its sessions can write (target_session_attrs=read-only)"),
        TargetSession::Primary => (!is_standby, "it is a standby (target_session_attrs=primary)"),
        TargetSession::Standby => (is_standby, "it is no standby (target_session_attrs=standby)"),
    };
    if fits { Ok(()) } else { Err(StoreError::problem(Problem::Unreachable, name, cause)) }
}

/// Whether a pooler in transaction mode is in between: two connections of which none is in a transaction share a process of
/// the server, or one is served by several.
async fn is_pooled(first: &mut PgConnection, options: &PgConnectOptions) -> sqlx::Result<bool> {
    let mut second = match options.connect().await {
        Ok(second) => second,
        // The server has a connection for us, but not two. A pooler would let the second one in.
        Err(sqlx::Error::Database(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut processes = Vec::new();
    for _ in 0..PROBES {
        processes.push((server_process(first).await?, server_process(&mut second).await?));
    }
    second.close().await?;
    let (one, other) = processes[0];
    Ok(one == other || processes.iter().any(|processes| *processes != (one, other)))
}

/// The id of the process that serves a connection. By the simple protocol, which prepares nothing.
async fn server_process(connection: &mut PgConnection) -> sqlx::Result<i32> {
    connection.fetch_one(raw_sql("SELECT pg_backend_pid() AS process")).await?.try_get("process")
}

/// Keeps the server's notices ("there is no transaction in progress") out of the user's log, and lets the server notice
/// soon that this machine was cut off. Within a transaction, which keeps rows locked that others are to take over, this
/// program is never idle for longer than it takes to send the next statement: ten idle seconds there mean that it is gone.
///
/// JIT is off: where the server has no statistics yet, as after a million rows were added, it compiled each claim for half
/// a second to run it for less than one millisecond. `random_page_cost` is that of a solid-state disk or of a table in memory:
/// without statistics, the default makes a claim sort all pending rows where there are few of them.
async fn configure(connection: &mut PgConnection) -> sqlx::Result<()> {
    let settings = "SET client_min_messages = error; SET idle_in_transaction_session_timeout = '10s'; \
                    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
                    SET tcp_user_timeout = '20s'; SET jit = off; SET random_page_cost = 1.1";
    connection.execute(settings).await.map(drop)
}
