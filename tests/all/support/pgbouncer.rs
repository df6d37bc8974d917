//! PgBouncer in transaction mode, as it is configured by default, in front of the test server.
//!
//! A shell owns it and waits for the end of its own standard input, which the test process holds open. So it stops however
//! the tests end.

use std::{
    fs,
    io::Write,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::postgres::{Server, unprivileged_user};

const REQUIRE: &str = "PREPARE_AUDIO_REQUIRE_PGBOUNCER";

const RUN: &str = r#"
"$1" -q "$2/pgbouncer.ini" &
pooler=$!
cat >/dev/null
kill $pooler
wait $pooler
"#;

/// A running PgBouncer.
pub struct Pooler {
    folder: TempDir,
    /// Its standard input keeps it alive.
    _shell: Child,
}

impl Pooler {
    /// The pooler of this process. `None`, with a message, where PgBouncer is not installed.
    pub fn get(server: &Server) -> Option<&'static Self> {
        static POOLER: OnceLock<Option<Pooler>> = OnceLock::new();
        POOLER.get_or_init(|| find().map(|binary| Self::start(&binary, server)).or_else(skip)).as_ref()
    }

    /// The address of a database of the server, through the pooler.
    pub fn url(&self, direct: &str) -> String {
        let (before, _) = direct.split_once("?host=").expect("it names the server's socket");
        format!("{}?host={}&port=6432", before, self.folder.path().display())
    }

    fn start(binary: &Path, server: &Server) -> Self {
        let folder = tempfile::Builder::new().prefix("pa-bouncer-").tempdir().unwrap();
        // Few connections to the server, so that they go from one client to the other.
        let settings = format!(
            "[databases]\n* = host={} user=postgres\n[pgbouncer]\npool_mode = transaction\nauth_type = any\n\
             unix_socket_dir = {folder}\nlisten_port = 6432\nlogfile = {folder}/log\nmax_client_conn = 500\n\
             default_pool_size = 6\n",
            server.folder().display(),
            folder = folder.path().display(),
        );
        fs::write(folder.path().join("pgbouncer.ini"), settings).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", RUN, "sh"]).arg(binary).arg(folder.path()).current_dir(folder.path());
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // It refuses to run as root.
        if let Some((uid, gid)) = unprivileged_user() {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
            chown(folder.path().join("pgbouncer.ini"), Some(uid), Some(gid)).unwrap();
            shell.uid(uid).gid(gid);
        }
        let pooler = Self { _shell: shell.spawn().expect("a shell is there"), folder };
        let begun = Instant::now();
        while !pooler.folder.path().join(".s.PGSQL.6432").exists() {
            let log = || fs::read_to_string(pooler.folder.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(60), "PgBouncer did not start:\n{}", log());
            sleep(Duration::from_millis(20));
        }
        pooler
    }
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join("pgbouncer")).find(|file| file.is_file())
}

fn skip<T>() -> Option<T> {
    if std::env::var_os(REQUIRE).is_some_and(|value| value == "1") {
        panic!("{REQUIRE}=1, but PgBouncer is not installed");
    }
    let _ = writeln!(std::io::stderr(), "\n!!! PgBouncer is not installed: THE TESTS THROUGH IT ARE LEFT OUT.\n");
    None
}
