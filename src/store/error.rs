//! Errors of the database, each with a stable code and a way out.
//!
//! Causes are kept as text, not as values: what `sqlx` keeps in its types may hold a password, and a `Debug` of it
//! would print it.

use sqlx::{error::DatabaseError, sqlite::SqliteError};

use super::sqlite::lock_holder;

/// An error of the database. The messages name the database without its password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The claim is no longer valid: the lease ran out and the row was taken back, or a user cancelled it.
    #[error("the claim on recording {0} no longer stands: its lease ran out, or it was cancelled; nothing was written")]
    Lost(i64),
    /// The program cannot open such an address.
    #[error("{0}")]
    Url(String),
    /// The tables are not those that this program knows.
    #[error("the tables of the database {database} do not fit this program: {cause}")]
    Schema {
        /// The database, without its password.
        database: String,
        /// What does not fit, and what to do.
        cause: String,
    },
    /// The database did not do what it was asked.
    #[error("the database {database} {}: {cause}. {}", .problem.words().0, .problem.words().1)]
    Database {
        /// The kind of error.
        problem: Problem,
        /// The database, without its password.
        database: String,
        /// What the driver said.
        cause: String,
    },
}

/// The kinds of errors of a database that need different reactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The server or the file cannot be reached at the moment.
    Unreachable,
    /// The server answered and does not let the program in: wrong password, no such database.
    Refused,
    /// The server has no connection left, or two writes met.
    Busy,
    /// Another process is in the middle of a write to the file, which all others have to wait for.
    Held,
    /// No space is left on its disk.
    Full,
    /// It cannot be written.
    ReadOnly,
    /// Its disk does not read or write.
    Disk,
    /// The statement is wrong, or meets values that it cannot work with.
    Statement,
    /// A unique column has the value already.
    Conflict,
    /// Anything else.
    Other,
}

impl Problem {
    /// What is wrong, and what to do.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreachable => ("cannot be reached", "Check that it is there, and that its address is right"),
            Self::Refused => {
                ("refuses the connection", "Check the user, the password, the database's name and the certificates")
            }
            Self::Busy => ("is busy", "Try again, or run fewer workers at once"),
            Self::Held => ("cannot be written at the moment", "This step has changed nothing"),
            Self::Full => ("has no space left", "Free some: nothing is lost"),
            Self::ReadOnly => ("cannot be written", "Check the rights on its file and folder, or those of its user"),
            Self::Disk => ("cannot use its disk", "Check that the disk is there, whole and not full"),
            Self::Statement | Self::Conflict | Self::Other => ("reports an error", "Nothing was changed by this step"),
        }
    }
}

impl StoreError {
    /// The stable name of this kind of error, for scripts and for rows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Lost(_) => "claim_lost",
            Self::Url(_) => "database_url",
            Self::Schema { .. } => "database_schema",
            Self::Database { problem, .. } => match problem {
                Problem::Unreachable | Problem::Refused => "database_unreachable",
                Problem::Busy | Problem::Held => "database_busy",
                Problem::Full => "database_full",
                Problem::ReadOnly => "database_read_only",
                Problem::Disk | Problem::Statement | Problem::Conflict | Problem::Other => "database_error",
            },
        }
    }

    /// Whether the same call succeeds as soon as the cause outside of the program is gone.
    pub fn is_retryable(&self) -> bool {
        use Problem::{Busy, Disk, Full, Held, ReadOnly, Unreachable};
        matches!(self, Self::Database { problem: Unreachable | Busy | Held | Full | ReadOnly | Disk, .. })
    }

    /// Whether it may well pass without any action.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Database { problem: Problem::Unreachable | Problem::Busy | Problem::Held, .. })
    }

    /// An error of a known kind of `database` (named without its password).
    pub(super) fn problem(problem: Problem, database: &str, cause: impl ToString) -> Self {
        Self::Database { problem, database: database.to_owned(), cause: cause.to_string() }
    }

    /// Describes an error of the driver.
    pub(super) fn driver(database: &str, error: &sqlx::Error) -> Self {
        match error {
            // The pool retries to connect to a server that is away until its timeout, and then says only this.
            sqlx::Error::PoolTimedOut if database.starts_with("postgres") => Self::problem(
                Problem::Unreachable,
                database,
                "no connection in time: it is away, or all its connections are in use",
            ),
            // The driver's own text ends with a line of the server's source code.
            sqlx::Error::Database(said) if is_of_postgres(&**said) => {
                Self::problem(problem(error), database, said.message())
            }
            _ => match (problem(error), error) {
                // "database is locked" says neither by which process nor what to do.
                (Problem::Held, _) => Self::held(database),
                (Problem::Refused, sqlx::Error::Io(_)) => {
                    let mut cause = error.to_string();
                    if cause.contains("CaUsedAsEndEntity") {
                        cause += " (the server's certificate signs itself and is marked as an authority: create it with \
                                   basicConstraints=CA:FALSE, or have a root of your own sign it)";
                    }
                    Self::problem(Problem::Refused, database, cause)
                }
                // The message says what is wrong with a statement; the code adds nothing.
                (Problem::Statement, sqlx::Error::Database(said)) => {
                    Self::problem(Problem::Statement, database, said.message())
                }
                (other, _) => Self::problem(other, database, error),
            },
        }
    }

    /// A write to an SQLite file that gave up waiting for another process's write.
    pub(super) fn held(database: &str) -> Self {
        Self::problem(Problem::Held, database, lock_holder::describe(database))
    }

    /// Describes an error of a file beside an SQLite database.
    pub(super) fn file(database: &str, what: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let problem = match error.kind() {
            PermissionDenied | ReadOnlyFilesystem => Problem::ReadOnly,
            QuotaExceeded | StorageFull => Problem::Full,
            _ => Problem::Unreachable,
        };
        Self::problem(problem, database, format!("{what}: {error}"))
    }
}

