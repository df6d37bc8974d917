//! A new database for one test, with access to its rows that bypasses the store.

use std::{sync::Arc, time::Duration};

use prepare_audio::{
    store::{self, Claim, ClaimKey, Claimer, DatabaseUrl, Exclusion, Isolation, NewRecording, Scope, Store},
    types::{PackedProbabilities, PreparedRecording, Segment},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::{pgbouncer::Pooler, postgres::Server};

/// A database used by one test only.
pub struct TestDatabase {
    /// Its address.
    pub url: DatabaseUrl,
    /// The same without a pooler in between.
    direct: DatabaseUrl,
    folder: TempDir,
}

impl TestDatabase {
    /// An SQLite file that does not exist yet.
    pub async fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let url: DatabaseUrl = format!("sqlite://{}", folder.path().join("queue.db").display()).parse().unwrap();
        Some(Self { url: url.clone(), direct: url, folder })
    }

    /// An empty database of the test server; `None` if PostgreSQL is not installed.
    pub async fn postgres() -> Option<Self> {
        let url: DatabaseUrl = Server::get()?.database().await.parse().unwrap();
        Some(Self { url: url.clone(), direct: url, folder: tempfile::tempdir().unwrap() })
    }

    /// The same through PgBouncer in transaction mode; none where one of them is not installed.
    pub async fn pooled() -> Option<Self> {
        let server = Server::get()?;
        let pooler = Pooler::get(server)?;
        let direct = server.database().await;
        let url = pooler.url(&direct).parse().unwrap();
        Some(Self { url, direct: direct.parse().unwrap(), folder: tempfile::tempdir().unwrap() })
    }

    /// A folder for the test's files.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Opens it as the program does.
    pub async fn open(&self) -> Arc<Store> {
        store::connect(&self.url).await.unwrap()
    }

    /// Opens it and adds these sources.
    pub async fn with(&self, sources: &[&str]) -> Arc<Store> {
        let store = self.open().await;
        let recordings: Vec<NewRecording> = sources.iter().map(|&source| source.into()).collect();
        store.add(&recordings, None).await.unwrap();
        store
    }

    /// Runs a statement, bypassing the store.
    pub async fn execute(&self, sql: &str) {
        self.query(sql).await;
    }

    /// The first column of each row that `sql` returns, which must be text. It bypasses the store.
    pub async fn query(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.direct {
            DatabaseUrl::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(30));
                let mut connection = options.connect().await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            DatabaseUrl::Postgres(address) => {
                let mut connection = address.options().connect().await.unwrap();
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }

    /// One column of one recording as text; "-" if it is NULL.
    pub async fn field(&self, id: i64, column: &str) -> String {
        let sql = format!("SELECT COALESCE(CAST({column} AS TEXT), '-') FROM recording WHERE id = {id}");
        self.query(&sql).await.pop().unwrap()
    }

    /// One column of one recording as a number.
    pub async fn number(&self, id: i64, column: &str) -> i64 {
        self.field(id, column).await.parse().unwrap()
    }

    /// All columns that a write under a lost claim could change, one line per row.
    pub async fn snapshot(&self) -> Vec<String> {
        let columns = [
            "id",
            "state",
            "recipe",
            "token",
            "claim_id",
            "attempts",
            "crashes",
            "lease_until",
            "available_at",
            "error_code",
            "error",
            "finished_at",
            "samples",
            "segments",
        ];
        let columns = columns.map(|column| format!("COALESCE(CAST({column} AS TEXT), '-')")).join(" || '|' || ");
        let mut rows = self.query(&format!("SELECT {columns} FROM recording ORDER BY id")).await;
        rows.extend(self.query("SELECT recording_id || '|' || idx || '|' || token FROM segment ORDER BY 1").await);
        rows
    }

    /// Makes the lease of a recording expire.
    pub async fn expire_lease(&self, id: i64) {
        self.execute(&format!("UPDATE recording SET lease_until = 1 WHERE id = {id}")).await;
    }
}

/// How long a live worker may last without a heartbeat.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A multi-threaded runtime, like the program's.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A worker with a lease of a minute.
pub fn claimer(worker: &str, recipe: &str) -> Claimer {
    Claimer {
        worker: worker.to_owned(),
        recipe: recipe.to_owned(),
        lease: Duration::from_secs(60),
        scope: Scope::Any,
        max_attempts: None,
        without: Exclusion::default(),
    }
}

/// Claims the only claimable recording.
pub async fn claim_one(store: &Arc<Store>) -> Claim {
    let mut claims = store.claim(&claimer("worker", "recipe"), 1, Isolation::Shared).await.unwrap();
    assert_eq!(claims.len(), 1, "there is something to claim");
    claims.remove(0)
}

/// Claims the only claimable recording, whose process crashed before.
pub async fn claim_isolated(store: &Arc<Store>) -> Claim {
    let mut claims = store.claim(&claimer("worker", "recipe"), 9, Isolation::Isolated).await.unwrap();
    assert_eq!(claims.len(), 1, "there is something to claim");
    claims.remove(0)
}

/// Claims up to `limit` recordings for `recipe` and returns their sources, sorted.
pub async fn claimed_sources(store: &Arc<Store>, recipe: &str, limit: usize) -> Vec<String> {
    let claims = store.claim(&claimer("worker", recipe), limit, Isolation::Shared).await.unwrap();
    let mut sources: Vec<String> = claims.into_iter().map(|claim| claim.source).collect();
    sources.sort();
    sources
}

/// A prepared recording with `number` segments. Its numbers are not round, so that rounding errors show.
pub fn outcome(number: u64) -> PreparedRecording {
    let segments = (0..number).map(|idx| Segment {
        idx,
        start_sample: idx * 1600,
        end_sample: idx * 1600 + 801,
        start_s: idx as f64 / 10.0,
        end_s: idx as f64 / 10.0 + 801.0 / 16_000.0,
        channel: (idx % 3 > 0).then_some((idx % 3) as u16),
        path: (idx != 3).then(|| format!("out/déjà \"vu\" {idx}.wav")),
        sha256: (idx != 3).then(|| format!("{idx:064x}")),
        bytes: Some(1_646),
        sample_rate: Some(44_100),
        channels: Some(2),
        mean_probability: 0.9 + 0.1 / 3.0,
        min_probability: 1.0 / 3.0,
        cut: Some("silence".to_owned()),
        level_dbfs: Some(-70.0 / 3.0),
        peak_dbfs: Some(-10.0 / 3.0),
        loudness_lufs: (idx != 2).then_some(-71.0 / 3.0),
        clipped: Some(1.0 / 7.0),
        dc_offset: Some(-1.0 / 700.0),
        snr_db: (idx != 1).then_some(50.0 / 3.0),
        bandwidth_hz: Some(3_968.75),
        speech_ratio: Some(2.0 / 3.0),
        denoised_path: (idx != 3).then(|| format!("out/déjà \"vu\" {idx}.denoised.wav")),
        denoised_sha256: (idx != 3).then(|| format!("{:064x}", idx + 100)),
        denoised_bytes: (idx != 3).then_some(1_648),
        denoised_snr_db: (idx != 1).then_some(70.0 / 3.0),
        dnsmos_signal: (idx != 1).then_some(10.0 / 3.0),
        dnsmos_background: (idx != 1).then_some(11.0 / 3.0),
        dnsmos_overall: (idx != 1).then_some(8.0 / 3.0),
        parts: (idx % 2 == 0).then(|| format!("[[{},{}]]", idx * 1600, idx * 1600 + 801)),
        gap_s: None,
        tag: None,
        note: None,
    });
    let probabilities =
        PackedProbabilities { model_key: "model".to_owned(), coding: 1, windows: 313, data: vec![0, 1, 255] };
    PreparedRecording {
        parameters: r#"{"threshold":0.5}"#.to_owned(),
        model: "silero 6.2".to_owned(),
        container: "wav".to_owned(),
        codec: "pcm_s16le".to_owned(),
        sample_rate: 44_100,
        channels: 2,
        bytes: 5_000_000_000,
        samples: 160_000,
        duration_s: 10.1,
        speech_s: 0.1 + 0.2,
        speech_ratio: Some(0.3 / 10.1),
        loudness_lufs: Some(-71.0 / 3.0),
        snr_db: Some(50.0 / 3.0),
        denoised_snr_db: Some(70.0 / 3.0),
        dnsmos_overall: Some(8.0 / 3.0),
        decode_errors: 3,
        truncated: true,
        warnings: vec!["truncated".to_owned(), "decode_errors: 3".to_owned()],
        segments: segments.collect(),
        probabilities: Some(probabilities),
        ..PreparedRecording::default()
    }
}

/// Keys that do not match the row of `key`: each differs in one part.
pub fn stale_keys(key: &ClaimKey) -> [ClaimKey; 4] {
    let of = |id, token, claim_id: &str| ClaimKey { id, token, claim_id: claim_id.to_owned() };
    [
        of(key.id, key.token - 1, &key.claim_id),
        of(key.id, key.token + 1, &key.claim_id),
        of(key.id, key.token, "0123456789abcdef0123456789abcdef"),
        of(key.id + 1, key.token, &key.claim_id),
    ]
}
