//! A temporary PostgreSQL server, started from the installed binaries.
//!
//! `test.sh` starts one server for the whole run and names its socket's directory in [`SHARED`]. Without it, each test
//! process starts its own server, which takes about two seconds.
//!
//! A shell owns the server and waits for the end of its own standard input, which the starting process keeps open. So the
//! server stops and its directory is removed whether the tests pass, fail or are killed.

use std::{
    fs,
    io::Write,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};

/// Names the socket directory of a server that is already running.
const SHARED: &str = "PREPARE_AUDIO_TEST_POSTGRES";

/// A password in every address of the test server, which requires none. It must never appear in a message.
pub const PASSWORD: &str = "gold-und-silber";

const REQUIRE: &str = "PREPARE_AUDIO_REQUIRE_POSTGRES";

const RUN: &str = include_str!("postgres.sh");

/// Settings of a server whose data need not survive a crash.
const FAST: [&str; 6] = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"];

/// A running server.
pub struct Server {
    folder: PathBuf,
    /// Its standard input keeps the server alive. `None` for a server that another process started.
    shell: Option<Child>,
}

impl Server {
    /// The shared server, or one for this process. `None`, with a message, if PostgreSQL is not installed.
    pub fn get() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<Server>> = OnceLock::new();
        SERVER
            .get_or_init(|| {
                if let Some(folder) = std::env::var_os(SHARED) {
                    return Some(Self { folder: folder.into(), shell: None });
                }
                find_binaries().map(|binaries| Self::start(&binaries, &std::env::temp_dir(), &FAST)).or_else(skip)
            })
            .as_ref()
    }

    /// A separate server with PostgreSQL's default durability, whose data is in `folder`.
    #[allow(dead_code, reason = "used by benches/queue.rs")]
    pub fn durable(folder: &Path) -> Option<Self> {
        find_binaries().map(|binaries| Self::start(&binaries, folder, &[])).or_else(skip)
    }

    /// Address of a new, empty database.
    pub async fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.options("postgres").connect().await.expect("the test server answers");
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        self.url(&name)
    }

    /// The folder of its socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@localhost/{database}?host={}", self.folder.display())
    }

    fn options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::from_str(&self.url(database)).unwrap()
    }

    /// Starts a server whose data is in `parent`. Its socket is elsewhere, because the socket's path must be short.
    fn start(binaries: &Path, parent: &Path, settings: &[&str]) -> Self {
        let new = |parent: &Path| tempfile::Builder::new().prefix("pa-pg-").tempdir_in(parent).unwrap().keep();
        let (folder, data) = (new(&std::env::temp_dir()), new(parent));
        let mut shell = Command::new("sh");
        shell.args(["-c", RUN, "sh"]).arg(binaries).args([&folder, &data]).args(settings).current_dir(&folder);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // PostgreSQL refuses to run as root.
        if let Some((uid, gid)) = unprivileged_user() {
            [&folder, &data].iter().for_each(|folder| chown(folder, Some(uid), Some(gid)).unwrap());
            shell.uid(uid).gid(gid);
        }
        let shell = shell.spawn().expect("sh starts");
        let mut server = Self { folder, shell: Some(shell) };
        server.wait();
        server
    }

    /// Waits until the server accepts connections.
    fn wait(&mut self) {
        let begun = Instant::now();
        while !self.answers() {
            let ended = self.shell.as_mut().is_some_and(|shell| shell.try_wait().unwrap().is_some());
            if ended || begun.elapsed() > Duration::from_secs(120) {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("the test server did not start:\n{log}");
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        let options = self.options("postgres");
        let connect =
            || super::test_database::runtime().block_on(async move { options.connect().await?.close().await });
        // In another thread, because the caller may be inside a runtime already.
        self.folder.join(".s.PGSQL.5432").exists() && std::thread::spawn(connect).join().unwrap().is_ok()
    }
}

/// The folder with `initdb` and `postgres`.
pub fn find_binaries() -> Option<PathBuf> {
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    configured
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain(debian)
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// Prints that tests are skipped, or fails if they are required.
pub fn skip<T>() -> Option<T> {
    if std::env::var_os(REQUIRE).is_some_and(|value| value == "1") {
        panic!("{REQUIRE}=1, but PostgreSQL (initdb and postgres) is not installed");
    }
    // Not eprintln!, whose output the test harness discards if the test passes.
    let _ = writeln!(
        std::io::stderr(),
        "\n!!! PostgreSQL is not installed: EVERY TEST ON POSTGRESQL IS SKIPPED.\n\
         !!! Install it (initdb and postgres), or set {REQUIRE}=1 to make this a failure.\n"
    );
    None
}

/// User and group to run the server as, if the tests run as root.
pub fn unprivileged_user() -> Option<(u32, u32)> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    ["postgres", "nobody"].iter().find_map(|name| {
        let mut fields = users.lines().find(|line| line.starts_with(&format!("{name}:")))?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
