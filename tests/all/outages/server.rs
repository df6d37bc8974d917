//! A PostgreSQL server that a test can stop and start.

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

/// Runs the server until the shell's standard input ends, which happens however the tests end. Then all of its processes
/// stop immediately, as in a power failure.
const RUN: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c "listen_addresses=$3" -p "$4" >>"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
"#;

/// How long a server may take to start.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server for one test, with PostgreSQL's default settings.
pub struct OwnServer {
    folder: TempDir,
    binaries: PathBuf,
    /// A TCP address to listen on besides the socket, and the network namespace that has it.
    network: Option<(String, String)>,
    /// Where it listens in the namespace of the tests.
    addresses: &'static str,
    port: u16,
    shell: Option<Child>,
}

impl OwnServer {
    /// A server that is not started yet. `None`, with a message, if PostgreSQL is not installed.
    pub fn new(network: Option<(String, String)>) -> Option<Self> {
        let Some(binaries) = find_binaries() else { return skip() };
        let folder = tempfile::Builder::new().prefix("pa-own-").tempdir().unwrap();
        let server = Self { folder, binaries, network, addresses: "", port: 5432, shell: None };
        if let Some((uid, gid)) = unprivileged_user() {
            chown(server.folder(), Some(uid), Some(gid)).unwrap();
        }
        let mut initdb = server.unprivileged(Command::new(server.binaries.join("initdb")));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]);
        let output = initdb.arg(server.folder().join("data")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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

    /// Runs a command in the server's folder as an unprivileged user, because PostgreSQL refuses to run as root.
    fn unprivileged(&self, mut command: Command) -> Command {
        command.current_dir(self.folder());
        if let Some((uid, gid)) = unprivileged_user() {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Starts the server without waiting until it accepts connections.
    pub fn launch(&mut self) {
        let address = self.network.as_ref().map_or(self.addresses, |(address, _)| address);
        let mut shell = match &self.network {
            None => self.unprivileged(Command::new("sh")),
            Some((_, namespace)) => {
                let mut command = Command::new("ip");
                let (uid, gid) = unprivileged_user().expect("only root can create network namespaces");
                command.args(["netns", "exec", namespace, "setpriv", "--clear-groups"]).current_dir(self.folder());
                command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "sh".to_owned()]);
                command
            }
        };
        shell.args(["-c", RUN, "sh"]).arg(&self.binaries).arg(self.folder()).arg(address).arg(self.port.to_string());
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        self.shell = Some(shell.spawn().unwrap());
    }

    /// Starts the server, and waits until it accepts connections.
    pub fn start(&mut self) {
        self.launch();
        self.wait();
    }

    /// Waits until the server accepts connections. Returns how long that took.
    pub fn wait(&self) -> Duration {
        wait(TIMEOUT, "the server accepts connections", || self.answers())
    }

    fn answers(&self) -> bool {
        let options: PgConnectOptions = self.at_socket("postgres").parse().unwrap();
        runtime().block_on(async move { options.connect().await?.close().await }).is_ok()
    }

    /// Stops the server as `pg_ctl -m immediate` does: connections are not closed, and nothing is flushed.
    pub fn stop_immediately(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            shell.wait().unwrap();
        }
    }

    /// The address of a database at the server's socket.
    pub fn at_socket(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}&port={}", self.folder().display(), self.port)
    }

    /// Creates a database.
    pub fn create_database(&self, database: &str) {
        let options: PgConnectOptions = self.at_socket("postgres").parse().unwrap();
        runtime().block_on(async {
            let mut connection = options.connect().await.unwrap();
            let create = AssertSqlSafe(format!("CREATE DATABASE {database}"));
            sqlx::query(create).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- server\n{}", fs::read_to_string(self.folder().join("log")).unwrap_or_default());
        }
        self.stop_immediately();
    }
}
