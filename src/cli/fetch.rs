//! `prepare-audio fetch`: the main job.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use prepare_audio::{
    output::Output,
    prepare::Preparer,
    progress::{Progress, Silent},
    sources::Found,
    store::{DatabaseUrl, Scope, State, Store},
    worker::{self, Report, RunError, Settings, Shutdown, Tally},
};
use serde_json::json;

use super::{
    add,
    args::{FetchArgs, GlobalArgs},
    connect, connect_patiently, exit,
    format::{bytes, count, time},
    log,
    metrics::{self, Metrics, MetricsAddress},
    plan::{self, Plan},
    progress::Display,
    say,
};

/// How long a running recording may go on after the first Ctrl-C.
const GRACE: Duration = Duration::from_secs(1);

/// How long leaving at once takes at most.
const AT_ONCE: Duration = Duration::from_millis(200);

pub async fn run(global: &GlobalArgs, args: &FetchArgs) -> anyhow::Result<ExitCode> {
    let (display, settings) = begin(global, args, Scope::Any)?;
    let preparer = Arc::new(preparer(args)?);
    let found = add::find(&args.sources, &args.base)?.with_priority(args.priority.unwrap_or_default());
    if args.dry_run {
        return dry_run(global, args, &settings, &preparer, &found).await;
    }
    let store = connect_patiently(global).await?;
    if !args.sources.is_empty() {
        let added = add::add_for(&*store, &found, &preparer.recipe().id).await?;
        if let Some(display) = &display {
            display.say(&add::describe(&added, &found));
        }
    }
    let code = work_and_tell(global, args, store, preparer, settings, display).await?;
    if found.unnameable > 0 && code == ExitCode::SUCCESS {
        anyhow::bail!(add::unnameable(&found));
    }
    Ok(code)
}

/// How a run is to go, and where it is shown; from now on the log is written.
pub fn begin(global: &GlobalArgs, args: &FetchArgs, scope: Scope) -> anyhow::Result<(Option<Arc<Display>>, Settings)> {
    let settings = settings(args, scope)?;
    let display = (!global.quiet).then(|| Arc::new(Display::new(settings.workers, io::stderr().is_terminal())));
    let bars = display.as_ref().and_then(|d| d.bars());
    log::start(global, if bars.is_some() { log::Default::Quiet } else { log::Default::Lines }, bars)?;
    Ok((display, settings))
}

/// Runs the worker and tells what came of it.
pub async fn work_and_tell(
    global: &GlobalArgs,
    args: &FetchArgs,
    store: Arc<dyn Store>,
    preparer: Arc<Preparer>,
    settings: Settings,
    display: Option<Arc<Display>>,
) -> anyhow::Result<ExitCode> {
    let (outcome, interrupted) = work(&store, preparer, settings, display, args.metrics).await?;
    let report = match outcome {
        Err(error) if interrupted => {
            tracing::error!("{error}");
            return Ok(ExitCode::from(exit::INTERRUPTED));
        }
        outcome => outcome?,
    };
    // To be ended is how a watch ends.
    let (interrupted, ended) = (interrupted && !args.watch, interrupted && args.watch);
    // Only for the summary: the work is done, even where the database went away just now.
    let left = if interrupted { 0 } else { pending(&*store).await.unwrap_or(0) };
    store.close().await;
    // The work is done, whether somebody still reads what is said of it or not.
    let _ = match (args.json, global.quiet) {
        (true, _) => say(&serde_json::to_string(&report)?),
        (false, true) => Ok(()),
        (false, false) => say(&summary(&report, interrupted, left)),
    };
    Ok(if ended { ExitCode::SUCCESS } else { exit::code(&report, interrupted) })
}

/// Recordings that are pending still.
async fn pending(store: &dyn Store) -> anyhow::Result<u64> {
    let counts = store.counts().await?;
    Ok(counts.iter().filter(|c| c.state == State::Pending).map(|c| c.recordings as u64).sum())
}

