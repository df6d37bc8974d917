//! What a run and the queue exchange.

use std::{str::FromStr, sync::Arc, time::Duration};

use prepare_audio_types::PreparedRecording;
use serde::Serialize;

use super::Exclusion;
use crate::store::row::Row;

/// The state of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits to be claimed.
    Pending,
    /// Claimed by a worker, until its lease ends.
    Running,
    /// Prepared; its segment rows are there (none if it holds no speech).
    Done,
    /// Cannot be prepared; `error_code` says why.
    Failed,
    /// Crashed its process, or lost its worker, too often.
    Quarantined,
    /// A user has cancelled it.
    Cancelled,
}

impl State {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Quarantined => "quarantined",
            Self::Cancelled => "cancelled",
        }
    }

    pub(in crate::store) fn read(row: &Row) -> sqlx::Result<Self> {
        row.text("state")?.parse().map_err(|unknown: String| sqlx::Error::Decode(unknown.into()))
    }
}

impl FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "done" => Self::Done,
            "failed" => Self::Failed,
            "quarantined" => Self::Quarantined,
            "cancelled" => Self::Cancelled,
            other => return Err(format!("{other:?} is no state of a recording")),
        })
    }
}

/// A worker and its settings, as far as claims depend on them.
#[derive(Clone, Debug)]
pub struct Claimer {
    /// Name of the process, unique among all that ever ran.
    pub worker: String,
    /// Identity of model and parameters: a source is prepared once for each recipe.
    pub recipe: String,
    /// How long a claim is valid without a heartbeat.
    pub lease: Duration,
    /// Which rows it claims.
    pub scope: Scope,
    /// How often a recording may be tried; `None` leaves it to the row.
    pub max_attempts: Option<i64>,
    /// Recordings that are left alone for now.
    pub without: Exclusion,
}

/// Which pending rows a claimer claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All that are not prepared under its recipe.
    #[default]
    Any,
    /// Only those that were added for its recipe, as [`Store::resegment`](crate::store::Store::resegment) does.
    Bound,
}

/// Which recordings may run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Recordings that never crashed a process: any number of them side by side.
    Shared,
    /// Those that did, or lost their worker for another reason. Each has to run alone in its process, so that a crash
    /// does not affect others again.
    Isolated,
}

/// The fence: the claim under which a row is being worked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimKey {
    /// The recording's id.
    pub id: i64,
    /// Counts the row's claims and never falls.
    pub token: i64,
    /// Unique to this claim among all databases; it also names the claim's temporary files.
    pub claim_id: String,
}

impl ClaimKey {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self { id: row.integer("id")?, token: row.integer("token")?, claim_id: row.text("claim_id")? })
    }
}

/// A recording that was handed to this process.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The fence of each later write.
    pub key: ClaimKey,
    /// Path of the recording, as the row gives it.
    pub source: String,
    /// How often it was claimed, this time included.
    pub attempts: i64,
    /// How often it may be.
    pub max_attempts: i64,
    /// How often its worker died or was lost while it held the recording.
    pub crashes: i64,
}

impl Claim {
    /// Reads a claim with its position in the queue: priority, time and id.
    pub(super) fn read_with_position(row: &Row) -> sqlx::Result<((i64, i64, i64), Self)> {
        let claim = Self {
            key: ClaimKey::read(row)?,
            source: row.text("source")?,
            attempts: row.integer("attempts")?,
            max_attempts: row.integer("max_attempts")?,
            crashes: row.integer("crashes")?,
        };
        Ok(((row.integer("priority")?, row.integer("available_at")?, claim.key.id), claim))
    }
}

/// A recording to be added to the table.
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

/// The result of an `add`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Added {
    /// New rows.
    pub inserted: u64,
    /// Sources that were there already.
    pub known: u64,
}

/// What is left in the queue, for a worker that found nothing to claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Pending recordings that this recipe may claim now or later.
    pub pending: i64,
    /// Recordings that some worker holds.
    pub running: i64,
    /// Milliseconds until the next pending one may be claimed or the next lease ends, whichever is sooner.
    pub next_in_ms: Option<i64>,
}

impl Outlook {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            pending: row.integer("pending")?,
            running: row.integer("running")?,
            next_in_ms: row.optional_integer("next_in_ms")?.map(|ms| ms.max(0)),
        })
    }
}

/// A recording that was taken back from a worker that died or was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaped {
    /// Pending again, or quarantined.
    pub state: State,
    /// Its source.
    pub source: String,
    /// The recipe it was being prepared with.
    pub recipe: String,
    /// The claim that ended, which names temporary files.
    pub claim_id: String,
    /// The row's error message from now on; empty where the attempt had not begun.
    pub error: String,
}

impl Reaped {
    pub(super) fn read(row: &Row) -> sqlx::Result<Self> {
        Ok(Self {
            state: State::read(row)?,
            source: row.text("source")?,
            recipe: row.text("recipe")?,
            claim_id: row.text("claim_id")?,
            error: row.text("error")?,
        })
    }
}

/// What happens after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Trying again is useless.
    GiveUp,
    /// Back to pending after this long, while attempts are left; failed when none is.
    RetryIn(Duration),
}

/// How an attempt ends.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The recording is prepared. It is shared, not copied, so that the call can be repeated at no cost.
    Done(Arc<PreparedRecording>),
    /// The attempt failed.
    Failed {
        /// The stable code of the error.
        code: String,
        /// The message.
        message: String,
        /// What happens next.
        after: AfterFailure,
    },
    /// The claim is given back, and the attempt is not counted.
    Released,
}

/// What an [`Ending`] has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The recording is done, or was made so by the same claim before.
    Done,
    /// The attempt is recorded as failed; this is the recording's new state.
    Failed(State),
    /// The recording is pending again.
    Released,
    /// The claim was no longer valid. Nothing was changed.
    Lost,
}

/// Makes it known that a process is alive and may own claims, until it is dropped.
pub trait WorkerRegistration: Send + Sync {
    /// Where the process records which recordings it is working on, for others to read after its death. `None` if only the
    /// database can record it, by [`Store::begin`](crate::store::Store::begin).
    fn work_record(&self) -> Option<Arc<dyn WorkRecord>> {
        None
    }
}

/// Which recordings a process is working on. It outlives the process.
pub trait WorkRecord: Send + Sync {
    /// The work in `slot` is about to begin: the recording counts as the possible cause if the process dies now.
    fn begin(&self, slot: usize, key: &ClaimKey);

    /// The work in `slot` is over.
    fn end(&self, slot: usize);
}
