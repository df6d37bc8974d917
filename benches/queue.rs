//! The queue without any audio: how many recordings 8 processes can claim and complete per second, on SQLite with
//! `synchronous=FULL` and on a PostgreSQL server that syncs every commit; and the time of a claim among many rows.
//!
//! `cargo bench --bench queue`. The goals are 1,000 recordings per second on each database, and a claim among a million
//! rows that takes at most 1.5 times as long as one among a thousand.
//!
//! Each of the 8 processes (this program itself) opens the store as `fetch` does, and claims 1 recording at a time or 4,
//! as a run does whose workers become free one by one or all at once. It completes the claimed recordings simultaneously,
//! with empty outcomes. The data is in cargo's target folder, which must be on a real disk. That disk is measured, too,
//! because a claim and a completion each wait for one sync.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, reason = "shared with the tests, which use all of it")]
#[path = "../tests/all/support/mod.rs"]
mod support;

use std::{
    env,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group};
use prepare_audio::{
    store::{self, Claim, Isolation, NewRecording, Store},
    types::PreparedRecording,
};
use tempfile::TempDir;
use tokio::{runtime::Runtime, task::JoinSet};

use self::support::{
    audit,
    postgres::Server,
    test_database::{claimer, runtime},
};

/// The variable that passes the database to the processes that this program starts.
const DATABASE: &str = "PREPARE_AUDIO_BENCH_DATABASE";

/// The variable that passes the number of recordings that each process claims at a time.
const LIMIT: &str = "PREPARE_AUDIO_BENCH_LIMIT";

const PROCESSES: usize = 8;

/// Number of claims after which all claimed rows are released.
const CLAIMS: u64 = 500;

/// A folder on the disk that is measured.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's target folder can be written")
}

/// The databases under test: SQLite files in a folder, and a server.
struct Databases {
    folder: TempDir,
    server: Option<Server>,
    runtime: Runtime,
}

impl Databases {
    fn new() -> Self {
        Self { folder: folder(), server: Server::durable(Path::new(env!("CARGO_TARGET_TMPDIR"))), runtime: runtime() }
    }

    /// A new, empty database of each kind.
    fn empty(&self, name: &str) -> Vec<(&'static str, String)> {
        let file = format!("sqlite://{}", self.folder.path().join(format!("{name}.db")).display());
        let server = self.server.as_ref().map(|server| ("postgres", self.runtime.block_on(server.database())));
        std::iter::once(("sqlite", file)).chain(server).collect()
    }
}

fn add(runtime: &Runtime, store: &Arc<Store>, batch: &mut usize, rows: usize) {
    *batch += 1;
    let source = |number| NewRecording::from(format!("/data/set {batch}/{number:07}.wav"));
    let recordings: Vec<_> = (0..rows).map(source).collect();
    runtime.block_on(store.add(&recordings, None)).expect("rows can be added");
}

/// A process that works through the queue each time that it receives a line.
struct Worker {
    process: Child,
    requests: ChildStdin,
    responses: BufReader<ChildStdout>,
}

impl Worker {
    fn start(url: &str, limit: usize) -> Self {
        let mut command = Command::new(env::current_exe().expect("this program is a file"));
        command.env(DATABASE, url).env(LIMIT, limit.to_string());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let (requests, responses) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        let mut worker = Self { process, requests, responses: BufReader::new(responses) };
        worker.wait(); // it sends one line when it is ready
        worker
    }

    fn begin(&mut self) {
        writeln!(self.requests).expect("the process reads its input");
    }