fn settings(args: &FetchArgs, scope: Scope) -> anyhow::Result<Settings> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if args.heartbeat * 2 > args.lease {
        let told = "--heartbeat must be at most half of --lease, or claims are lost while they are worked on";
        anyhow::bail!(exit::Usage(told.into()));
    }
    Ok(Settings {
        workers: args.workers.unwrap_or(cores),
        lease: args.lease,
        heartbeat: args.heartbeat,
        // Absolute, so that messages tell where was looked.
        audio_dir: std::path::absolute(args.base.audio_dir.as_deref().unwrap_or(Path::new(".")))?,
        grace: GRACE,
        scope,
        max_attempts: args.max_attempts,
        timeout: args.timeout,
        watch: args.watch,
    })
}

pub fn preparer(args: &FetchArgs) -> anyhow::Result<Preparer> {
    let engine = args.engine.open().map_err(|e| exit::Usage(e.to_string()))?;
    let parameters = args.parameters();
    // Absolute, because the rows' paths are to be found from wherever they are read.
    let output = std::path::absolute(&args.base.output)?;
    let preparer = Preparer::new(engine, &parameters, Output::new(output));
    let preparer = preparer.map_err(|e| exit::Usage(e.to_string()))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let preparer = preparer.keeping_probabilities(args.cut.keep_probabilities).with_lanes(cores > 1);
    let (channels, files) = args.segments.wanted()?;
    Ok(preparer.reading(args.reading.reading()?).cutting(channels, files))
}

/// Runs the worker, with signals and progress beside it.
async fn work(
    store: &Arc<dyn Store>,
    preparer: Arc<Preparer>,
    settings: Settings,
    display: Option<Arc<Display>>,
    metrics: Option<MetricsAddress>,
) -> anyhow::Result<(Result<Report, RunError>, bool)> {
    let shutdown = Shutdown::default();
    let interrupted = Arc::new(AtomicBool::new(false));
    tokio::spawn(listen_for_signals(shutdown.clone(), settings.grace, Arc::clone(&interrupted), display.clone()));
    let mut progress: Arc<dyn Progress> = Arc::new(Silent);
    if let Some(display) = &display {
        if settings.scope == Scope::Any {
            let files = plan::pending_files(&**store, &preparer.recipe().id, &settings.audio_dir).await?;
            display.say(&format!("{} pending", count(files.len() as u64, "recording")));
            tokio::task::spawn_blocking({
                let (display, shutdown) = (Arc::clone(display), shutdown.clone());
                move || measure(&files, &display, &shutdown)
            });
        }
        progress = Arc::<Display>::clone(display);
    }
    let tally = Arc::new(Tally::default());
    if let Some(address) = metrics {
        let metrics = Metrics::new(Arc::clone(&tally), settings.workers, progress);
        let bound = metrics::serve(address, Arc::clone(&metrics)).await;
        let bound = bound.map_err(|e| exit::Usage(format!("--metrics: cannot listen on {address}: {e}")))?;
        tracing::info!("metrics at http://{bound}/metrics");
        progress = metrics;
    }
    let report = worker::run(Arc::clone(store), preparer, settings, progress, shutdown.clone(), tally).await;
    shutdown.now(); // whoever still measures stops
    if let Some(display) = &display {
        display.clear();
    }
    Ok((report, interrupted.load(Ordering::Relaxed)))
}

/// Tells the display how much there is, better and better.
fn measure(files: &[PathBuf], display: &Display, shutdown: &Shutdown) {
    let mut plan = Plan::default();
    for file in files {
        if shutdown.is_draining() {
            return;
        }
        plan.count(file);
        let known = plan.recordings as f64 / files.len() as f64;
        display.plan(files.len() as u64, plan.estimated_seconds() / known);
    }
}

