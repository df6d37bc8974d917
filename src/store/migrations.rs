//! The migrations, compiled into the program, and how they are applied.
//!
//! `prepare_audio_migrations` lists those that a database has gone through. Up to version 0.1 that was `_sqlx_migrations`,
//! a name that every program with sqlx uses: its rows are taken over.

use std::sync::LazyLock;

use sha2::{Digest, Sha384};

use super::{
    Result, StoreError,
    backend::Transaction,
    row::{Answer, Row},
    statement::Statement,
};

/// One step from a version of the tables to the next.
pub struct Migration {
    version: i64,
    description: String,
    /// SHA-384 of its text, in hexadecimal digits.
    checksum: String,
    text: &'static str,
}

/// The migrations of one kind of database, and what applying them needs to know of it.
pub struct Migrations {
    migrations: LazyLock<Vec<Migration>>,
    /// SELECT of the `name`s of all tables, views and the like in that place.
    names: &'static str,
    /// SELECT of the `place` (schema) where new tables are created; '' if no schema exists.
    place: &'static str,
    /// Keeps other processes from migrating until the end of the transaction. The tables must be read again after it.
    lock: Option<&'static str>,
    /// What to do if other tables have the names of ours.
    way_out: &'static str,
}

/// A file's name and its text.
type File = (&'static str, &'static str);

/// The files of a folder of `migrations/`.
macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../migrations/", $folder, "/", $name)))),*]
    };
}

const SQLITE_FILES: &[File] = files!("sqlite":
    "0001_queue.sql"
    "0002_cuts.sql"
    "0003_trust.sql"
    "0004_any_recording.sql"
    "0005_model_key.sql"
    "0006_gaps.sql"
    "0007_status.sql"
    "0008_quality.sql"
    "0009_denoised.sql"
    "0010_annotation.sql"
    "0011_dropped_segments.sql"
    "0012_dnsmos.sql"
    "0013_live.sql"
);

#[cfg(feature = "postgres")]
const POSTGRES_FILES: &[File] = files!("postgres":
    "0001_queue.sql"
    "0002_cuts.sql"
    "0003_trust.sql"
    "0004_any_recording.sql"
    "0005_model_key.sql"
    "0006_gaps.sql"
    "0007_status.sql"
    "0008_quality.sql"
    "0009_denoised.sql"
    "0010_annotation.sql"
    "0011_dropped_segments.sql"
    "0012_dnsmos.sql"
    "0013_live.sql"
);

/// The migrations of an SQLite file. The transaction that applies them has to have the write lock.
pub static SQLITE: Migrations = Migrations {
    migrations: LazyLock::new(|| all(SQLITE_FILES)),
    names: "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')",
    place: "SELECT 'main' AS place",
    lock: None,
    way_out: "Use a file of its own, as sqlite://queue.db",
};

/// The migrations of a database on a PostgreSQL server.
#[cfg(feature = "postgres")]
pub static POSTGRES: Migrations = Migrations {
    migrations: LazyLock::new(|| all(POSTGRES_FILES)),
    names: "SELECT CAST(c.relname AS TEXT) AS name FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema()",
    place: "SELECT COALESCE(CAST(current_schema() AS TEXT), '') AS place",
    lock: Some("SELECT pg_advisory_xact_lock(8083211470625711981)"),
    way_out: "Use a database of its own, or a schema: CREATE SCHEMA prepare_audio, and end the address with \
              ?options=-csearch_path=prepare_audio",
};

/// The list of applied migrations.
const TABLE: &str = "prepare_audio_migrations";

/// Where they were listed before.
const FORMER_TABLE: &str = "_sqlx_migrations";

const CREATE_TABLE: &str = "
CREATE TABLE prepare_audio_migrations (
    version     BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    checksum    TEXT NOT NULL, -- SHA-384 of the file, in hexadecimal digits
    applied_at  BIGINT NOT NULL -- milliseconds since 1970
)";

/// The migrations that the tables have gone through.
const APPLIED: &str = "SELECT version, checksum FROM prepare_audio_migrations ORDER BY version";

/// `$1` version, `$2` description, `$3` checksum.
const INSERT: &str = "
INSERT INTO prepare_audio_migrations (version, description, checksum, applied_at) VALUES ($1, $2, $3, {now})";

/// What sqlx stored.
const FORMERLY_APPLIED: &str = "SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version";

/// Keeps programs of version 0.1 from the newer tables: they refuse a version that they do not know, and ask for a newer
/// program.
const MARK_FORMER_TABLE: &str = "
INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
SELECT 10000, 'moved to prepare_audio_migrations', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";

/// Our tables, by whose names a database of another program is recognised.
const OUR_TABLES: [&str; 6] = ["recording", "segment", "probabilities", "identity", "annotation", "live_session"];

