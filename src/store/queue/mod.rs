//! The queue: adding recordings, and the claims under which workers prepare them.

mod end;
mod exclusion;
mod sql;
mod types;

use std::{collections::HashSet, time::Duration};

use serde_json::json;

pub use exclusion::Exclusion;
pub use types::{
    Added, AfterFailure, Claim, ClaimKey, Claimer, Ended, Ending, Isolation, NewRecording, Outlook, Reaped, Scope,
    State, WorkRecord, WorkerRegistration,
};

use super::{
    Notifications, Problem, Result, Store, StoreError, backend::Lease, columns::rows, row::Row, statement::Statement,
};

/// Sources to an INSERT: few enough that a million of them are not held twice.
const ADD_AT_ONCE: usize = 10_000;

/// Duplicates that are dropped in one transaction: few enough that other writes wait for some milliseconds only.
const DROP_AT_ONCE: usize = 2_000;

/// How often a claim is tried that met another process's claim of the same source.
const CLAIM_ATTEMPTS: usize = 4;

/// Adding recordings.
impl Store {
    /// Those of `sources` that [`Store::add`] would add, each once.
    pub async fn unknown(&self, sources: &[String], recipe: Option<&str>) -> Result<Vec<String>> {
        let (sources, recipe) = (sources.to_vec(), recipe.map(str::to_owned));
        self.call(|db| async move {
            let mut unknown = Vec::new();
            for chunk in sources.chunks(ADD_AT_ONCE) {
                let find = Statement::new(sql::UNKNOWN).bind(json!(chunk).to_string()).bind(recipe.as_deref());
                unknown.extend(db.read(find).await?.all(|row| row.text("source"))?);
            }
            Ok(unknown)
        })
        .await
    }

    /// Adds sources that are not there yet, all or nothing.
    ///
    /// Without a `recipe` a source is known when any row has it. With one it is known when a row was claimed for that
    /// recipe, is pending, or runs: a done row of another recipe does not count, so that new parameters are new work.
    pub async fn add(&self, recordings: &[NewRecording], recipe: Option<&str>) -> Result<Added> {
        let (recordings, recipe) = (recordings.to_vec(), recipe.map(str::to_owned));
        self.call(|db| async move {
            let mut transaction = db.begin().await?;
            let mut inserted = 0;
            for chunk in recordings.chunks(ADD_AT_ONCE) {
                inserted += transaction.execute(add(chunk, recipe.as_deref())).await?.affected;
            }
            transaction.commit().await?;
            Ok(Added { inserted, known: recordings.len() as u64 - inserted })
        })
        .await
    }

    /// Drops pending rows that never ran and whose source another row holds under `recipe` already. Returns how many.
    ///
    /// It reads all pending rows, which takes a second or two for a million of them. It holds no lock meanwhile, and drops
    /// some rows at a time.
    pub async fn drop_duplicates(&self, recipe: &str) -> Result<u64> {
        let mut dropped = 0;
        let mut after = (i64::MIN, i64::MIN, i64::MIN);
        loop {
            let (priority, available_at, id) = after;
            let find = Statement::new(sql::duplicates())
                .bind(recipe.to_owned())
                .bind(priority)
                .bind(available_at)
                .bind(id)
                .bind(rows(DROP_AT_ONCE));
            let found = self
                .read(find)
                .await?
                .all(|row| Ok((row.integer("priority")?, row.integer("available_at")?, row.integer("id")?)))?;
            let Some(last) = found.last() else { return Ok(dropped) };
            after = *last;
            let ids: Vec<i64> = found.iter().map(|(_, _, id)| *id).collect();
            let drop = Statement::new(sql::drop_duplicates()).bind(json!(ids).to_string()).bind(recipe.to_owned());
            dropped += self.write(drop).await?.affected;
            if found.len() < DROP_AT_ONCE {
                return Ok(dropped);
            }
        }
    }

    /// Reports recordings that were added, by this process or another, as soon as possible.
    pub fn notifications(&self) -> Notifications {
        self.backend.notifications()
    }
}

/// Claims.
impl Store {
    /// Registers a process that is about to claim, so that others can detect at once when it dies.
    pub async fn register_worker(&self, worker: &str) -> Result<Box<dyn WorkerRegistration>> {
        self.backend.register_worker(worker).await
    }

