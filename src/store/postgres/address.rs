//! The address of a database on a PostgreSQL server, with the parameters that libpq has.
//!
//! sqlx reads most of an address. What it does not know it would only log, with its value, so each parameter is looked at
//! here first.

use std::{fmt, str::FromStr, time::Duration};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::startup_options;
use crate::store::StoreError;

/// How long a server may take to answer a first call, if the address does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What stands for `connect_timeout=0`, which libpq takes for no limit: the operating system gives up earlier.
const NO_TIMEOUT: Duration = Duration::from_secs(600);

/// Parameters that sqlx reads.
const OF_SQLX: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Parameters of libpq that are accepted and change nothing. Dead connections are noticed by the time limits of the calls,
/// and Kerberos encryption is never used.
const WITHOUT_EFFECT: [&str; 10] = [
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "gssencmode",
    "sslcompression",
    "sslsni",
    "fallback_application_name",
    "load_balance_hosts",
];

/// Which kind of session the server must offer: `target_session_attrs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetSession {
    /// Any.
    #[default]
    Any,
    /// One that can write.
    ReadWrite,
    /// One that cannot.
    ReadOnly,
    /// One on a primary.
    Primary,
    /// One on a standby.
    Standby,
}

/// Address of a database on a PostgreSQL server. It holds the password; `Display` and `Debug` never show it.
#[derive(Clone)]
pub struct PostgresAddress {
    options: PgConnectOptions,
    /// The same without startup options, for poolers that refuse them.
    without_startup_options: PgConnectOptions,
    startup_options: Vec<(String, String)>,
    connect_timeout: Option<Duration>,
    target_session: TargetSession,
    is_pooled: Option<bool>,
}

impl PostgresAddress {
    /// How to connect.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// How to connect to a pooler that refuses `options`.
    pub(super) fn without_startup_options(&self) -> &PgConnectOptions {
        &self.without_startup_options
    }

    /// The settings in `options`, as `search_path`, with their values.
    pub(super) fn startup_options(&self) -> &[(String, String)] {
        &self.startup_options
    }

    /// How long connecting may take.
    pub(in crate::store) fn connect_timeout(&self) -> Duration {
        self.connect_timeout.unwrap_or(CONNECT_TIMEOUT)
    }

    /// The same, if the address says.
    pub(super) fn stated_connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    /// Which kind of session the server must offer.
    pub(super) fn target_session(&self) -> TargetSession {
        self.target_session
    }

    /// Whether a pooler in transaction mode is between the program and the server, if the address says.
    pub(super) fn is_pooled(&self) -> Option<bool> {
        self.is_pooled
    }
}

/// The parameters that sqlx does not read.
#[derive(Default)]
struct Parameters {
    connect_timeout: Option<Duration>,
    target_session: TargetSession,
    is_pooled: Option<bool>,
    startup_options: Vec<(String, String)>,
    /// The server's certificate must be verified.
    is_verified: bool,
    /// It must be encrypted.
    is_encrypted: bool,
}