impl Migrations {
    /// Applies the migrations that are missing. Nothing is changed until the transaction is committed, and nothing at all if
    /// the tables are up to date.
    pub async fn bring_up_to_date(&self, database: &str, transaction: &mut dyn Transaction) -> Result<()> {
        let mut names = self.names(transaction).await?;
        if has(&names, TABLE) && self.is_up_to_date(database, &applied(transaction).await?)? {
            return Ok(());
        }
        if let Some(lock) = self.lock {
            query(transaction, lock).await?;
            names = self.names(transaction).await?;
        }
        if !has(&names, TABLE) {
            self.begin_list(database, transaction, &names).await?;
        }
        let applied = applied(transaction).await?;
        self.is_up_to_date(database, &applied)?;
        for migration in self.migrations.iter().skip(applied.len()) {
            transaction.execute_script(migration.text).await.map_err(|error| failed(database, migration, error))?;
            record(transaction, migration).await?;
        }
        Ok(())
    }

    /// Whether nothing is missing. `applied` are versions and checksums.
    ///
    /// # Errors
    /// If the tables are not those that this program knows.
    pub fn is_up_to_date(&self, database: &str, applied: &[(i64, String)]) -> Result<bool> {
        let mut known = self.migrations.iter();
        for (version, checksum) in applied {
            let cause = match known.next() {
                Some(migration) if (migration.version, &migration.checksum) == (*version, checksum) => continue,
                Some(migration) if migration.version == *version => format!(
                    "their change {version} is not the one that it knows. Use the build that made them, or a new database"
                ),
                _ => format!(
                    "they are newer than it is (change {version} is unknown here). Install a newer prepare-audio"
                ),
            };
            return Err(schema(database, cause));
        }
        Ok(known.next().is_none())
    }

    async fn names(&self, transaction: &mut dyn Transaction) -> Result<Vec<String>> {
        query(transaction, self.names).await?.all(|row| row.text("name"))
    }

    /// Creates the list of applied migrations: empty, or with those that sqlx listed.
    async fn begin_list(&self, database: &str, transaction: &mut dyn Transaction, names: &[String]) -> Result<()> {
        if query(transaction, self.place).await?.one(|row| row.text("place"))?.is_empty() {
            let cause = "no schema of its search_path exists, so that no table can be created. Create one (CREATE SCHEMA ...), \
                         or correct search_path";
            return Err(schema(database, cause.to_owned()));
        }
        let former = match has(names, FORMER_TABLE) {
            true => query(transaction, FORMERLY_APPLIED).await?.all(former)?,
            false => Vec::new(),
        };
        let is_ours = |migration: &&Migration| former.contains(&(migration.version, migration.checksum.clone()));
        let ours: Vec<_> = self.migrations.iter().take_while(is_ours).collect();
        let taken: Vec<_> = OUR_TABLES.into_iter().filter(|table| has(names, table)).collect();
        if ours.is_empty() && !taken.is_empty() {
            let cause = format!(
                "it has tables of another program by the same names: {}. Nothing was changed. {}",
                taken.join(", "),
                self.way_out
            );
            return Err(schema(database, cause));
        }
        transaction.execute_script(CREATE_TABLE).await?;
        for migration in &ours {
            record(transaction, migration).await?;
        }
        // A table that others use, too, is left alone: their rows keep old programs away.
        if !ours.is_empty() && ours.len() == former.len() {
            transaction.execute_script(MARK_FORMER_TABLE).await?;
        }
        Ok(())
    }
}

/// The versions and checksums in the list.
async fn applied(transaction: &mut dyn Transaction) -> Result<Vec<(i64, String)>> {
    query(transaction, APPLIED).await?.all(read_applied)
}

/// Reads a row of [`applied_statement`].
pub fn read_applied(row: &Row) -> sqlx::Result<(i64, String)> {
    Ok((row.integer("version")?, row.text("checksum")?))
}

/// The statement that lists the applied migrations. It fails where there is no list.
pub fn applied_statement() -> Statement<'static> {
    Statement::new(APPLIED)
}

fn former(row: &Row) -> sqlx::Result<(i64, String)> {
    Ok((row.integer("version")?, hex::encode(row.blob("checksum")?)))
}

async fn record(transaction: &mut dyn Transaction, migration: &Migration) -> Result<()> {
    let insert = Statement::new(INSERT).bind(migration.version).bind(&migration.description).bind(&migration.checksum);
    transaction.execute(Statement { persistent: false, ..insert }).await.map(drop)
}

async fn query(transaction: &mut dyn Transaction, text: &'static str) -> Result<Answer> {
    transaction.execute(Statement { persistent: false, ..Statement::new(text) }).await
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|other| other == name)
}

