//! The queue and the results, behind one small interface that SQLite and PostgreSQL both serve.
//!
//! The promise is *claimed at least once, visible exactly once*. A claim hands out a [`ClaimKey`]; each later write
//! names it, and a write whose key no longer stands (the lease ran out and somebody else took the row, or a user
//! cancelled it) changes nothing and is answered with [`StoreError::Lost`]. All times come from the database's clock,
//! in milliseconds since 1970, because the hosts' clocks differ.

mod error;
mod foreign;
mod kept;
mod news;
mod postgres;
mod queue;
mod sql;
mod sqlite;
mod url;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Serialize;

pub use error::{Problem, StoreError};
pub use foreign::ForeignRows;
pub use kept::{Known, KnownSegment, Probabilities};
pub use news::News;
pub use url::DatabaseUrl;

/// What every store call returns.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Opens the database that `url` names, creates it where it is SQLite and missing, and brings its schema up to date.
pub async fn connect(url: &DatabaseUrl) -> Result<Arc<dyn Store>> {
    Ok(match url {
        DatabaseUrl::Sqlite(path) => Arc::new(sqlite::SqliteStore::open(path).await?),
        DatabaseUrl::Postgres(options) => Arc::new(postgres::PostgresStore::open(options).await?),
    })
}

/// Opens a database to look at it, also where that is all that this user may do. Writing then fails with
/// [`Problem::ReadOnly`].
pub async fn look(url: &DatabaseUrl) -> Result<Arc<dyn Store>> {
    match (connect(url).await, url) {
        (Err(StoreError::Database { problem: Problem::ReadOnly, .. }), DatabaseUrl::Sqlite(path)) => {
            Ok(Arc::new(sqlite::SqliteStore::open_to_read(path).await?))
        }
        (opened, _) => opened,
    }
}

/// Where a recording stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum State {
    /// Waits to be claimed.
    Pending,
    /// Claimed by a worker, until its lease ends.
    Running,
    /// Prepared; its segment rows are there (none, when it holds no speech).
    Done,
    /// Cannot be prepared; `error_code` says why.
    Failed,
    /// Took its process down, or lost its worker, too often.
    Quarantined,
    /// A user does not want it any more.
    Cancelled,
}

/// What a worker says of itself and of its settings when it claims.
#[derive(Clone, Debug)]
pub struct Claimer {
    /// Name of the process, unique among all that ever ran.
    pub worker: String,
    /// Identity of model and parameters: a source is prepared once for each recipe.
    pub recipe: String,
    /// How long a claim stands without a heartbeat.
    pub lease: Duration,
    /// Which rows it wants.
    pub scope: Scope,
    /// How often a recording may be tried; `None` leaves it to the row.
    pub max_attempts: Option<i64>,
}

/// Which pending rows a claimer wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All that nobody has prepared under its recipe.
    #[default]
    Any,
    /// Only those that were made for its recipe, as [`Store::resegment`] does.
    Bound,
}

/// Whom a recording may run beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Recordings that never took a process down: any number of them side by side.
    Many,
    /// Those that did, or lost their worker for another reason. Each has to run alone in its process, so that it
    /// cannot take others with it again.
    Alone,
}

/// The fence: the claim under which a row is being worked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::FromRow)]
pub struct ClaimKey {
    /// The recording's id.
    pub id: i64,
    /// Counts the row's claims and never falls.
    pub token: i64,
    /// Unique to this claim among all databases; it also names the claim's temporary files.
    pub claim_id: String,
}

/// A recording that was handed to this process.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Claim {
    /// The fence of each later write.
    #[sqlx(flatten)]
    pub key: ClaimKey,
    /// Path of the recording, as the row gives it.
    pub source: String,
    /// How often it was claimed, this time counted in.
    pub attempts: i64,
    /// How often it may be.
    pub max_attempts: i64,
    /// How often its worker vanished while it held the recording.
    pub crashes: i64,
}

