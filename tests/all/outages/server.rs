//! A PostgreSQL server that can be stopped and started.

use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};
use tempfile::TempDir;

use super::scenario::wait;
use crate::support::{
    postgres::{find_binaries, skip, unprivileged_user},
    test_database::runtime,
};

/// Runs the server until the shell's standard input ends, as it does when the tests end in whatever way. Then all its
/// processes stop where they are, as when the power fails.
const RUN: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c "listen_addresses=$3" -p "$4" >>"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
"#;

/// How long a server may take to come up.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server of one test's own, with the settings that PostgreSQL comes with.
pub struct OwnServer {
    folder: TempDir,
    binaries: PathBuf,
    /// Where it listens beside its socket: an address, and the network namespace that has it.
    network: Option<(String, String)>,
    /// Where it listens in the namespace of the tests.
    addresses: &'static str,
    port: u16,
    shell: Option<Child>,
}

impl OwnServer {
    /// A server that was never started. `None`, with a message, where PostgreSQL is not installed.
    pub fn new(network: Option<(String, String)>) -> Option<Self> {
        let Some(binaries) = find_binaries() else { return skip() };
        let folder = tempfile::Builder::new().prefix("pa-own-").tempdir().unwrap();
        let server = Self { folder, binaries, network, addresses: "", port: 5432, shell: None };
        if let Some((uid, gid)) = unprivileged_user() {
            chown(server.folder(), Some(uid), Some(gid)).unwrap();
        }
        let mut initdb = server.as_somebody(Command::new(server.binaries.join("initdb")));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
        let told = initdb.arg(server.folder().join("data")).output().unwrap();
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let access = server.folder().join("data/pg_hba.conf");
        fs::write(access, "local all all trust\nhost all all all trust\n").unwrap();
        Some(server)
    }

    /// A server with TLS on the loopback addresses `addresses`, with `server.crt` and `server.key` of `certificates`.
    pub fn with_tls(certificates: &Path, addresses: &'static str) -> Option<Self> {
        let mut server = Self::new(None)?;
        let data = server.folder().join("data");
        for name in ["server.crt", "server.key"] {
            let file = data.join(name);
            fs::copy(certificates.join(name), &file).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            if let Some((uid, gid)) = unprivileged_user() {
                chown(&file, Some(uid), Some(gid)).unwrap();
            }
        }
        fs::write(data.join("postgresql.auto.conf"), "ssl = on\n").unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        (server.addresses, server.port) = (addresses, free);
        server.start();
        Some(server)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// PostgreSQL refuses to run as root.
    fn as_somebody(&self, mut command: Command) -> Command {
        command.current_dir(self.folder());
        if let Some((uid, gid)) = unprivileged_user() {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Starts it, and does not wait until it takes connections.
    pub fn launch(&mut self) {
        let address = self.network.as_ref().map_or(self.addresses, |(address, _)| address);
        let mut shell = match &self.network {
            None => self.as_somebody(Command::new("sh")),
            Some((_, namespace)) => {
                let mut command = Command::new("ip");
                let (uid, gid) = unprivileged_user().expect("only root makes network namespaces");
                command.args(["netns", "exec", namespace, "setpriv", "--clear-groups"]).current_dir(self.folder());
                command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "sh".to_owned()]);
                command
            }
        };
        shell.args(["-c", RUN, "sh"]).arg(&self.binaries).arg(self.folder()).arg(address).arg(self.port.to_string());
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.shell = Some(shell.spawn().unwrap());
    }

    /// Starts it, and waits.
    pub fn start(&mut self) {
        self.launch();
        self.wait();
    }

    /// Waits until it takes connections; returns how long that took.
    pub fn wait(&self) -> Duration {
        wait(TIMEOUT, "the server takes connections", || self.answers())
    }

    fn answers(&self) -> bool {
        let options: PgConnectOptions = self.at_socket("postgres").parse().unwrap();
        runtime().block_on(async move { options.connect().await?.close().await }).is_ok()
    }

    /// `pg_ctl -m immediate`: no connection is ended, nothing is written that was not yet.
    pub fn stop_at_once(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            shell.wait().unwrap();
        }
    }

    /// The address of a database, by the server's socket.
    pub fn at_socket(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}&port={}", self.folder().display(), self.port)
    }

    /// Makes a database.
    pub fn make(&self, database: &str) {
        let options: PgConnectOptions = self.at_socket("postgres").parse().unwrap();
        runtime().block_on(async {
            let mut connection = options.connect().await.unwrap();
            let make = AssertSqlSafe(format!("CREATE DATABASE {database}"));
            sqlx::query(make).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- server\n{}", fs::read_to_string(self.folder().join("log")).unwrap_or_default());
        }
        self.stop_at_once();
    }
}