impl Parameters {
    /// Reads one parameter. Returns whether sqlx has to read it, too.
    fn read(&mut self, key: &str, value: &str) -> Result<bool, StoreError> {
        let wrong = |expected: &str| {
            Err(StoreError::Url(format!("the PostgreSQL address has {key}={value}; {key} takes {expected}")))
        };
        match (key, value) {
            ("connect_timeout", seconds) => match seconds.parse::<i32>() {
                Ok(seconds) if seconds <= 0 => self.connect_timeout = Some(NO_TIMEOUT),
                Ok(seconds) => self.connect_timeout = Some(Duration::from_secs(u64::from(seconds.unsigned_abs()))),
                Err(_) => return wrong("a number of seconds"),
            },
            ("target_session_attrs", kind) => {
                self.target_session = match kind {
                    "any" | "prefer-standby" => TargetSession::Any,
                    "read-write" => TargetSession::ReadWrite,
                    "read-only" => TargetSession::ReadOnly,
                    "primary" => TargetSession::Primary,
                    "standby" => TargetSession::Standby,
                    _ => return wrong("any, read-write, read-only, primary, standby or prefer-standby"),
                }
            }
            // The binding proves that the server that checks the password also owns the certificate of the connection. The
            // driver cannot do that. Verifying the certificate keeps the same attackers away.
            ("channel_binding", "require") => self.is_verified = true,
            ("channel_binding", "prefer" | "disable") => {}
            ("channel_binding", _) => return wrong("disable, prefer or require"),
            // Only saves a round trip: a server that knows it knows the older negotiation as well.
            ("sslnegotiation", "direct") => self.is_encrypted = true,
            ("sslnegotiation", "postgres") => {}
            ("sslnegotiation", _) => return wrong("postgres or direct"),
            // The system's certificates are used in any case.
            ("sslrootcert", "system") => self.is_verified = true,
            ("pgbouncer", "true") => self.is_pooled = Some(true),
            ("pgbouncer", "false") => self.is_pooled = Some(false),
            ("pgbouncer", _) => return wrong("true or false"),
            ("gssencmode", "require") => {
                return Err(StoreError::Url("prepare-audio cannot encrypt by GSSAPI (gssencmode=require)".to_owned()));
            }
            ("options", value) => {
                self.startup_options.extend(startup_options::parse(value));
                return Ok(true);
            }
            (key, value) if key.starts_with("options[") => {
                let name = key.trim_start_matches("options[").trim_end_matches(']');
                self.startup_options.push((name.to_owned(), value.to_owned()));
                return Ok(true);
            }
            (key, _) if OF_SQLX.contains(&key) => return Ok(true),
            (key, _) if WITHOUT_EFFECT.contains(&key) => {}
            _ => {
                return Err(StoreError::Url(format!(
                    "the PostgreSQL address has a parameter that prepare-audio does not know: {key}"
                )));
            }
        }
        Ok(false)
    }

    /// Applies what the parameters say about encryption.
    fn secure(&self, options: PgConnectOptions) -> Result<PgConnectOptions, StoreError> {
        let is_disabled = matches!(options.get_ssl_mode(), PgSslMode::Disable | PgSslMode::Allow);
        if is_disabled && (self.is_verified || self.is_encrypted) {
            let cause = "the PostgreSQL address asks for TLS (by channel_binding, sslnegotiation or sslrootcert) and forbids it (by \
                         sslmode): leave one out";
            return Err(StoreError::Url(cause.to_owned()));
        }
        Ok(match options.get_ssl_mode() {
            PgSslMode::Prefer | PgSslMode::Require if self.is_verified => options.ssl_mode(PgSslMode::VerifyFull),
            PgSslMode::Prefer if self.is_encrypted => options.ssl_mode(PgSslMode::Require),
            _ => options,
        })
    }
}

impl FromStr for PostgresAddress {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        refuse_unescaped(text)?;
        refuse_several_hosts(text)?;
        let (address, query) = text.split_once('?').unwrap_or((text, ""));
        let mut parameters = Parameters::default();
        let (mut for_sqlx, mut without_options) = (Vec::new(), Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if parameters.read(key, &percent_decoded(value))? {
                for_sqlx.push(pair);
                without_options.extend((!key.starts_with("options")).then_some(pair));
            }
        }
        let read = |pairs: &[&str]| {
            let options = PgConnectOptions::from_str(&format!("{address}?{}", pairs.join("&")));
            let options = options.map_err(|error| unreadable(&error))?;
            // Since PostgreSQL 12 its default is exact, and poolers refuse a startup parameter that they do not know.
            let options = parameters.secure(options.extra_float_digits(None))?;
            Ok::<_, StoreError>(match options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
                Some(host) => options.clone().host(host),
                None => options,
            })
        };
        let (options, without_startup_options) = (read(&for_sqlx)?, read(&without_options)?);
        let Parameters { connect_timeout, target_session, is_pooled, startup_options, .. } = parameters;
        Ok(Self { options, without_startup_options, startup_options, connect_timeout, target_session, is_pooled })
    }
}

/// The text of the address stays out of the message: it may hold a password in an unexpected place.
fn unreadable(error: &sqlx::Error) -> StoreError {
    StoreError::Url(format!(
        "the PostgreSQL address cannot be read: {error}. It should look like postgres://USER:PASSWORD@HOST:PORT/NAME, \
         special characters in the password written as %XX"
    ))
}

/// Refuses an address in which a part of the password would be read as host, port, name or parameter, and be shown.
fn refuse_unescaped(text: &str) -> Result<(), StoreError> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_whole = !rest[authority.len()..].contains('@') && authority.matches('@').count() <= 1;
    let is_plain = !rest.contains(|c: char| c.is_whitespace() || c.is_control());
    if is_whole && is_plain {
        return Ok(());
    }
    Err(StoreError::Url(
        "the PostgreSQL address cannot be read: its user or password holds a character that must be written as %XX \
         (/ as %2F, @ as %40, ? as %3F, # as %23, a space as %20)"
            .to_owned(),
    ))
}