/// What one recording turned into: the facts of its row and its segments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The recipe in words: model and parameters, as JSON.
    pub parameters: String,
    /// Name and version of the model.
    pub model: String,
    /// The container's short name, as `wav` or `ogg`.
    pub container: String,
    /// The codec's short name, as `mp3`.
    pub codec: String,
    /// Sample rate of the source, Hz.
    pub sample_rate: i64,
    /// Channels of the source.
    pub channels: i64,
    /// Length of the file in bytes.
    pub bytes: i64,
    /// Length at 16 kHz, in samples.
    pub samples: i64,
    /// Length in seconds.
    pub duration_s: f64,
    /// Sum of the segments' lengths in seconds.
    pub speech_s: f64,
    /// Packets that did not decode and were left out.
    pub decode_errors: i64,
    /// The file ended before its own header said so.
    pub truncated: bool,
    /// What a user should know of it: `truncated`, `decode_errors: 3`, `phase_inverted`, `dual_mono`.
    pub warnings: Vec<String>,
    /// Time spent in each stage, milliseconds.
    pub times: StageTimes,
    /// The speech segments in order.
    pub segments: Vec<Segment>,
    /// The probabilities of its windows, where they are to be kept.
    pub probabilities: Option<Probabilities>,
}

/// Time spent in each stage of one recording, in milliseconds of the thread that did it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StageTimes {
    /// Container and codec.
    pub decode_ms: f64,
    /// Downmix and resampling.
    pub resample_ms: f64,
    /// Voice activity detection and segmentation.
    pub vad_ms: f64,
    /// Segment files: encoding, hashing, writing, syncing.
    pub write_ms: f64,
    /// All of it, from the claim's start to the last file.
    pub total_ms: f64,
}

/// One segment row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, sqlx::FromRow)]
pub struct Segment {
    /// Position in the recording, from 0.
    pub idx: i64,
    /// The channel that it was found in, from 1; none where channels were mixed.
    pub channel: Option<i64>,
    /// First sample, at 16 kHz.
    pub start_sample: i64,
    /// One past the last sample, at 16 kHz.
    pub end_sample: i64,
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// The segment's file; none with `--no-audio`.
    pub path: Option<String>,
    /// SHA-256 of the file, in hex.
    pub sha256: Option<String>,
    /// Its length in bytes. Older rows have none.
    pub bytes: Option<i64>,
    /// Its sample rate, Hz. Older rows have none: 16,000.
    pub sample_rate: Option<i64>,
    /// Its channels. Older rows have none: 1.
    pub channels: Option<i64>,
    /// Mean speech probability of the segment's windows.
    pub mean_probability: f64,
    /// Least speech probability of the segment's windows.
    pub min_probability: f64,
    /// Why it ends where it does: a name of [`Cut`](crate::vad::Cut). Older rows have none.
    pub cut: Option<String>,
    /// RMS level of its samples, dB below full scale. Older rows have none.
    pub level_dbfs: Option<f64>,
    /// Where segments were joined: their boundaries in samples, as JSON.
    #[serde(serialize_with = "as_json")]
    pub parts: Option<String>,
}

/// Writes text that is JSON as the value that it stands for. A user may have put other text there: it stays text.
fn as_json<S: serde::Serializer>(text: &Option<String>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    match text.as_deref().map(serde_json::from_str::<serde_json::Value>).transpose() {
        Ok(value) => value.serialize(serializer),
        Err(_) => text.serialize(serializer),
    }
}

/// A segment row with the recording that it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct SegmentOf {
    /// The recording's id.
    pub recording_id: i64,
    /// The recording's source.
    pub source: String,
    /// The recording's recipe.
    pub recipe: String,
    /// What the user's own table says of the recording, a JSON object.
    #[serde(serialize_with = "as_json", skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// The segment itself.
    #[sqlx(flatten)]
    #[serde(flatten)]
    pub segment: Segment,
}

/// A file that a segment row speaks of.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Reference {
    /// The recording's id.
    pub recording_id: i64,
    /// The segment's position in it.
    pub idx: i64,
    /// The file.
    pub path: String,
}

/// A recording on its way into the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct NewRecording {
    /// Its path.
    pub source: String,
    /// Least first.
    pub priority: i64,
    /// What else is known of it, a JSON object.
    pub metadata: Option<String>,
}

impl<S: Into<String>> From<S> for NewRecording {
    fn from(source: S) -> Self {
        Self { source: source.into(), ..Self::default() }
    }
}

/// Which recordings are to be tried again, with all their attempts.
#[derive(Clone, Copy, Debug)]
pub enum Again<'a> {
    /// Every failed and quarantined one.
    Unsuccessful,
    /// Those of these ids that failed or were quarantined or cancelled.
    These(&'a [i64]),
    /// Those of these ids, done ones too: their segments count again when they are prepared again.
    EvenDone(&'a [i64]),
    /// Failed and quarantined ones with one of these error codes.
    WithError(&'a [String]),
}

/// Which recordings a question or an order is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection {
    /// Every one.
    All,
    /// The one of this id.
    Id(i64),
    /// Those of this source, one for each recipe.
    Source(String),
    /// Those that wait to be claimed.
    Pending,
}

/// What became of an `add`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Added {
    /// New rows.
    pub inserted: u64,
    /// Sources that were there already.
    pub known: u64,
}

