//! Opens the database that the settings name.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{ConstantBuilder, Retryable};
use prepare_audio::store::{self, DatabaseUrl, Store};

use super::{args::GlobalArgs, exit, format};

/// Delay between two attempts to reach a database that does not answer at the start.
const RETRY_INTERVAL: ConstantBuilder = ConstantBuilder::new().with_delay(Duration::from_secs(1)).without_max_times();

/// Opens the database, and creates it if it is missing.
pub async fn connect(global: &GlobalArgs) -> anyhow::Result<Arc<Store>> {
    Ok(store::connect(&global.database).await?)
}

/// Opens the database as [`connect`] does, and waits up to `--database-wait` for a server that is still starting, for
/// example after a reboot.
pub async fn connect_with_retries(global: &GlobalArgs) -> anyhow::Result<Arc<Store>> {
    let started = Instant::now();
    let mut is_first = true;
    let connect = || store::connect(&global.database);
    let store = connect
        .retry(RETRY_INTERVAL)
        .when(|error| error.is_passing() && started.elapsed() < global.database_wait)
        .notify(|error, _| {
            if std::mem::take(&mut is_first) {
                let limit = format::time(global.database_wait.as_secs_f64());
                tracing::warn!("{error}. Waiting for it for up to {limit}");
            }
        });
    Ok(store.await?)
}

/// Opens an existing database. A misspelt name must not create an empty one. Commands that only read need no permission
/// to write.
pub async fn connect_existing(global: &GlobalArgs) -> anyhow::Result<Arc<Store>> {
    if is_missing(&global.database) {
        let message = format!("{}: no such database; `prepare-audio add` and `fetch` create it", global.database);
        anyhow::bail!(exit::NoDatabase(message));
    }
    Ok(store::open_read_only(&global.database).await?)
}

/// Whether this is an SQLite file that does not exist.
pub fn is_missing(url: &DatabaseUrl) -> bool {
    matches!(url, DatabaseUrl::Sqlite(path) if !path.exists())
}
