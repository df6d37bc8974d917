//! The migrations, compiled into the program.
//!
//! `sqlx::migrate!` would do the same at compile time, but it builds sqlx, with a second SQLite, once more for the
//! compiler's own use. Versions, descriptions and hashes are those that the macro made: every database stores them.

use std::{borrow::Cow, sync::LazyLock};

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

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
);

/// The migrations of an SQLite file.
pub static SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(SQLITE_FILES));

/// The migrations of a database on a PostgreSQL server.
#[cfg(feature = "postgres")]
pub static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(POSTGRES_FILES));

/// Whether the tables have gone through exactly the migrations that this program knows; `applied` are their versions and
/// hashes.
pub fn is_up_to_date(known: &Migrator, applied: &[(i64, Vec<u8>)]) -> bool {
    known.iter().map(|change| (change.version, &*change.checksum)).eq(applied.iter().map(|(v, hash)| (*v, &**hash)))
}

fn migrator(files: &[File]) -> Migrator {
    Migrator::with_migrations(files.iter().map(migration).collect())
}

/// Reads `NNNN_a_description.sql` as sqlx does. A name of another form gets version 0, which a test refuses.
fn migration((name, text): &File) -> Migration {
    let (version, description) = name.split_once('_').unwrap_or_default();
    let description = description.trim_end_matches(".sql").replace('_', " ");
    let no_transaction = text.starts_with("-- no-transaction");
    let version = version.parse().unwrap_or_default();
    Migration::new(version, Cow::Owned(description), MigrationType::Simple, text.into_sql_str(), no_transaction)
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

    fn compare(migrator: &Migrator, known: &[(i64, &str, &str)]) {
        for (migration, (version, description, hash)) in migrator.iter().zip(known) {
            assert_eq!((migration.version, &*migration.description), (*version, *description));
            let found: String = migration.checksum.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, *hash, "migration {version} was edited after its release");
            assert!(!migration.no_tx && migration.migration_type == MigrationType::Simple);
        }
        assert!(migrator.iter().count() >= known.len());
        assert!(!migrator.locking || migrator.table_name == "_sqlx_migrations");
    }

    fn lists_all_of(folder: &str, files: &[File]) {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        let entries =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut found: Vec<_> = entries.collect();
        found.sort();
        let listed: Vec<_> = files.iter().map(|(name, _)| *name).collect();
        assert_eq!(found, listed, "a file in {} is not in the list above", folder.display());
        let versions = migrator(files).iter().map(|migration| migration.version).collect::<Vec<_>>();
        assert_eq!(versions, (1..=files.len() as i64).collect::<Vec<_>>(), "numbered from 1");
    }

    #[test]
    fn sqlite_migrations_are_those_that_databases_store() {
        compare(&SQLITE, SQLITE_HASHES);
        lists_all_of("sqlite", SQLITE_FILES);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn postgres_migrations_are_those_that_databases_store() {
        compare(&POSTGRES, POSTGRES_HASHES);
        lists_all_of("postgres", POSTGRES_FILES);
    }
}
