//! A queue under test: recordings, their database, and the segments that an undisturbed run writes for them.

use std::{cell::Cell, fs, sync::Arc};

use prepare_audio::store::{self, DatabaseUrl, NewRecording, Running, State, Store};
use tokio::runtime::Runtime;

use crate::support::{
    audit::{self, Audit, Expected},
    postgres::Server,
    recordings::create_recordings,
    test_database::runtime,
    test_dir::TestDir,
};

/// The database of a queue.
#[derive(Clone, Copy, Debug)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A folder of recordings, an open database, and the expected segments.
pub struct Queue {
    pub dir: TestDir,
    pub address: String,
    url: DatabaseUrl,
    runtime: Runtime,
    store: Arc<Store>,
    sources: Vec<String>,
    added: Cell<usize>,
    expected: Expected,
}

impl Queue {
    /// Writes the recordings as files, but does not add them yet. `None` if PostgreSQL is needed and not installed.
    pub fn new(database: Database, recordings: usize) -> Option<Self> {
        let (dir, runtime) = (TestDir::new(), runtime());
        let address = match database {
            Database::Sqlite => format!("sqlite://{}", dir.path("queue.db").display()),
            Database::Postgres => runtime.block_on(Server::get()?.database()),
        };
        let url: DatabaseUrl = address.parse().unwrap();
        let store = runtime.block_on(store::connect(&url)).unwrap();
        audit::watch(&url);
        let (sources, expected) = create_recordings(&dir, recordings);
        Some(Self { dir, address, url, runtime, store, sources, added: Cell::new(0), expected })
    }

    /// The number of recordings, whether added or not.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Adds the next `more` recordings, or as many as are left.
    pub fn add(&self, more: usize) {
        let added = self.added.get();
        let number = (added + more).min(self.len());
        let new = &self.sources[self.added.replace(number)..number];
        let new: Vec<NewRecording> = new.iter().map(|source| source.as_str().into()).collect();
        self.runtime.block_on(self.store.add(&new, None)).unwrap();
    }

    /// Adds one more recording, for which the audit expects no segments.
    pub fn add_unexpected(&self, source: &str) {
        fs::hard_link(self.dir.path("variants/00.wav"), self.dir.path(source)).unwrap();
        self.runtime.block_on(self.store.add(&[source.into()], None)).unwrap();
    }

    /// The number of recordings in a state.
    pub fn count(&self, state: State) -> usize {
        let counts = self.runtime.block_on(self.store.counts()).unwrap();
        counts.iter().find(|count| count.state == state).map_or(0, |count| count.recordings as usize)
    }

    /// The number of recordings that are pending or running.
    pub fn unfinished(&self) -> usize {
        self.count(State::Pending) + self.count(State::Running)
    }

    /// The running recordings, with their workers.
    pub fn running(&self) -> Vec<Running> {
        self.runtime.block_on(self.store.running()).unwrap()
    }

    /// Whether another claim has completed one of `held`, which were running before.
    pub fn was_redone(&self, held: &[Running]) -> bool {
        let done: Vec<(i64, i64)> = audit::rows(&self.url, "SELECT id, attempts FROM recording WHERE state = 'done'");
        held.iter().any(|row| done.iter().any(|&(id, attempts)| id == row.id && attempts > row.attempts))
    }

    /// Checks the rows and files of all runs so far.
    pub fn audit(&self) -> Audit {
        audit::audit(&self.url, &self.dir.path("segments"), &self.expected)
    }

    /// How often recordings were held responsible for the death of their process.
    pub fn crashes(&self) -> usize {
        let sums: Vec<(i64,)> =
            audit::rows(&self.url, "SELECT CAST(COALESCE(SUM(crashes), 0) AS BIGINT) FROM recording");
        sums[0].0 as usize
    }

    /// The sources in a state, with their error codes.
    pub fn ended_as(&self, state: &str) -> Vec<(String, String)> {
        let sql =
            format!("SELECT source, COALESCE(error_code, '') FROM recording WHERE state = '{state}' ORDER BY source");
        audit::rows(&self.url, &sql)
    }
}