/// How many recordings are in a state, and how much audio they hold as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct StateCount {
    /// The state.
    pub state: State,
    /// Number of recordings.
    pub recordings: i64,
    /// Their known length, seconds.
    pub duration_s: f64,
    /// Their speech, seconds.
    pub speech_s: f64,
    /// Their segments.
    pub segments: i64,
    /// How many of them are done with warnings: [`Outcome::warnings`].
    pub warned: i64,
    /// Their time of preparation, milliseconds, summed over recordings.
    pub total_ms: f64,
}

/// A failed or quarantined recording, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub struct Failure {
    /// The recording's id.
    pub id: i64,
    /// Its source.
    pub source: String,
    /// `failed` or `quarantined`.
    pub state: String,
    /// The stable code of the error.
    pub error_code: String,
    /// The message.
    pub error: String,
    /// How often it was tried.
    pub attempts: i64,
    /// How often its worker vanished.
    pub crashes: i64,
    /// When, milliseconds since 1970.
    pub finished_at: i64,
}

/// A recording that some worker holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Running {
    /// The recording's id.
    pub id: i64,
    /// Its source.
    pub source: String,
    /// The recipe that it is prepared with.
    pub recipe: String,
    /// The process that holds it: host, process id, and what makes it unique.
    pub worker: String,
    /// Since when, in milliseconds up to now.
    pub held_ms: i64,
    /// How long the claim stands without another heartbeat, milliseconds; below 0 it may be taken at any moment.
    pub lease_left_ms: i64,
    /// How often it was tried, this time counted in.
    pub attempts: i64,
    /// How often its worker vanished.
    pub crashes: i64,
}

/// What is left in the queue, for a worker that found nothing to claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Outlook {
    /// Pending recordings that this recipe may claim now or later.
    pub pending: i64,
    /// Recordings that some worker holds.
    pub running: i64,
    /// Milliseconds until the next pending one may be claimed or the next lease ends, whichever is sooner.
    pub next_in_ms: Option<i64>,
}

/// A recording that was taken back from a worker that vanished.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Reaped {
    /// Pending again, or quarantined.
    pub state: State,
    /// Its source.
    pub source: String,
    /// The recipe it was being prepared with.
    pub recipe: String,
    /// The claim that ended, which names temporary files.
    pub claim_id: String,
    /// What its row says of it now.
    pub error: String,
}

/// How a failed attempt goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Trying again is useless.
    GiveUp,
    /// Back to pending after this long, while attempts are left; failed when they are spent.
    RetryIn(Duration),
}

/// A process's sign of life, held as long as it may own claims. Dropping it withdraws the sign.
pub trait Enlistment: Send + Sync {}

/// The queue and the results. Two implementations stand: SQLite for one machine, PostgreSQL for many.
#[async_trait]
pub trait Store: Send + Sync {
    /// Those of `sources` that [`Store::add`] would add, each once.
    async fn unknown(&self, sources: &[String], recipe: Option<&str>) -> Result<Vec<String>>;

    /// Adds sources that are not there yet, all or nothing.
    ///
    /// Without a `recipe` a source is known when any row has it. With one it is known when a row was claimed for just
    /// that recipe, or waits, or runs: a done row of another recipe does not count, so that new parameters are new work.
    async fn add(&self, recordings: &[NewRecording], recipe: Option<&str>) -> Result<Added>;

    /// Announces a process that is about to claim, so that others can tell at once when it dies.
    async fn enlist(&self, worker: &str) -> Result<Box<dyn Enlistment>>;

    /// Takes up to `limit` pending recordings: running from now on, one attempt and one token more.
    async fn claim(&self, claimer: &Claimer, limit: usize, company: Company) -> Result<Vec<Claim>>;

    /// How long a recording that has to run alone has been waiting; `None` where there is none.
    async fn suspect_waits(&self) -> Result<Option<Duration>>;

    /// What `worker` holds according to the table. A claim whose answer got lost is known only there.
    async fn claims_of(&self, worker: &str) -> Result<Vec<ClaimKey>>;

    /// Prolongs the leases of `keys`; returns the keys that still stand. The others are lost.
    async fn heartbeat(&self, keys: &[ClaimKey], lease: Duration) -> Result<Vec<ClaimKey>>;

