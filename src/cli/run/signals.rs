//! Signals that end a run: Ctrl-C, SIGTERM and SIGHUP.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prepare_audio::runner::Shutdown;

use super::Display;
use crate::cli::exit;

/// How long claims may take to be given back after the second signal.
const EXIT_DELAY: Duration = Duration::from_millis(200);

/// The first signal ends the run within seconds; the second one ends the process.
pub async fn handle(shutdown: Shutdown, grace: Duration, interrupted: Arc<AtomicBool>, display: Option<Arc<Display>>) {
    if next_signal().await.is_err() {
        return; // signals cannot be handled, so they end the process at once, as is their default
    }
    interrupted.store(true, Ordering::Relaxed);
    tracing::warn!("stopping: what runs is finished or given back; once more to leave at once");
    shutdown.begin(grace);
    if next_signal().await.is_ok() {
        if let Some(display) = display {
            display.clear();
        }
        // Claims are given back during the delay. A call that hangs must not hold the process.
        shutdown.at_once();
        tokio::time::sleep(EXIT_DELAY).await;
        std::process::exit(i32::from(exit::INTERRUPTED));
    }
}

/// Waits for Ctrl-C, SIGTERM or SIGHUP.
#[cfg(unix)]
pub async fn next_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // SIGHUP means that the terminal was closed, which ends a run, too.
    let (mut terminate, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome,
        _ = terminate.recv() => Ok(()),
        _ = hangup.recv() => Ok(()),
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub async fn next_signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
