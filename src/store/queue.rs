//! The trait [`Store`](super::Store), written once for both databases.
//!
//! The statements and what is bound to them are the same in both; only the types of `sqlx` differ, and they share no
//! trait that would make one generic function of this shorter than the bounds it needs. So the methods are a macro:
//! plain code, compiled once with the types of each database. A store brings the fields `name` (the database, without
//! its password) and the methods `session` (which gives `reads` and `writes`, pools, and `begin`), `sign_in`, `signs`,
//! `lapsed`, `listen`, `forget`.

use std::{future::Future, time::Duration};

use sqlx::migrate::Migrator;

use super::{ClaimKey, Problem, Result, StoreError};

/// Sources to an INSERT: few enough that a million of them are not held twice.
pub const ADD_AT_ONCE: usize = 10_000;

/// Segments to an INSERT: eighteen parameters each, and SQLite takes 32,766.
pub const SEGMENTS_AT_ONCE: usize = 500;

/// How long connections may take to end.
pub const CLOSING: Duration = Duration::from_secs(2);

/// Runs database work to its end even when the caller stops waiting for it.
///
/// A future that is dropped between two statements leaves its connection in an open transaction, or with an answer on
/// the way that nobody fetches.
pub async fn to_the_end<T, W>(database: &str, work: W) -> Result<T>
where
    T: Send + 'static,
    W: Future<Output = sqlx::Result<T>> + Send + 'static,
{
    match tokio::spawn(work).await {
        Ok(done) => done.map_err(|error| StoreError::driver(database, &error)),
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(ended) => Err(StoreError::problem(Problem::Other, database, ended)),
    }
}

/// Milliseconds, as the statements take them; a century stands for all that is longer, so that sums do not overflow.
pub fn milliseconds(time: Duration) -> i64 {
    const CENTURY: i64 = 100 * 365 * 86_400_000;
    i64::try_from(time.as_millis()).map_or(CENTURY, |ms| ms.min(CENTURY))
}

/// Whether the tables have gone through just the changes that this program knows; `applied` are their numbers and hashes.
pub fn is_up_to_date(known: &Migrator, applied: &[(i64, Vec<u8>)]) -> bool {
    known.iter().map(|change| (change.version, &*change.checksum)).eq(applied.iter().map(|(v, hash)| (*v, &**hash)))
}

