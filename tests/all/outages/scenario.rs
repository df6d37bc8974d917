//! A queue of recordings, and the processes that prepare it.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use prepare_audio::store::{self, DatabaseUrl};

use crate::support::{
    audit::{self, Expected},
    postgres::Server,
    recordings::create_recordings,
    test_database::runtime,
    test_dir::TestDir,
};

/// How often [`wait`] checks its condition.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long a run may take to finish its work.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A folder of recordings, an empty queue, and the expected segments.
pub struct Scenario {
    pub dir: TestDir,
    pub output: PathBuf,
    pub address: String,
    pub url: DatabaseUrl,
    sources: Vec<String>,
    expected: Expected,
}

impl Scenario {
    /// With an SQLite file.
    pub fn sqlite(recordings: usize) -> Self {
        let dir = TestDir::new();
        let address = format!("sqlite://{}", dir.path("queue.db").display());
        Self::at(dir, address, recordings)
    }

    /// With a database of the server that all tests share; `None` if PostgreSQL is not installed.
    pub fn postgres(recordings: usize) -> Option<Self> {
        let address = runtime().block_on(Server::get()?.database());
        Some(Self::at(TestDir::new(), address, recordings))
    }

    /// With the database at `address`, in which it creates the tables.
    pub fn at(dir: TestDir, address: String, recordings: usize) -> Self {
        let url: DatabaseUrl = address.parse().unwrap();
        runtime().block_on(async { store::connect(&url).await.unwrap().close().await });
        audit::watch(&url);
        let (sources, expected) = create_recordings(&dir, recordings);
        Self { output: dir.path("segments"), dir, address, url, sources, expected }
    }

    /// Adds the next `number` recordings by plain SQL. Each becomes available `every` after the previous one, so that a run
    /// takes as long on a fast machine as on a slow one.
    pub fn add(&self, number: usize, every: Duration) {
        let (now, known) = (now_ms(), self.count("source LIKE 'in/%'") as usize);
        let row =
            |(n, source): (usize, &String)| format!("('{source}', {})", now + n as i64 * every.as_millis() as i64);
        let rows: Vec<_> = self.sources[known..known + number].iter().enumerate().map(row).collect();
        self.change(&format!("INSERT INTO recording (source, available_at) VALUES {} RETURNING id", rows.join(", ")));
    }

    /// Runs a statement that returns ids.
    pub fn change(&self, sql: &str) -> Vec<i64> {
        audit::rows::<(i64,)>(&self.url, sql).into_iter().map(|(id,)| id).collect()
    }

    /// The number of recordings that satisfy an SQL condition.
    pub fn count(&self, condition: &str) -> i64 {
        self.change(&format!("SELECT COUNT(*) FROM recording WHERE {condition}"))[0]
    }

    pub fn done(&self) -> i64 {
        self.count("state = 'done'")
    }

    /// Waits until at least `number` recordings are done. Returns how long that took.
    #[track_caller]
    pub fn wait_for_done(&self, number: i64, within: Duration) -> Duration {
        wait(within, &format!("{number} recordings are done"), || self.done() >= number)
    }

    /// Starts `fetch`, whose log is the file `name`.
    pub fn fetch(&self, name: &str, more: &[&str]) -> Fetch {
        self.fetch_as(name, more, |_| {})
    }

    /// Starts `fetch` after `change` has changed the command.
    pub fn fetch_as(&self, name: &str, more: &[&str], change: impl FnOnce(&mut Command)) -> Fetch {
        let mut command = self.dir.command(&self.arguments(more));
        change(&mut command);
        Fetch::start(command, self.dir.path(name))
    }

    pub fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let common = ["fetch", "--json", "--database", &self.address, "--output", self.output.to_str().unwrap()];
        [&common[..], more].concat()
    }

    /// Fails unless every recording is done, the audit finds no violation, and no temporary file is left.
    #[track_caller]
    pub fn assert_complete(&self) {
        let audit = audit::audit(&self.url, &self.output, &self.expected);
        audit.assert_clean();
        assert_eq!(audit.temporary, 0, "no temporary file is left");
    }

    /// Fails if a recording has more than one attempt or a crash.
    #[track_caller]
    pub fn assert_no_attempt_counted(&self) {
        let rows = "SELECT id, source, state, attempts, crashes, COALESCE(error, '') FROM recording
                    WHERE attempts <> 1 OR crashes <> 0";
        let charged: Vec<(i64, String, String, i64, i64, String)> = audit::rows(&self.url, rows);
        assert!(charged.is_empty(), "attempts or crashes were counted: {charged:?}");
    }
}

/// A process that prepares a queue. It is killed when this is dropped.
pub struct Fetch {
    process: Child,
    log: PathBuf,
}

impl Fetch {
    pub fn start(mut command: Command, log: PathBuf) -> Self {
        let process = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
        Self { process, log }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// How often its log has this text.
    pub fn log_count(&self, words: &str) -> usize {
        self.log().matches(words).count()
    }

    /// Fails if the process has ended.
    #[track_caller]
    pub fn assert_running(&mut self) {
        let ended = self.process.try_wait().unwrap();
        assert!(ended.is_none(), "the process ended: {ended:?}\n{}", self.log());
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the process ends, and fails if that is not with `code` and in time. Returns how long it took.
    #[track_caller]
    pub fn ends(&mut self, code: i32, within: Duration) -> Duration {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                assert_eq!(status.code(), Some(code), "{}", self.log());
                return begun.elapsed();
            }
            assert!(begun.elapsed() < within, "the process does not end within {within:?}\n{}", self.log());
            sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- {}\n{}", self.log.display(), self.log());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until a condition is true. Returns how long that took.
#[track_caller]
pub fn wait(within: Duration, what: &str, is_true: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < within, "after {within:?} this is not true: {what}");
        sleep(POLL_INTERVAL);
    }
    begun.elapsed()
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

/// Waits until all processes have ended with `code`.
#[track_caller]
pub fn all_end(fleet: &mut [Fetch], code: i32, within: Duration) {
    for fetch in fleet {
        fetch.ends(code, within);
    }
}