fn refuse_several_hosts(text: &str) -> Result<(), StoreError> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.contains(',') {
        return Err(StoreError::Url(
            "the PostgreSQL address names several hosts; prepare-audio takes one. Give the one that can write, or a name that \
             follows it"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Decodes `%XX`, and `+` as in a form, which is how sqlx reads parameters.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
            }
            _ => None,
        };
        let (byte, len) = match (first, escaped) {
            (_, Some(byte)) => (byte, 3),
            (b'+', None) => (b' ', 1),
            (other, None) => (*other, 1),
        };
        bytes.push(byte);
        rest = &rest[len..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.options;
        let name = options.get_database().unwrap_or(options.get_username());
        write!(f, "postgres://{}@", options.get_username())?;
        match (options.get_socket(), options.get_host()) {
            (Some(folder), _) => write!(f, "/{name}?host={}", folder.display()),
            (None, host) if host.contains(':') => write!(f, "[{host}]:{}/{name}", options.get_port()),
            (None, host) => write!(f, "{host}:{}/{name}", options.get_port()),
        }
    }
}

impl fmt::Debug for PostgresAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(parameters: &str) -> PostgresAddress {
        format!("postgres://me:secret@db.example/queue?{parameters}").parse().unwrap()
    }

    #[test]
    fn takes_the_parameters_of_libpq() {
        assert_eq!(address("").connect_timeout(), CONNECT_TIMEOUT);
        assert_eq!(address("connect_timeout=3").connect_timeout(), Duration::from_secs(3));
        assert_eq!(address("connect_timeout=0").connect_timeout(), NO_TIMEOUT);
        assert_eq!(address("target_session_attrs=read-write").target_session(), TargetSession::ReadWrite);
        assert_eq!(address("target_session_attrs=prefer-standby").target_session(), TargetSession::Any);
        assert_eq!((address("pgbouncer=true").is_pooled(), address("").is_pooled()), (Some(true), None));
        address("keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3&tcp_user_timeout=0");
        address("gssencmode=disable&sslcompression=0&sslsni=1&application_name=x");
    }

    #[test]
    fn what_asks_for_encryption_gets_it() {
        for (parameters, mode) in [
            ("", PgSslMode::Prefer),
            ("sslmode=require&channel_binding=require", PgSslMode::VerifyFull), // as Neon writes it
            ("sslmode=verify-ca&channel_binding=require", PgSslMode::VerifyCa),
            ("channel_binding=prefer", PgSslMode::Prefer),
            ("sslnegotiation=direct", PgSslMode::Require),
            ("sslnegotiation=postgres", PgSslMode::Prefer),
            ("sslrootcert=system", PgSslMode::VerifyFull),
        ] {
            let found = address(parameters).options().get_ssl_mode();
            assert_eq!(format!("{found:?}"), format!("{mode:?}"), "{parameters}");
        }
        for refused in ["sslmode=disable&channel_binding=require", "channel_binding=yes", "gssencmode=require"] {
            let error = format!("postgres://me:secret@db/queue?{refused}").parse::<PostgresAddress>().unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_schema_of_ones_own_is_read_in_each_spelling() {
        for options in ["options=-csearch_path=mine", "options=-c%20search_path%3Dmine", "options[search_path]=mine"] {
            let address = address(options);
            assert_eq!(address.startup_options(), [("search_path".to_owned(), "mine".to_owned())], "{options}");
            assert!(address.options().get_options().unwrap().contains("search_path=mine"));
            assert_eq!(address.without_startup_options().get_options(), None);
        }
    }

    #[test]
    fn ipv6_addresses_are_written_in_brackets() {
        let address: PostgresAddress = "postgres://me@[::1]:5433/queue".parse().unwrap();
        assert_eq!((address.options().get_host(), address.options().get_port()), ("::1", 5433));
        assert_eq!(address.to_string(), "postgres://me@[::1]:5433/queue");
        let error = "postgres://me:secret@a:5432,b:5432/queue".parse::<PostgresAddress>().unwrap_err();
        assert!(error.to_string().contains("several hosts"), "{error}");
    }
}