fn schema(database: &str, cause: String) -> StoreError {
    StoreError::Schema { database: database.to_owned(), cause }
}

/// A full disk or a lost connection is reported as such; a statement that fails means that the tables are not as they should
/// be.
fn failed(database: &str, migration: &Migration, error: StoreError) -> StoreError {
    use super::Problem::{Conflict, Other, Statement};
    match error {
        StoreError::Database { problem: Statement | Conflict | Other, cause, .. } => schema(
            database,
            format!("bringing them up to date failed (change {}): {cause}. Nothing was changed", migration.version),
        ),
        other => other,
    }
}

fn all(files: &[File]) -> Vec<Migration> {
    files.iter().map(migration).collect()
}

/// Reads `NNNN_a_description.sql`. A name of another form gets version 0, which a test refuses.
fn migration((name, text): &File) -> Migration {
    let (version, description) = name.split_once('_').unwrap_or_default();
    let description = description.trim_end_matches(".sql").replace('_', " ");
    let checksum = hex::encode(Sha384::digest(text));
    Migration { version: version.parse().unwrap_or_default(), description, checksum, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stored hash of each released migration, SHA-384 of its file. They never change; new ones are added.
    const SQLITE_HASHES: &[(i64, &str, &str)] = &[
        (
            1,
            "queue",
            "02beaeb123ee8113bb75a69e42b5247007ce39873b0e66b11296ab3d711657de5a037553f0cd1bb73b9a336740721d79",
        ),
        (2, "cuts", "6420fcede6e10eb60c7487c3ce3a34d441192e199c1e793040cd45076a5305e5d2c55e2e88bdda9a6b3f0bb70ca7c3aa"),
        (
            3,
            "trust",
            "68549f8d73666da5ee0789f8093938b16cdbc02bbf13c6e5d8a8667efd8a2d8db675548008541429da6cf6af977fe27a",
        ),
        (
            4,
            "any recording",
            "5ae29737086cab270877bc86b75559231bca915eb31bdcc167a0ee6e959ebcc4d5fb892efa97019bab403e6c18c9a0c0",
        ),
        (
            5,
            "model key",
            "59b77646f63c456394a644b8ae3ac40abca1bdc41fe7312651ff062e430e95aeeb221bc9e24505ea0cfbc89e9c3e2e85",
        ),
    ];

    #[cfg(feature = "postgres")]
    const POSTGRES_HASHES: &[(i64, &str, &str)] = &[
        (
            1,
            "queue",
            "b4ad0d5ffe6a6bd9d454c0d693fbd7525c3184fed509fce4755cbce407bf34663a2adb34e9bd68d6918b168e70ad7407",
        ),
        (2, "cuts", "907d6663b25b70d0b27badc51cfc938f024bc6d53482ff291258e096f1a8d8914785db25a6478f0c07b27b7361f51f60"),
        (
            3,
            "trust",
            "3eff45f3614875bb4b90fd6d3de981310454db7a7f1c9e6c1cbe794828a0f0037b5898e214213d3995e39a22ccc40a66",
        ),
        (
            4,
            "any recording",
            "674eb02cfbd7c5c0a6303a508337d28a840745fed581771da679d60752fc83ce1de1b7a9b0d5cd46d0a16e039b7f707f",
        ),
        (
            5,
            "model key",
            "59b77646f63c456394a644b8ae3ac40abca1bdc41fe7312651ff062e430e95aeeb221bc9e24505ea0cfbc89e9c3e2e85",
        ),
    ];

    fn compare(files: &[File], known: &[(i64, &str, &str)]) {
        let migrations = all(files);
        for (migration, (version, description, hash)) in migrations.iter().zip(known) {
            assert_eq!((migration.version, &*migration.description), (*version, *description));
            assert_eq!(migration.checksum, *hash, "migration {version} was edited after its release");
        }
        assert!(migrations.len() >= known.len());
    }

    fn lists_all_of(folder: &str, files: &[File]) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let entries =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut found: Vec<_> = entries.collect();
        found.sort();
        let listed: Vec<_> = files.iter().map(|(name, _)| *name).collect();
        assert_eq!(found, listed, "a file in {} is not in the list above", folder.display());
        let versions = all(files).iter().map(|migration| migration.version).collect::<Vec<_>>();
        assert_eq!(versions, (1..=files.len() as i64).collect::<Vec<_>>(), "numbered from 1");
    }

    #[test]
    fn sqlite_migrations_are_those_that_databases_store() {
        compare(SQLITE_FILES, SQLITE_HASHES);
        lists_all_of("sqlite", SQLITE_FILES);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn postgres_migrations_are_those_that_databases_store() {
        compare(POSTGRES_FILES, POSTGRES_HASHES);
        lists_all_of("postgres", POSTGRES_FILES);
    }
}