    /// Writes facts and segments and makes the recording done, in one transaction. Said again under the same claim, it
    /// changes nothing more and succeeds: the answer to the first time may have got lost.
    async fn complete(&self, key: &ClaimKey, outcome: &Outcome) -> Result<()>;

    /// Ends an attempt that failed; returns the state the recording went to. It may be said again, as `complete` may.
    async fn fail(&self, key: &ClaimKey, code: &str, message: &str, after: AfterFailure) -> Result<State>;

    /// Gives claims back untouched, as after Ctrl-C: pending again, the attempt not counted. Lost ones are passed over.
    async fn release(&self, keys: &[ClaimKey]) -> Result<u64>;

    /// Takes recordings from workers that are dead or whose lease ran out: pending again, or quarantined when their
    /// attempts are spent. Returns them.
    ///
    /// On SQLite the database's clock is this process's own, which somebody may set. So there a worker that is known to
    /// live loses a claim only when none of its heartbeats was seen for `patience`, by a clock that nobody sets.
    async fn reap(&self, patience: Duration) -> Result<Vec<Reaped>>;

    /// Who holds what, by worker.
    async fn running(&self) -> Result<Vec<Running>>;

    /// Tells of recordings that were added, by this process or another, as soon as may be.
    fn news(&self) -> News;

    /// Leaves connections that do not answer to themselves, so that the next call gets a new one. Returns the error that
    /// says so.
    fn renew(&self) -> StoreError;

    /// Drops pending rows that never ran and whose source another row holds under `recipe` already. Returns how many.
    async fn drop_duplicates(&self, recipe: &str) -> Result<u64>;

    /// What is left for a worker with this recipe.
    async fn outlook(&self, recipe: &str, scope: Scope) -> Result<Outlook>;

    /// How many sources of `of` [`Store::resegment`] would add a row for.
    async fn resegmentable(&self, of: &Selection, recipe: &str, hearing: &str) -> Result<u64>;

    /// How many done sources of `of` are neither under `recipe` nor have kept probabilities of this hearing, so that
    /// [`Store::resegment`] passes them over.
    async fn forgotten(&self, of: &Selection, recipe: &str, hearing: &str) -> Result<u64>;

    /// Adds a pending row for `recipe` for each source that is done with kept probabilities of this hearing and has no row
    /// of this recipe. Returns how many.
    async fn resegment(&self, of: &Selection, recipe: &str, hearing: &str) -> Result<u64>;

    /// What is known of a source from its done recording with kept probabilities of this hearing, the newest one.
    async fn known(&self, source: &str, hearing: &str) -> Result<Option<Known>>;

    /// Recordings back to pending with all their attempts; returns how many.
    async fn retry(&self, again: Again<'_>) -> Result<u64>;

    /// No more work for these, unless they are done; who runs one of them learns it with the next heartbeat.
    async fn cancel(&self, of: &Selection) -> Result<u64>;

    /// Counts by state; states without recordings are left out.
    async fn counts(&self) -> Result<Vec<StateCount>>;

    /// The newest failures, newest first; quarantined ones only, where these are wanted.
    async fn failures(&self, quarantined_only: bool, limit: usize) -> Result<Vec<Failure>>;

    /// The error codes of failed and quarantined recordings, with how many have each.
    async fn error_codes(&self) -> Result<Vec<(String, i64)>>;

    /// Sources of the pending recordings that `recipe` may claim, in pages by id: `(id, source)`, ids above `after`.
    async fn pending(&self, recipe: &str, after: i64, limit: usize) -> Result<Vec<(i64, String)>>;

    /// Segment rows of done recordings in order of recording and position, in pages: those after `(id, idx)`.
    async fn segments(&self, of: &Selection, after: Option<(i64, i64)>, limit: usize) -> Result<Vec<SegmentOf>>;

    /// The files that segment rows speak of, whatever the state of their recordings, in pages: those after `(id, idx)`. A
    /// recording that was put back to pending has its rows and files still.
    async fn referenced(&self, after: Option<(i64, i64)>, limit: usize) -> Result<Vec<Reference>>;

    /// What tells this database from all others.
    async fn identity(&self) -> Result<String>;

    /// The number of the newest change that the tables have gone through.
    async fn schema(&self) -> Result<i64>;

    /// Ends all connections, so that SQLite can tidy up its files. Nothing may be asked afterwards.
    async fn close(&self);

    /// How many recordings match.
    async fn matching(&self, of: &Selection) -> Result<i64>;
}
