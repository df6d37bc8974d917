//! Encrypted connections, and which certificates of a server are accepted. `openssl` makes them.

use std::{net::TcpListener, path::Path, process::Command};

use prepare_audio::store::{self, StoreError};
use tempfile::TempDir;

use super::server::OwnServer;
use crate::support::test_database::runtime;

const NAMES: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1";

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output();
    let output = output.expect("openssl is installed beside PostgreSQL");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A root of one's own, and a server's certificate that it signed.
fn signed_by_own_root() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let new = "req -x509 -newkey rsa:2048 -nodes -days 2";
    openssl(folder.path(), &format!("{new} -subj /CN=root -keyout root.key -out root.crt"));
    openssl(folder.path(), "req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr");
    std::fs::write(folder.path().join("names"), NAMES).unwrap();
    openssl(
        folder.path(),
        "x509 -req -in server.csr -CA root.crt -CAkey root.key -CAcreateserial -days 2 -extfile names -out server.crt",
    );
    folder
}

/// A server's certificate that signed itself.
fn self_signed(is_authority: bool) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let authority = if is_authority { "TRUE" } else { "FALSE" };
    openssl(
        folder.path(),
        &format!(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server -addext {NAMES} \
             -addext basicConstraints=critical,CA:{authority} -keyout server.key -out server.crt"
        ),
    );
    folder
}

fn open(server: &OwnServer, host: &str, parameters: &str) -> Result<(), StoreError> {
    let url = format!("postgres://postgres@{host}:{}/postgres?{parameters}", server.port());
    runtime().block_on(async { store::connect(&url.parse().unwrap()).await.map(drop) })
}

#[test]
fn certificates_are_verified_as_the_address_says() {
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    let folder = signed_by_own_root();
    let addresses = if has_ipv6 { "127.0.0.1,::1" } else { "127.0.0.1" };
    let Some(server) = OwnServer::with_tls(folder.path(), addresses) else { return };
    let root = format!("sslrootcert={}", folder.path().join("root.crt").display());
    for parameters in [
        "sslmode=require".to_owned(),
        "sslnegotiation=direct".to_owned(),
        format!("sslmode=verify-ca&{root}"),
        format!("sslmode=verify-full&{root}"),
        format!("sslmode=require&channel_binding=require&{root}"),
    ] {
        for host in ["localhost", "127.0.0.1", "[::1]"].into_iter().filter(|host| has_ipv6 || !host.contains(':')) {
            open(&server, host, &parameters).unwrap_or_else(|error| panic!("{host} {parameters}: {error}"));
        }
    }
    // Neither the system nor a given root knows the server's certificate.
    for parameters in ["sslmode=verify-full", "sslmode=require&channel_binding=require", "sslrootcert=system"] {
        let error = open(&server, "localhost", parameters).unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("database_unreachable", false), "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[test]
fn a_certificate_that_signs_itself_is_its_own_root() {
    let folder = self_signed(false);
    let Some(server) = OwnServer::with_tls(folder.path(), "127.0.0.1") else { return };
    let parameters =
        |folder: &TempDir| format!("sslmode=verify-full&sslrootcert={}", folder.path().join("server.crt").display());
    open(&server, "localhost", &parameters(&folder)).unwrap();
    let folder = self_signed(true);
    let Some(server) = OwnServer::with_tls(folder.path(), "127.0.0.1") else { return };
    let error = open(&server, "localhost", &parameters(&folder)).unwrap_err().to_string();
    assert!(error.contains("basicConstraints=CA:FALSE"), "{error}");
}