    /// Claims up to `limit` pending recordings, first those that are next: running from now on, attempts and token
    /// incremented.
    pub async fn claim(&self, claimer: &Claimer, limit: usize, isolation: Isolation) -> Result<Vec<Claim>> {
        self.claim_by(sql::claim(claimer.scope, isolation, false), claimer, limit).await
    }

    /// Claims as [`Store::claim`] does, for later: a recording does not count as the possible cause of its worker's death
    /// before [`Store::begin`] was called for it.
    pub async fn reserve(&self, claimer: &Claimer, limit: usize, isolation: Isolation) -> Result<Vec<Claim>> {
        self.claim_by(sql::claim(claimer.scope, isolation, true), claimer, limit).await
    }

    /// Begins attempts under claims of `worker` that were kept in reserve; returns the keys that are still valid. The
    /// others are lost.
    pub async fn begin(&self, worker: &str, keys: &[ClaimKey]) -> Result<Vec<ClaimKey>> {
        let ids: Vec<i64> = keys.iter().map(|key| key.id).collect();
        let begin = Statement::new(sql::BEGIN).bind(json!(ids).to_string()).bind(worker.to_owned());
        let mut begun = self.write(begin).await?.all(ClaimKey::read)?;
        begun.retain(|key| keys.contains(key));
        Ok(begun)
    }

    async fn claim_by(&self, statement: String, claimer: &Claimer, limit: usize) -> Result<Vec<Claim>> {
        let claim = Statement::new(statement)
            .bind(rows(limit))
            .bind(claimer.recipe.clone())
            .bind(claimer.worker.clone())
            .bind(milliseconds(claimer.lease))
            .bind(claimer.max_attempts);
        let claim = claimer.without.apply(claim);
        let claimed = self.call(|db| async move {
            for _ in 1..CLAIM_ATTEMPTS {
                match db.write(claim.clone()).await {
                    // Two workers on PostgreSQL met two rows of one source at the same moment: the later tries again.
                    Err(StoreError::Database { problem: Problem::Conflict, .. }) => {}
                    claims => return claims?.all(Claim::read_with_position),
                }
            }
            db.write(claim).await?.all(Claim::read_with_position)
        });
        let mut claimed = claimed.await?;
        claimed.sort_by_key(|(position, _)| *position); // RETURNING has no order
        Ok(claimed.into_iter().map(|(_, claim)| claim).collect())
    }

    /// How long a recording that has to run alone has been waiting; `None` if there is none.
    pub async fn isolated_wait(&self) -> Result<Option<Duration>> {
        let wait = self.read(Statement::new(sql::ISOLATED_WAIT)).await?;
        let wait = wait.one(|row| row.optional_integer("wait_ms"))?;
        Ok(wait.map(|ms| Duration::from_millis(ms.max(0) as u64)))
    }

    /// The claims of `worker` according to the table. A claim whose answer was lost is known only there.
    pub async fn claims_of(&self, worker: &str) -> Result<Vec<ClaimKey>> {
        self.read(Statement::new(sql::CLAIMS_OF).bind(worker.to_owned())).await?.all(ClaimKey::read)
    }

    /// Extends the leases of `keys`; returns the keys that are still valid. The others are lost.
    pub async fn heartbeat(&self, keys: &[ClaimKey], lease: Duration) -> Result<Vec<ClaimKey>> {
        let (keys, lease) = (in_order(keys), milliseconds(lease));
        self.call(|db| async move {
            let mut valid = Vec::with_capacity(keys.len());
            let mut transaction = db.begin().await?;
            for key in keys {
                let heartbeat = Statement::of_claim(sql::HEARTBEAT, &key).bind(lease);
                if transaction.execute(heartbeat).await?.affected == 1 {
                    valid.push(key);
                }
            }
            transaction.commit().await?;
            Ok(valid)
        })
        .await
    }

    /// Gives claims back, as after Ctrl-C: pending again, the attempt not counted. Lost ones are skipped.
    pub async fn release(&self, keys: &[ClaimKey]) -> Result<u64> {
        let keys = in_order(keys);
        self.call(|db| async move {
            let mut released = 0;
            let mut transaction = db.begin().await?;
            for key in keys {
                released += transaction.execute(Statement::of_claim(sql::RELEASE, &key)).await?.affected;
            }
            transaction.commit().await?;
            Ok(released)
        })
        .await
    }