fn problem(error: &sqlx::Error) -> Problem {
    match error {
        // The TLS library reports a certificate that it refuses as an error of the connection.
        sqlx::Error::Io(error) if is_about_certificate(error) => Problem::Refused,
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            Problem::Unreachable
        }
        sqlx::Error::Tls(_) => Problem::Refused,
        sqlx::Error::PoolTimedOut => Problem::Held, // a server's is handled in `driver`
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            if error.is_unique_violation() {
                Problem::Conflict
            } else if error.try_downcast_ref::<SqliteError>().is_some() {
                sqlite_problem(&code)
            } else {
                postgres_problem(&code)
            }
        }
        _ => Problem::Other,
    }
}

fn is_about_certificate(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData && error.to_string().contains("certificate")
}

#[cfg(feature = "postgres")]
fn is_of_postgres(error: &dyn DatabaseError) -> bool {
    error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some()
}

#[cfg(not(feature = "postgres"))]
fn is_of_postgres(_: &dyn DatabaseError) -> bool {
    false
}

/// Reads a result code of SQLite, whose low byte is the kind: <https://www.sqlite.org/rescode.html>.
fn sqlite_problem(code: &str) -> Problem {
    match code.parse::<u32>().unwrap_or_default() & 0xff {
        1 | 20 => Problem::Statement,
        5 | 6 => Problem::Held,
        8 => Problem::ReadOnly,
        10 => Problem::Disk,
        13 => Problem::Full,
        14 => Problem::Unreachable,
        _ => Problem::Other,
    }
}

/// Reads an SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres_problem(code: &str) -> Problem {
    match code {
        "25006" => Problem::ReadOnly,
        "53100" => Problem::Full,
        "58030" => Problem::Disk,
        "3D000" => Problem::Refused,
        "40001" | "40P01" | "53000" | "53200" | "53300" | "55P03" => Problem::Busy,
        // The server ended a session that was idle within a transaction, as one of a machine that was cut off.
        "25P03" => Problem::Unreachable,
        // A named statement met one of another client of a pooler; the next attempt names none.
        "42P05" | "26000" => Problem::Busy,
        "42501" => Problem::Other, // missing privilege
        _ if code.starts_with("42") || code.starts_with("22") => Problem::Statement,
        _ if code.starts_with("28") => Problem::Refused,
        _ if code.starts_with("08") || code.starts_with("57P") => Problem::Unreachable,
        _ => Problem::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_codes_of_both_databases() {
        for (code, problem) in [
            ("5", Problem::Held),         // SQLITE_BUSY
            ("517", Problem::Held),       // SQLITE_BUSY_SNAPSHOT
            ("13", Problem::Full),        // SQLITE_FULL
            ("1032", Problem::ReadOnly),  // SQLITE_READONLY_DBMOVED
            ("14", Problem::Unreachable), // SQLITE_CANTOPEN
            ("4874", Problem::Disk),      // SQLITE_IOERR_SHMSIZE, as on a full tmpfs
            ("2067", Problem::Other),     // SQLITE_CONSTRAINT_UNIQUE
            ("1", Problem::Statement),    // SQLITE_ERROR: no such table, say
            ("26", Problem::Other),       // SQLITE_NOTADB
        ] {
            assert_eq!(sqlite_problem(code), problem, "{code}");
        }
        for (code, problem) in [
            ("40P01", Problem::Busy),        // deadlock_detected
            ("53100", Problem::Full),        // disk_full
            ("25P03", Problem::Unreachable), // idle_in_transaction_session_timeout
            ("28P01", Problem::Refused),     // invalid_password
            ("57P01", Problem::Unreachable), // admin_shutdown
            ("23505", Problem::Other),       // unique_violation
            ("42703", Problem::Statement),   // undefined_column
            ("42P05", Problem::Busy),        // duplicate_prepared_statement
            ("22012", Problem::Statement),   // division_by_zero
            ("42501", Problem::Other),       // insufficient_privilege
        ] {
            assert_eq!(postgres_problem(code), problem, "{code}");
        }
    }
}