/// A number of rows, as the statements take it.
pub fn rows(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Sorted, so that two processes which write the same rows never wait for each other in a circle.
pub fn in_order(keys: &[ClaimKey]) -> Vec<ClaimKey> {
    let mut keys = keys.to_vec();
    keys.sort();
    keys
}

/// Implements [`Store`](super::Store) for `$store`, whose database is `$db` of `sqlx` and spells its SQL as `$dialect`.
macro_rules! impl_store {
    ($store:ty, $db:ty, $dialect:expr) => {
        const _: () = {
            use std::time::Duration;

            use serde_json::json;
            use sqlx::{AssertSqlSafe, QueryBuilder, query, query_as, query_scalar};

            use $crate::store::{
                Added, AfterFailure, Again, Claim, ClaimKey, Claimer, Company, Enlistment, Failure, Known,
                NewRecording, News, Outcome, Outlook, Reaped, Reference, Result, Running, Scope, SegmentOf, Selection,
                State, StateCount, Store, StoreError,
                queue::{ADD_AT_ONCE, CLOSING, SEGMENTS_AT_ONCE, fenced, in_order, milliseconds, rows, to_the_end},
                sql,
            };

            #[async_trait::async_trait]
            impl Store for $store {
                async fn add(&self, recordings: &[NewRecording], recipe: Option<&str>) -> Result<Added> {
                    let (db, recordings, recipe) = (self.session(), recordings.to_vec(), recipe.map(str::to_owned));
                    to_the_end(&self.name, async move {
                        let mut tx = db.begin().await?;
                        let mut inserted = 0;
                        for chunk in recordings.chunks(ADD_AT_ONCE) {
                            let rows: Vec<_> =
                                chunk.iter().map(|r| json!([r.source, r.priority, r.metadata])).collect();
                            let add = query($dialect.sql(sql::ADD)).bind(json!(rows).to_string()).bind(&recipe);
                            inserted += add.execute(&mut *tx).await?.rows_affected();
                        }
                        tx.commit().await?;
                        Ok(Added { inserted, known: recordings.len() as u64 - inserted })
                    })
                    .await
                }

                async fn unknown(&self, sources: &[String], recipe: Option<&str>) -> Result<Vec<String>> {
                    let (db, sources, recipe) = (self.session(), sources.to_vec(), recipe.map(str::to_owned));
                    to_the_end(&self.name, async move {
                        let mut unknown = Vec::new();
                        for chunk in sources.chunks(ADD_AT_ONCE) {
                            let find = query_scalar($dialect.sql(sql::UNKNOWN));
                            let find = find.bind(json!(chunk).to_string()).bind(&recipe);
                            unknown.extend(find.fetch_all(&db.reads).await?);
                        }
                        Ok(unknown)
                    })
                    .await
                }

                async fn enlist(&self, worker: &str) -> Result<Box<dyn Enlistment>> {
                    self.sign_in(worker).await
                }

                async fn claim(&self, claimer: &Claimer, limit: usize, company: Company) -> Result<Vec<Claim>> {
                    let (db, claimer, limit) = (self.session(), claimer.clone(), rows(limit));
                    to_the_end(&self.name, async move {
                        let mut tries = 3;
                        loop {
                            let claim = query_as($dialect.sql(&sql::claim(claimer.scope, company)))
                                .bind(limit)
                                .bind(&claimer.recipe)
                                .bind(&claimer.worker)
                                .bind(milliseconds(claimer.lease))
                                .bind(claimer.max_attempts);
                            match claim.fetch_all(&db.writes).await {
                                // Two workers on PostgreSQL met two rows of one source in the same moment: the later looks again.
                                Err(sqlx::Error::Database(error)) if error.is_unique_violation() && tries > 0 => {
                                    tries -= 1
                                }
                                claims => return claims,
                            }
                        }
                    })
                    .await
                }

                async fn suspect_waits(&self) -> Result<Option<Duration>> {
                    let db = self.session();
                    to_the_end(&self.name, async move {
                        let waits: Option<i64> =
                            query_scalar($dialect.sql(sql::SUSPECT_WAITS)).fetch_one(&db.reads).await?;
                        Ok(waits.map(|ms| Duration::from_millis(ms.max(0) as u64)))
                    })
                    .await
                }

                async fn claims_of(&self, worker: &str) -> Result<Vec<ClaimKey>> {
                    let (db, worker) = (self.session(), worker.to_owned());
                    to_the_end(
                        &self.name,
                        async move { query_as(sql::CLAIMS_OF).bind(worker).fetch_all(&db.reads).await },
                    )
                    .await
                }

                async fn running(&self) -> Result<Vec<Running>> {
                    let db = self.session();
                    to_the_end(
                        &self.name,
                        async move { query_as($dialect.sql(sql::RUNNING)).fetch_all(&db.reads).await },
                    )
                    .await
                }

                fn news(&self) -> News {
                    self.listen()
                }

                fn renew(&self) -> StoreError {
                    self.forget()
                }

                async fn heartbeat(&self, keys: &[ClaimKey], lease: Duration) -> Result<Vec<ClaimKey>> {
                    let (db, keys, lease) = (self.session(), in_order(keys), milliseconds(lease));
                    to_the_end(&self.name, async move {
                        let mut standing = Vec::with_capacity(keys.len());
                        let mut tx = db.begin().await?;
                        for key in keys {
                            let beat = fenced!(query, $dialect.sql(sql::HEARTBEAT), key).bind(lease);
                            if beat.execute(&mut *tx).await?.rows_affected() == 1 {
                                standing.push(key);
                            }
                        }
                        tx.commit().await?;
                        Ok(standing)
                    })
                    .await
                }

                async fn complete(&self, key: &ClaimKey, outcome: &Outcome) -> Result<()> {
                    let (db, held, outcome) = (self.session(), key.clone(), outcome.clone());
                    let done = to_the_end(&self.name, async move {
                        let mut tx = db.begin().await?;
                        let o = &outcome;
                        let facts = fenced!(query_scalar, $dialect.sql(sql::COMPLETE), held)
                            .bind(&o.parameters)
                            .bind(&o.model)
                            .bind(&o.container)
                            .bind(&o.codec)
                            .bind(o.sample_rate)
                            .bind(o.channels)
                            .bind(o.bytes)
                            .bind(o.samples)
                            .bind(o.duration_s)
                            .bind(o.speech_s)
                            .bind(o.decode_errors)
                            .bind(i64::from(o.truncated))
                            .bind(o.times.decode_ms)
                            .bind(o.times.resample_ms)
                            .bind(o.times.vad_ms)
                            .bind(o.times.write_ms)
                            .bind(o.times.total_ms)
                            .bind(rows(o.segments.len()))
                            .bind((!o.warnings.is_empty()).then(|| json!(o.warnings).to_string()));
                        // The fence comes first: it holds the row for the rest of the transaction.
                        let former: Vec<i64> = facts.fetch_all(&mut *tx).await?;
                        let Some(&former) = former.first() else {
                            let done = fenced!(query_scalar, sql::IS_COMPLETED, held);
                            let done: i64 = done.fetch_one(&mut *tx).await?;
                            tx.rollback().await?;
                            return Ok(done > 0);
                        };
                        if former > 0 {
                            query(sql::DELETE_SEGMENTS).bind(held.id).execute(&mut *tx).await?;
                            query(sql::DELETE_PROBABILITIES).bind(held.id).execute(&mut *tx).await?;
                        }
                        for chunk in o.segments.chunks(SEGMENTS_AT_ONCE) {
                            let mut insert = QueryBuilder::<$db>::new(sql::INSERT_SEGMENTS);
                            insert.push_values(chunk, |mut row, segment| {
                                row.push_bind(held.id)
                                    .push_bind(held.token)
                                    .push_bind(segment.idx)
                                    .push_bind(segment.start_sample)
                                    .push_bind(segment.end_sample)
                                    .push_bind(segment.start_s)
                                    .push_bind(segment.end_s)
                                    .push_bind(segment.path.as_deref().unwrap_or_default())
                                    .push_bind(segment.sha256.as_deref().unwrap_or_default())
                                    .push_bind(segment.mean_probability)
                                    .push_bind(segment.min_probability)
                                    .push_bind(&segment.cut)
                                    .push_bind(segment.level_dbfs)
                                    .push_bind(&segment.parts)
                                    .push_bind(segment.channel)
                                    .push_bind(segment.bytes)
                                    .push_bind(segment.sample_rate)
                                    .push_bind(segment.channels);
                            });
                            insert.build().persistent(false).execute(&mut *tx).await?;
                        }
                        if let Some(kept) = &o.probabilities {
                            let insert = query(sql::INSERT_PROBABILITIES).bind(held.id).bind(&kept.hearing);
                            let insert = insert.bind(kept.coding).bind(kept.windows).bind(&kept.data);
                            insert.execute(&mut *tx).await?;
                        }
                        tx.commit().await?;
                        Ok(true)
                    });
                    if done.await? { Ok(()) } else { Err(StoreError::Lost(key.id)) }
                }

                async fn fail(&self, key: &ClaimKey, code: &str, message: &str, after: AfterFailure) -> Result<State> {
                    let (db, held, code, message) = (self.session(), key.clone(), code.to_owned(), message.to_owned());
                    let delay = match after {
                        AfterFailure::GiveUp => None,
                        AfterFailure::RetryIn(delay) => Some(milliseconds(delay)),
                    };
                    let states: Vec<State> = to_the_end(&self.name, async move {
                        let fail = fenced!(query_scalar, $dialect.sql(sql::FAIL), held);
                        let states: Vec<State> =
                            fail.bind(&code).bind(message).bind(delay).fetch_all(&db.writes).await?;
                        if !states.is_empty() {
                            return Ok(states);
                        }
                        fenced!(query_scalar, sql::IS_FAILED, held).bind(code).fetch_all(&db.reads).await
                    })
                    .await?;
                    states.first().copied().ok_or(StoreError::Lost(key.id))
                }

                async fn release(&self, keys: &[ClaimKey]) -> Result<u64> {
                    let (db, keys) = (self.session(), in_order(keys));
                    to_the_end(&self.name, async move {
                        let mut released = 0;
                        let mut tx = db.begin().await?;
                        for key in keys {
                            let release = fenced!(query, $dialect.sql(sql::RELEASE), key);
                            released += release.execute(&mut *tx).await?.rows_affected();
                        }
                        tx.commit().await?;
                        Ok(released)
                    })
                    .await
                }

                async fn reap(&self, patience: Duration) -> Result<Vec<Reaped>> {
                    let (db, store) = (self.session(), self.clone());
                    // Held until the rows are written, so that nobody else reaps the same dead meanwhile. Where that
                    // fails, their signs are gone all the same, and their leases have to run out.
                    let signs = self.signs().await;
                    to_the_end(&self.name, async move {
                        let mut tx = db.begin().await?;
                        let lapsed = store.lapsed(&mut tx, &signs, patience).await?;
                        let reap = query_as($dialect.sql(sql::REAP)).bind(lapsed.map(|ids| json!(ids).to_string()));
                        let reaped = reap.fetch_all(&mut *tx).await?;
                        tx.commit().await?;
                        let _held_until_now = signs;
                        Ok(reaped)
                    })
                    .await
                }

                async fn drop_duplicates(&self, recipe: &str) -> Result<u64> {
                    let (db, recipe) = (self.session(), recipe.to_owned());
                    to_the_end(&self.name, async move {
                        let dropped = query(sql::DROP_DUPLICATES).bind(recipe).execute(&db.writes).await?;
                        Ok(dropped.rows_affected())
                    })
                    .await
                }

                async fn retry(&self, again: Again<'_>) -> Result<u64> {
                    let (db, (text, value)) = (self.session(), sql::retry(&again));
                    to_the_end(&self.name, async move {
                        let mut tx = db.begin().await?;
                        let retried = query($dialect.sql(&text)).bind(value).execute(&mut *tx).await?.rows_affected();
                        tx.commit().await?;
                        Ok(retried)
                    })
                    .await
                }

                async fn cancel(&self, of: &Selection) -> Result<u64> {
                    let (db, (which, value)) = (self.session(), sql::which(of));
                    to_the_end(&self.name, async move {
                        let mut tx = db.begin().await?;
                        let cancel = query($dialect.sql(&sql::CANCEL.replace("{which}", which))).bind(value);
                        let cancelled = cancel.execute(&mut *tx).await?.rows_affected();
                        tx.commit().await?;
                        Ok(cancelled)
                    })
                    .await
                }

                async fn resegmentable(&self, of: &Selection, recipe: &str, hearing: &str) -> Result<u64> {
                    let (db, recipe, model) = (self.session(), recipe.to_owned(), hearing.to_owned());
                    let (text, value) = sql::resegment(sql::RESEGMENTABLE, of);
                    to_the_end(&self.name, async move {
                        let count = query_scalar(AssertSqlSafe(text)).bind(value).bind(recipe).bind(model);
                        count.fetch_one(&db.reads).await.map(|count: i64| count as u64)
                    })
                    .await
                }

                async fn forgotten(&self, of: &Selection, recipe: &str, hearing: &str) -> Result<u64> {
                    let (db, recipe, model) = (self.session(), recipe.to_owned(), hearing.to_owned());
                    let (text, value) = sql::resegment(sql::FORGOTTEN, of);
                    to_the_end(&self.name, async move {
                        let count = query_scalar(AssertSqlSafe(text)).bind(value).bind(recipe).bind(model);
                        count.fetch_one(&db.reads).await.map(|count: i64| count as u64)
                    })
                    .await
                }

                async fn resegment(&self, of: &Selection, recipe: &str, hearing: &str) -> Result<u64> {
                    let (db, recipe, model) = (self.session(), recipe.to_owned(), hearing.to_owned());
                    let (text, value) = sql::resegment(sql::RESEGMENT, of);
                    to_the_end(&self.name, async move {
                        let add = query(AssertSqlSafe(text)).bind(value).bind(recipe).bind(model);
                        Ok(add.execute(&db.writes).await?.rows_affected())
                    })
                    .await
                }

                async fn known(&self, source: &str, hearing: &str) -> Result<Option<Known>> {
                    let (db, source, model) = (self.session(), source.to_owned(), hearing.to_owned());
                    to_the_end(&self.name, async move {
                        let known = query_as(sql::KNOWN).bind(source).bind(model);
                        let known: Option<Known> = known.fetch_optional(&db.reads).await?;
                        let Some(mut known) = known else { return Ok(None) };
                        known.segments = query_as(sql::KNOWN_SEGMENTS).bind(known.id).fetch_all(&db.reads).await?;
                        Ok(Some(known))
                    })
                    .await
                }

                async fn outlook(&self, recipe: &str, scope: Scope) -> Result<Outlook> {
                    let (db, recipe) = (self.session(), recipe.to_owned());
                    to_the_end(&self.name, async move {
                        let outlook = query_as($dialect.sql(&sql::scoped(sql::OUTLOOK, scope, "$1"))).bind(recipe);
                        let outlook: Outlook = outlook.fetch_one(&db.reads).await?;
                        Ok(Outlook { next_in_ms: outlook.next_in_ms.map(|ms| ms.max(0)), ..outlook })
                    })
                    .await
                }

                async fn counts(&self) -> Result<Vec<StateCount>> {
                    let db = self.session();
                    to_the_end(&self.name, async move {
                        let mut counts: Vec<StateCount> = query_as(sql::COUNTS).fetch_all(&db.reads).await?;
                        counts.sort_by_key(|count| count.state);
                        Ok(counts)
                    })
                    .await
                }

                async fn failures(&self, quarantined_only: bool, limit: usize) -> Result<Vec<Failure>> {
                    let db = self.session();
                    to_the_end(&self.name, async move {
                        let states = if quarantined_only { "'quarantined'" } else { "'failed', 'quarantined'" };
                        let failures = query_as(AssertSqlSafe(sql::FAILURES.replace("{states}", states)));
                        failures.bind(rows(limit)).fetch_all(&db.reads).await
                    })
                    .await
                }

                async fn error_codes(&self) -> Result<Vec<(String, i64)>> {
                    let db = self.session();
                    to_the_end(&self.name, async move { query_as(sql::ERROR_CODES).fetch_all(&db.reads).await }).await
                }

                async fn pending(&self, recipe: &str, after: i64, limit: usize) -> Result<Vec<(i64, String)>> {
                    let (db, recipe) = (self.session(), recipe.to_owned());
                    to_the_end(&self.name, async move {
                        query_as(sql::PENDING).bind(recipe).bind(after).bind(rows(limit)).fetch_all(&db.reads).await
                    })
                    .await
                }

                async fn segments(
                    &self,
                    of: &Selection,
                    after: Option<(i64, i64)>,
                    limit: usize,
                ) -> Result<Vec<SegmentOf>> {
                    let (db, (which, value)) = (self.session(), sql::which(of));
                    let (id, idx) = after.unwrap_or((i64::MIN, i64::MIN));
                    to_the_end(&self.name, async move {
                        let page = query_as(AssertSqlSafe(sql::SEGMENTS.replace("{which}", which)));
                        page.bind(value).bind(id).bind(idx).bind(rows(limit)).fetch_all(&db.reads).await
                    })
                    .await
                }

                async fn referenced(&self, after: Option<(i64, i64)>, limit: usize) -> Result<Vec<Reference>> {
                    let db = self.session();
                    let (id, idx) = after.unwrap_or((i64::MIN, i64::MIN));
                    to_the_end(&self.name, async move {
                        query_as(sql::REFERENCED).bind(id).bind(idx).bind(rows(limit)).fetch_all(&db.reads).await
                    })
                    .await
                }

                async fn identity(&self) -> Result<String> {
                    let db = self.session();
                    to_the_end(&self.name, async move { query_scalar(sql::IDENTITY).fetch_one(&db.reads).await }).await
                }

                async fn schema(&self) -> Result<i64> {
                    let db = self.session();
                    to_the_end(&self.name, async move { query_scalar(sql::SCHEMA).fetch_one(&db.reads).await }).await
                }

                async fn close(&self) {
                    let db = self.session();
                    let closing = async move {
                        db.reads.close().await;
                        db.writes.close().await;
                    };
                    // A connection that hangs is not waited for.
                    let _ = tokio::time::timeout(CLOSING, closing).await;
                }

                async fn matching(&self, of: &Selection) -> Result<i64> {
                    let (db, (which, value)) = (self.session(), sql::which(of));
                    to_the_end(&self.name, async move {
                        let count = query_scalar(AssertSqlSafe(sql::MATCHING.replace("{which}", which)));
                        count.bind(value).fetch_one(&db.reads).await
                    })
                    .await
                }
            }
        };
    };
}

/// A statement whose first parameters are the claim that it needs: `query` or `query_scalar`, its text, the key.
macro_rules! fenced {
    ($query:ident, $sql:expr, $key:expr) => {
        $query($sql).bind($key.id).bind($key.token).bind(&$key.claim_id)
    };
}

pub(super) use {fenced, impl_store};