    /// Waits until it is done. Returns the longest time that it waited for the database.
    fn wait(&mut self) -> Duration {
        let mut line = String::new();
        self.responses.read_line(&mut line).expect("the process answers");
        Duration::from_micros(line.trim().parse().expect("a number"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The work of such a process: for each line of its input, it claims and completes until the queue is empty.
fn work(url: &str, limit: usize) {
    let runtime = runtime();
    let store = runtime.block_on(store::connect(&url.parse().expect("an address"))).expect("a database");
    let worker = claimer(&format!("worker {}", std::process::id()), "recipe");
    let outcome = Arc::new(PreparedRecording::default());
    println!("0");
    for _ in std::io::stdin().lines() {
        let mut longest = Duration::ZERO;
        runtime.block_on(async {
            loop {
                let begun = Instant::now();
                let claims = store.claim(&worker, limit, Isolation::Shared).await.expect("a claim");
                longest = longest.max(begun.elapsed());
                if claims.is_empty() {
                    break;
                }
                let begun = Instant::now();
                let mut ends: JoinSet<_> = claims.into_iter().map(|claim| end(&store, claim, &outcome)).collect();
                while let Some(end) = ends.join_next().await {
                    end.expect("no panic").expect("the claim is valid");
                }
                longest = longest.max(begun.elapsed());
            }
        });
        println!("{}", longest.as_micros());
    }
}

fn end(
    store: &Arc<Store>,
    claim: Claim,
    outcome: &Arc<PreparedRecording>,
) -> impl Future<Output = store::Result<()>> + Send + 'static {
    let (store, outcome) = (Arc::clone(store), Arc::clone(outcome));
    async move { store.complete(&claim.key, outcome).await }
}

/// Claim and complete by 8 processes.
fn throughput(criterion: &mut Criterion) {
    let databases = Databases::new();
    let mut group = criterion.benchmark_group("claim and complete, 8 processes");
    group.throughput(Throughput::Elements(1)).sampling_mode(SamplingMode::Flat).sample_size(10);
    group.measurement_time(Duration::from_secs(20));
    for limit in [1, 4] {
        for (name, url) in databases.empty(&format!("throughput {limit}")) {
            let store = databases.runtime.block_on(store::connect(&url.parse().expect("an address"))).expect("there");
            let mut workers: Vec<_> = (0..PROCESSES).map(|_| Worker::start(&url, limit)).collect();
            let (mut batch, mut longest) = (0, Duration::ZERO);
            group.bench_function(BenchmarkId::new(name, format!("{limit} at a time")), |bencher| {
                bencher.iter_custom(|recordings| {
                    add(&databases.runtime, &store, &mut batch, recordings as usize);
                    let begun = Instant::now();
                    workers.iter_mut().for_each(Worker::begin);
                    let waits: Vec<_> = workers.iter_mut().map(Worker::wait).collect();
                    let time = begun.elapsed();
                    longest = waits.into_iter().fold(longest, Duration::max);
                    time
                });
            });
            println!("the longest wait for {name}: {longest:?}");
        }
    }
}

/// One claim among a thousand rows, and among a million.
fn claim(criterion: &mut Criterion) {
    let databases = Databases::new();
    let mut group = criterion.benchmark_group("claim");
    group.sample_size(20);
    for rows in [1_000, 1_000_000] {
        for (name, url) in databases.empty(&format!("claim {rows}")) {
            let store = databases.runtime.block_on(store::connect(&url.parse().expect("an address"))).expect("there");
            add(&databases.runtime, &store, &mut 0, rows);
            // Otherwise the first claims would include the checkpoint of the added rows.
            audit::execute(&url.parse().expect("an address"), ["PRAGMA wal_checkpoint(TRUNCATE)", "CHECKPOINT"]);
            group.bench_function(BenchmarkId::new(name, format!("{rows} rows")), |bencher| {
                bencher.iter_custom(|claims| databases.runtime.block_on(time_claims(&store, claims)));
            });
        }
    }
}

/// The time of `claims` claims of one recording each. The release of the claimed rows is not measured.
async fn time_claims(store: &Arc<Store>, claims: u64) -> Duration {
    let (worker, mut time, mut left) = (claimer("worker", "recipe"), Duration::ZERO, claims);
    while left > 0 {
        let now = left.min(CLAIMS);
        let mut keys = Vec::new();
        let begun = Instant::now();
        for _ in 0..now {
            keys.extend(store.claim(&worker, 1, Isolation::Shared).await.expect("a claim").into_iter().map(|c| c.key));
        }
        time += begun.elapsed();
        assert_eq!(keys.len() as u64, now, "there are enough rows to claim");
        store.release(&keys).await.expect("the claims are released");
        left -= now;
    }
    time
}

/// The speed of the disk: appends a page and syncs it.
fn disk(criterion: &mut Criterion) {
    let folder = folder();
    let mut file = File::create(folder.path().join("log")).expect("a new file");
    criterion.benchmark_group("disk").throughput(Throughput::Elements(1)).bench_function("page, synced", |bencher| {
        bencher.iter(|| {
            file.write_all(&[1; 4096]).expect("the disk has space");
            file.sync_data().expect("the disk works");
        });
    });
}

criterion_group!(benches, disk, claim, throughput);

fn main() {
    match (env::var(DATABASE), env::var(LIMIT)) {
        (Ok(url), Ok(limit)) => work(&url, limit.parse().expect("a number")),
        _ => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}
