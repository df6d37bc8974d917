//! Recordings to be prepared, the database that they wait in, and what an undisturbed run makes of them.

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

/// The databases that a queue can wait in.
#[derive(Clone, Copy, Debug)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A folder of recordings, an open database, and what is to come of them.
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
    /// Recordings are there as files and not in the queue yet. `None` where there is no PostgreSQL.
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

    /// How many recordings there are to be put into the queue.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Puts so many more recordings into the queue, as long as there are any.
    pub fn add(&self, more: usize) {
        let added = self.added.get();
        let number = (added + more).min(self.len());
        let new = &self.sources[self.added.replace(number)..number];
        let new: Vec<NewRecording> = new.iter().map(|source| source.as_str().into()).collect();
        self.runtime.block_on(self.store.add(&new, None)).unwrap();
    }

    /// Puts one more recording into the queue, which nothing is expected of.
    pub fn add_strange(&self, source: &str) {
        fs::hard_link(self.dir.path("variants/00.wav"), self.dir.path(source)).unwrap();
        self.runtime.block_on(self.store.add(&[source.into()], None)).unwrap();
    }

    /// How many recordings are in a state.
    pub fn count(&self, state: State) -> usize {
        let counts = self.runtime.block_on(self.store.counts()).unwrap();
        counts.iter().find(|count| count.state == state).map_or(0, |count| count.recordings as usize)
    }

    /// How many are not yet at their end.
    pub fn unfinished(&self) -> usize {
        self.count(State::Pending) + self.count(State::Running)
    }

    /// Who holds what.
    pub fn running(&self) -> Vec<Running> {
        self.runtime.block_on(self.store.running()).unwrap()
    }

    /// Whether one of `held`, as they were running a while ago, was done by another claim since.
    pub fn was_redone(&self, held: &[Running]) -> bool {
        let done: Vec<(i64, i64)> = audit::rows(&self.url, "SELECT id, attempts FROM recording WHERE state = 'done'");
        held.iter().any(|row| done.iter().any(|&(id, attempts)| id == row.id && attempts > row.attempts))
    }

    /// Looks at everything that the run left behind.
    pub fn audit(&self) -> Audit {
        audit::audit(&self.url, &self.dir.path("segments"), &self.expected)
    }

    /// How often recordings were held responsible for the death of their process.
    pub fn crashes(&self) -> usize {
        let sums: Vec<(i64,)> = audit::rows(&self.url, "SELECT CAST(COALESCE(SUM(crashes), 0) AS BIGINT) FROM recording");
        sums[0].0 as usize
    }

    /// Sources in a state, with their error's code.
    pub fn ended_as(&self, state: &str) -> Vec<(String, String)> {
        let sql =
            format!("SELECT source, COALESCE(error_code, '') FROM recording WHERE state = '{state}' ORDER BY source");
        audit::rows(&self.url, &sql)
    }
}
