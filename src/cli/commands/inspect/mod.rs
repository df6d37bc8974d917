//! `prepare-audio inspect`: serves pages to look at recordings, to listen to them, and to try other parameters.

mod args;
mod resegment_command;

use std::{net::Ipv4Addr, path::Path, process::ExitCode, time::Duration};

use prepare_audio::{
    inspect::{self, Settings},
    store::DatabaseUrl,
    web::{Limits, Server},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub use self::args::{Args, HELP};
use crate::cli::{args::GlobalArgs, database, exit, stdout::print_line};

/// How long a connection may last: a player keeps one open while it plays.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(3600);

/// How long answers may go on after Ctrl-C. A player that is paused would wait for ever.
const GRACE: Duration = Duration::from_millis(300);

/// Runs the command until Ctrl-C.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<ExitCode> {
    let store = database::connect_existing(global).await?;
    let refused = |error| exit::Usage(format!("--port: cannot listen on 127.0.0.1:{}: {error}", args.port));
    let limits = Limits { connection_timeout: CONNECTION_TIMEOUT, ..Limits::default() };
    let server = Server::bind((Ipv4Addr::LOCALHOST, args.port).into(), limits).await.map_err(refused)?;
    let port = server.address()?.port();
    let settings = Settings {
        database: global.database.to_string(),
        database_option: database_option(&global.database),
        audio_dir: std::path::absolute(args.audio_dir.as_deref().unwrap_or(Path::new(".")))?,
        command: resegment_command::resegment_command,
    };
    let url = format!("http://127.0.0.1:{port}/");
    if args.json {
        print_line(&json!({ "url": url }).to_string())?;
    }
    if !global.quiet {
        eprintln!("{url}  (Ctrl-C ends it)");
    }
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.serve(inspect::router(store.clone(), settings, port), stop.clone()));
    tokio::signal::ctrl_c().await?;
    stop.cancel();
    let _ = tokio::time::timeout(GRACE, serving).await;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The option for commands that names the database; none for the default. An address of a server may have a password, which
/// is not shown; it is in the environment of most users.
fn database_option(url: &DatabaseUrl) -> Option<String> {
    match url {
        DatabaseUrl::Sqlite(path) if path == Path::new("prepare-audio.db") => None,
        DatabaseUrl::Sqlite(_) => Some(format!("--database {}", resegment_command::quoted(&url.to_string()))),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_a_database_that_is_not_the_default() {
        let option = |text: &str| database_option(&text.parse().unwrap());
        assert_eq!(option("sqlite://prepare-audio.db"), None);
        assert_eq!(option("sqlite://my corpus.db").as_deref(), Some("--database 'sqlite://my corpus.db'"));
    }
}