    /// Takes recordings from workers that are dead or whose lease ran out: pending again, or quarantined when no attempt
    /// is left. Those that were only claimed, and not begun, are pending again as if they had been given back. Returns all.
    ///
    /// On SQLite the database's clock is this machine's, which may be set. So there a worker that is known to
    /// be alive loses a claim only when no heartbeat of it was seen for `patience`, by the monotonic clock.
    pub async fn reap(&self, patience: Duration) -> Result<Vec<Reaped>> {
        // Read before the workers are listed: one that registers and claims later is not among them, and is not dead.
        let known = match self.backend.sees_workers() {
            true => self.read(Statement::new(sql::LEASES)).await?.all(lease)?,
            false => Vec::new(),
        };
        // Kept until the rows are written, so that no other process reaps from the same dead workers meanwhile. Where
        // that fails, their locks are gone all the same, and their leases have to run out.
        let liveness = self.backend.worker_liveness().await;
        self.call(|db| async move {
            let mut transaction = db.begin().await?;
            let (begun, unbegun) = match &liveness {
                None => (None, None),
                Some(liveness) => {
                    let mut leases = transaction.execute(Statement::new(sql::LEASES)).await?.all(lease)?;
                    let known: HashSet<(i64, i64)> = known.iter().map(|lease| (lease.id, lease.token)).collect();
                    leases.retain(|lease| known.contains(&(lease.id, lease.token)));
                    let expired: HashSet<i64> = liveness.expired(&leases, patience).into_iter().collect();
                    let expired = leases.iter().filter(|lease| expired.contains(&lease.id));
                    let (begun, unbegun): (Vec<_>, Vec<_>) =
                        expired.partition(|lease| lease.begun && liveness.had_begun(lease));
                    let ids =
                        |of: &[&Lease]| Some(json!(of.iter().map(|lease| lease.id).collect::<Vec<_>>()).to_string());
                    (ids(&begun), ids(&unbegun))
                }
            };
            let mut reaped = transaction.execute(Statement::new(sql::REAP).bind(begun)).await?.all(Reaped::read)?;
            let unbegun = transaction.execute(Statement::new(sql::REAP_UNBEGUN).bind(unbegun)).await?;
            reaped.extend(unbegun.all(Reaped::read)?);
            transaction.commit().await?;
            drop(liveness);
            Ok(reaped)
        })
        .await
    }

    /// What is left for a worker with this recipe.
    pub async fn outlook(&self, recipe: &str, scope: Scope) -> Result<Outlook> {
        self.outlook_without(recipe, scope, &Exclusion::default()).await
    }

    /// The same, without pending recordings of an exclusion.
    pub async fn outlook_without(&self, recipe: &str, scope: Scope, without: &Exclusion) -> Result<Outlook> {
        let outlook = Statement::new(sql::scoped(sql::OUTLOOK, scope, "$1")).bind(recipe.to_owned());
        self.read(without.apply(outlook)).await?.one(Outlook::read)
    }
}

/// The statement that adds recordings which are not there yet.
pub(super) fn add<'a>(recordings: &[NewRecording], recipe: Option<&'a str>) -> Statement<'a> {
    let rows: Vec<_> = recordings.iter().map(|r| json!([r.source, r.priority, r.metadata])).collect();
    Statement::new(sql::ADD).bind(json!(rows).to_string()).bind(recipe)
}

fn lease(row: &Row) -> sqlx::Result<Lease> {
    Ok(Lease {
        id: row.integer("id")?,
        token: row.integer("token")?,
        worker: row.text("worker")?,
        lease_until: row.integer("lease_until")?,
        expired: row.integer("expired")? != 0,
        begun: row.integer("begun")? != 0,
    })
}

/// Milliseconds, as the statements take them; a century stands for all that is longer, so that sums do not overflow.
fn milliseconds(time: Duration) -> i64 {
    const CENTURY: i64 = 100 * 365 * 86_400_000;
    i64::try_from(time.as_millis()).map_or(CENTURY, |ms| ms.min(CENTURY))
}

/// Sorted, so that two processes that write the same rows never wait for each other in a circle.
fn in_order(keys: &[ClaimKey]) -> Vec<ClaimKey> {
    let mut keys = keys.to_vec();
    keys.sort();
    keys
}
