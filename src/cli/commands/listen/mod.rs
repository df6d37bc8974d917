//! `prepare-audio listen`: receives audio while it is spoken, and prepares the recordings.

mod args;

use std::{path::Path, process::ExitCode, sync::Arc, time::Duration};

use prepare_audio::{
    live::{self, Limits, OpenError, Sessions},
    progress::Silent,
    runner::{self, Preparer, Settings, Shutdown, Tally, Timeout},
    store::{Scope, Store},
    web::{self, Server, Tls},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub use self::args::{Args, HELP};
use crate::cli::{args::GlobalArgs, database, exit, hints, run::next_signal, stdout::print_line};

/// Connections that are not WebSockets yet: handshakes, and questions of load balancers.
const HANDSHAKES: usize = 512;

/// How long such a connection may last.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How long closing the connections may take after `--drain`.
const CLOSING: Duration = Duration::from_secs(2);

/// How long a recording that is being prepared may go on at the end.
const GRACE: Duration = Duration::from_secs(1);

/// How often it is looked whether all clients have left.
const POLL: Duration = Duration::from_millis(50);

/// Folder below the output folder.
const FOLDER: &str = "live";

/// Those of `fetch` by default.
const LEASE: Duration = Duration::from_secs(90);
const HEARTBEAT: Duration = Duration::from_secs(20);
const SOURCE_WAIT: Duration = Duration::from_secs(60);

/// Runs the command until SIGTERM or Ctrl-C.
pub async fn run(global: &GlobalArgs, args: Args) -> anyhow::Result<ExitCode> {
    check(&args)?;
    let tls = tls(&args)?;
    let workers = args.workers.map_or_else(cores, usize::from);
    let runner = runner_settings(&args, workers)?;
    let live = live_settings(&args, workers)?;
    let (drain, quiet, json) = (args.drain, global.quiet, args.json);
    let scheme = if tls.is_some() { "wss" } else { "ws" };

    let limits = web::Limits { connections: HANDSHAKES, connection_timeout: REQUEST_TIMEOUT, ..Default::default() };
    let refused = |error| exit::Usage(format!("--bind: cannot listen on {}: {error}", args.bind));
    let server = Server::bind(args.bind, limits).await.map_err(refused)?.with_tls(tls);
    let url = format!("{scheme}://{}/ws", server.address()?);

    let output = args.base.output.clone();
    let preparer = tokio::task::spawn_blocking(move || args.preparation.preparer(&output)).await??;
    let live = live(&preparer);
    let store = database::connect_with_retries(global).await?;
    let sessions = Sessions::open(Arc::clone(&store), live).await.map_err(usage)?;
    if json {
        print_line(&json!({ "url": url }).to_string())?;
    }
    if !quiet {
        eprintln!("{url}  (Ctrl-C ends it)");
    }
    serve(store, sessions, server, Arc::new(preparer), runner, drain).await
}

/// Refuses to send audio through networks as it is, unless that is wanted.
fn check(args: &Args) -> Result<(), exit::Usage> {
    if args.tls_cert.is_some() || args.insecure || args.bind.ip().is_loopback() {
        return Ok(());
    }
    let message = format!(
        "--bind {}: other machines reach this address, so that --tls-cert and --tls-key are needed; or --insecure behind a \
         proxy that encrypts",
        args.bind
    );
    Err(exit::Usage(message))
}

fn tls(args: &Args) -> Result<Option<Tls>, exit::Usage> {
    let Some((certificate, key)) = args.tls_cert.clone().zip(args.tls_key.clone()) else { return Ok(None) };
    Tls::open(certificate, key).map(Some).map_err(|error| exit::Usage(format!("--tls-cert, --tls-key: {error}")))
}

/// What is wrong with the folder is a mistake of the command line.
fn usage(error: OpenError) -> anyhow::Error {
    match error {
        OpenError::Store(error) => error.into(),
        error => exit::Usage(error.to_string()).into(),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn runner_settings(args: &Args, workers: usize) -> anyhow::Result<Settings> {
    Ok(Settings {
        workers,
        lease: LEASE,
        heartbeat: HEARTBEAT,
        audio_dir: std::path::absolute(args.base.audio_dir.as_deref().unwrap_or(Path::new(".")))?,
        grace: GRACE,
        scope: Scope::Any,
        max_attempts: None,
        timeout: Timeout::default(),
        source_wait: SOURCE_WAIT,
        watch: true,
        hint: hints::for_error,
    })
}

/// The settings of the sessions, for the preparer's model.
fn live_settings(args: &Args, threads: usize) -> anyhow::Result<impl FnOnce(&Preparer) -> live::Settings + use<>> {
    let defaults = Limits::default();
    let limits = Limits {
        sessions: args.max_sessions as usize,
        session_seconds: args.preparation.reading.max_duration.map_or(defaults.session_seconds, |time| time.as_secs()),
        idle: args.idle_timeout,
        resume_window: args.resume_window,
        speed: f64::from(args.max_speed),
        ..defaults
    };
    let folder = std::path::absolute(args.base.output.join(FOLDER))?;
    let (parameters, sync, origins) = (args.preparation.parameters(), args.sync, args.allow_origin.clone());
    Ok(move |preparer: &Preparer| live::Settings {
        folder,
        engine: preparer.engine().clone(),
        parameters,
        sync,
        origins,
        threads,
        limits,
    })
}

/// Serves sessions and prepares their recordings, until a signal.
async fn serve(
    store: Arc<Store>,
    sessions: Arc<Sessions>,
    server: Server,
    preparer: Arc<Preparer>,
    settings: Settings,
    drain: Duration,
) -> anyhow::Result<ExitCode> {
    let (stop, shutdown) = (CancellationToken::new(), Shutdown::default());
    let serving = tokio::spawn(server.serve(live::router(Arc::clone(&sessions)), stop.clone()));
    let sweeping = tokio::spawn(Arc::clone(&sessions).sweep());
    let tally = Arc::new(Tally::default());
    let running =
        runner::run(Arc::clone(&store), preparer, settings, Arc::new(Silent), shutdown.clone(), Arc::clone(&tally));
    let mut running = tokio::spawn(running);
    let failed = tokio::select! {
        signal = next_signal() => {
            signal?;
            None
        }
        // It ends by itself only where the database or the output folder fail for good.
        ended = &mut running => Some(ended),
    };
    tracing::warn!("stopping: no new sessions are taken; once more to leave at once");
    sessions.drain();
    tokio::select! {
        () = wait_for_clients(&sessions, drain) => {}
        _ = next_signal() => {}
    }
    sessions.close();
    wait_for_clients(&sessions, CLOSING).await;
    stop.cancel();
    sweeping.abort();
    serving.abort();
    let outcome = match failed {
        Some(ended) => ended,
        None => {
            shutdown.begin(GRACE);
            running.await
        }
    };
    store.close().await;
    outcome??;
    Ok(ExitCode::SUCCESS)
}

/// Waits until no session has a connection, for at most `limit`.
async fn wait_for_clients(sessions: &Sessions, limit: Duration) {
    let left = async {
        while sessions.figures().connections > 0 {
            tokio::time::sleep(POLL).await;
        }
    };
    let _ = tokio::time::timeout(limit, left).await;
}
