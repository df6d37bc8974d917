//! A run through the queue on the terminal: settings, progress, signals and summary of `fetch` and `resegment`.
//!
//! The run itself is [`prepare_audio::runner`].

mod counters;
mod display;
mod estimate;
mod settings;
mod signals;
mod summary;

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use prepare_audio::{
    progress::{Progress, Silent},
    runner::{self, Report, RunError, Shutdown, Tally},
    store::{State, Store},
};

#[cfg(feature = "live")]
pub use self::signals::next_signal;
pub use self::{
    display::Display,
    settings::{RunSettings, SummaryFormat},
};
use self::{estimate::Estimate, summary::Summary};
use super::{args::GlobalArgs, exit, log, metrics};

/// Starts the progress display, unless `--quiet` is set, and the log, which is written above its bars.
pub fn start_display(global: &GlobalArgs, workers: usize) -> anyhow::Result<Option<Arc<Display>>> {
    let display = (!global.quiet).then(|| Arc::new(Display::new(workers, io::stderr().is_terminal())));
    let bars = display.as_ref().and_then(|display| display.bars());
    log::start(global, if bars.is_some() { log::Default::Quiet } else { log::Default::Lines }, bars)?;
    Ok(display)
}

/// Runs to the end of the queue, or to a signal, and prints the summary.
pub async fn run(store: Arc<Store>, settings: RunSettings, display: Option<Arc<Display>>) -> anyhow::Result<ExitCode> {
    let (watch, format) = (settings.runner.watch, settings.summary);
    let (outcome, interrupted) = work(&store, settings, display).await?;
    let report = match outcome {
        Err(error) if interrupted => {
            tracing::error!("{error}");
            return Ok(ExitCode::from(exit::INTERRUPTED));
        }
        outcome => outcome?,
    };
    // A signal is the regular end of --watch.
    let (interrupted, is_regular_end) = (interrupted && !watch, interrupted && watch);
    // Only for the summary: the work is done, even if the database has become unavailable.
    let pending = if interrupted { 0 } else { pending(&store).await.unwrap_or(0) };
    store.close().await;
    // The exit code is that of the work, also if nobody reads the summary.
    let _ = Summary { report: &report, interrupted, pending }.print(format);
    Ok(if is_regular_end { ExitCode::SUCCESS } else { exit::code(&report, interrupted) })
}

/// Recordings that are still pending.
async fn pending(store: &Store) -> anyhow::Result<u64> {
    let counts = store.counts().await?;
    Ok(counts.iter().filter(|c| c.state == State::Pending).map(|c| c.recordings as u64).sum())
}

/// Runs the library's runner, with signals, progress and metrics beside it. Returns its outcome, and whether a signal ended
/// it.
async fn work(
    store: &Arc<Store>,
    settings: RunSettings,
    display: Option<Arc<Display>>,
) -> anyhow::Result<(Result<Report, RunError>, bool)> {
    let RunSettings { runner: settings, preparer, metrics, summary: _ } = settings;
    let shutdown = Shutdown::default();
    let interrupted = Arc::new(AtomicBool::new(false));
    tokio::spawn(signals::handle(shutdown.clone(), settings.grace, Arc::clone(&interrupted), display.clone()));
    let estimate = display.as_ref().map(|display| {
        let (store, display, shutdown) = (Arc::clone(store), Arc::clone(display), shutdown.clone());
        let (recipe, audio_dir) = (preparer.recipe().id.clone(), settings.audio_dir.clone());
        tokio::spawn(Estimate { store, recipe, scope: settings.scope, audio_dir, display, shutdown }.keep_updated())
    });
    let mut progress: Arc<dyn Progress> = match &display {
        Some(display) => Arc::<Display>::clone(display),
        None => Arc::new(Silent),
    };
    let tally = Arc::new(Tally::default());
    if let Some(address) = metrics {
        progress = metrics::serve(address, Arc::clone(&tally), settings.workers, progress, &shutdown).await?;
    }
    let report = runner::run(Arc::clone(store), preparer, settings, progress, shutdown.clone(), tally).await;
    shutdown.now(); // ends the measuring of files, too
    if let Some(estimate) = estimate {
        estimate.abort();
    }
    if let Some(display) = &display {
        display.clear();
    }
    Ok((report, interrupted.load(Ordering::Relaxed)))
}