/// The first Ctrl-C, SIGTERM or SIGHUP ends the run within seconds; the second ends the process.
async fn listen_for_signals(
    shutdown: Shutdown,
    grace: Duration,
    interrupted: Arc<AtomicBool>,
    display: Option<Arc<Display>>,
) {
    if next_signal().await.is_err() {
        return; // no signals to be had: the default, to end at once, is in force
    }
    interrupted.store(true, Ordering::Relaxed);
    tracing::warn!("stopping: what runs is finished or given back; once more to leave at once");
    shutdown.begin(grace);
    if next_signal().await.is_ok() {
        if let Some(display) = display {
            display.clear();
        }
        // What is held is given back in this moment; whatever hangs is not waited for.
        shutdown.at_once();
        tokio::time::sleep(AT_ONCE).await;
        std::process::exit(i32::from(exit::INTERRUPTED));
    }
}

#[cfg(unix)]
async fn next_signal() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    // A terminal that was closed is a wish to end, too.
    let (mut terminate, mut hangup) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome,
        _ = terminate.recv() => Ok(()),
        _ = hangup.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn next_signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Counts what is pending and what the sources would add, and changes nothing: a database that is not there is not
/// made.
async fn dry_run(
    global: &GlobalArgs,
    args: &FetchArgs,
    settings: &Settings,
    preparer: &Preparer,
    found: &Found,
) -> anyhow::Result<ExitCode> {
    let recipe = &preparer.recipe().id;
    let missing = matches!(&global.database, DatabaseUrl::Sqlite(path) if !path.exists());
    let mut files = Vec::new();
    let mut new = found.sources();
    if missing {
        new.sort();
        new.dedup();
    } else {
        let store = connect(global).await?;
        files = plan::pending_files(&*store, recipe, &settings.audio_dir).await?;
        new = store.unknown(&new, Some(recipe)).await?;
        store.close().await;
    }
    let added = new.len();
    files.extend(new.into_iter().map(|source| settings.audio_dir.join(source)));
    let plan = tokio::task::spawn_blocking(move || {
        let mut plan = Plan::default();
        files.iter().for_each(|file| plan.count(file));
        plan
    });
    let plan = plan.await.context("measuring the recordings")?;
    if args.json {
        let hours = plan.estimated_seconds() / 3600.0;
        let plan = json!({ "recordings": plan.recordings, "new": added, "hours": hours, "bytes": plan.bytes,
                           "unknown_length": plan.unknown, "unreadable": plan.unreadable });
        say(&plan.to_string())?;
    } else {
        say(&describe_plan(&plan, added, args))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe_plan(plan: &Plan, added: usize, args: &FetchArgs) -> String {
    let about = if plan.unknown > 0 { "about " } else { "" };
    let mut text = format!(
        "would prepare {} ({added} of them new), {about}{}, {}, into {}",
        count(plan.recordings, "recording"),
        time(plan.estimated_seconds()),
        bytes(plan.bytes),
        args.base.output.display()
    );
    if plan.unreadable > 0 {
        text += &format!("\n{} cannot be read and would fail", count(plan.unreadable, "recording"));
    }
    text + "\nnothing was touched"
}

fn summary(report: &Report, interrupted: bool, left: u64) -> String {
    let mut text = format!(
        "{} done: {} of audio, {} of speech in {}",
        count(report.done, "recording"),
        time(report.audio_s),
        time(report.speech_s),
        count(report.segments, "segment"),
    );
    text += &format!(", in {}", time(report.wall_s));
    if report.audio_s > 0.0 && report.wall_s > 0.0 {
        text += &format!(" ({:.0} x real time)", report.audio_s / report.wall_s);
    }
    let failed = report.failed + report.quarantined;
    if failed > 0 {
        let codes: Vec<String> = report.errors.iter().map(|(code, n)| format!("{code} {n}")).collect();
        let told = if report.quarantined > 0 { "failed or quarantined" } else { "failed" };
        text += &format!("\n{} {told}: {}", count(failed, "recording"), codes.join(", "));
        text += "\n`prepare-audio status` says why; `prepare-audio retry --all` puts them back for the next fetch";
    }
    if left > 0 {
        let told = count(left, "recording");
        text += &format!("\n{told} stay pending: another row has their source with these parameters already");
    }
    if interrupted {
        text += &format!(
            "\ninterrupted: {} given back; the same command again goes on",
            count(report.released, "recording")
        );
    }
    text
}
