//! clap and the terminal: everything that a person types and reads. One file a command.

mod add;
pub mod args;
mod cancel;
pub mod config;
mod cut_args;
mod doctor;
mod engine;
pub mod exit;
mod fetch;
mod format;
mod gc;
mod log;
mod metrics;
mod operator_args;
mod plan;
mod progress;
mod quarantine;
mod rates;
mod reading;
mod requeue;
mod resegment;
mod retry;
mod segment_files;
mod segments;
mod status;
mod texts;
mod verify;
mod workers;

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::CommandFactory;
use prepare_audio::store::{self, DatabaseUrl, Store};

use self::args::{Cli, Command, GlobalArgs};

/// How long what still runs at the program's end may take.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// How often a database that cannot be reached is tried again at the start.
const KNOCK_EVERY: Duration = Duration::from_secs(1);

/// Runs the command that was typed, on a runtime of its own.
pub fn run(typed: Cli) -> anyhow::Result<ExitCode> {
    match &typed.command {
        Command::Completions(args) => return texts::completions(args.shell, Cli::command()),
        Command::Man => return texts::man(Cli::command()),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2) // they only wait
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(command(typed));
    // What still waits for a disk that hangs is not waited for.
    runtime.shutdown_timeout(LAST_WORDS);
    outcome
}

async fn command(typed: Cli) -> anyhow::Result<ExitCode> {
    let global = typed.global;
    match typed.command {
        Command::Fetch(args) => return fetch::run(&global, &args).await,
        Command::Resegment(args) => return resegment::run(&global, &args).await,
        Command::Doctor(args) => {
            log::start(&global, log::Default::Quiet, None)?;
            return doctor::run(&global, &args).await;
        }
        Command::Gc(args) => {
            log::start(&global, log::Default::Quiet, None)?;
            return gc::run(&global, &args).await;
        }
        Command::Verify(args) => {
            log::start(&global, log::Default::Quiet, None)?;
            return verify::run(&global, &args).await;
        }
        other => {
            log::start(&global, log::Default::Quiet, None)?;
            match other {
                Command::Add(args) => add::run(&global, &args).await?,
                Command::Status(args) => status::run(&global, &args).await?,
                Command::Segments(args) => segments::run(&global, &args).await?,
                Command::Retry(args) => retry::run(&global, &args).await?,
                Command::Cancel(args) => cancel::run(&global, &args).await?,
                Command::Requeue(args) => requeue::run(&global, &args).await?,
                Command::Quarantine(args) => quarantine::run(&global, &args).await?,
                Command::Workers(args) => workers::run(&global, &args).await?,
                Command::Fetch(_)
                | Command::Resegment(_)
                | Command::Doctor(_)
                | Command::Gc(_)
                | Command::Verify(_)
                | Command::Completions(_)
                | Command::Man => {}
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the database that the settings name, and makes it where it is missing.
async fn connect(global: &GlobalArgs) -> anyhow::Result<Arc<dyn Store>> {
    Ok(store::connect(&global.database).await?)
}

/// Opens the database as [`connect`] does, and waits for one that is just coming up, as after a restart of the machine.
async fn connect_patiently(global: &GlobalArgs) -> anyhow::Result<Arc<dyn Store>> {
    let started = Instant::now();
    let mut told = false;
    loop {
        match store::connect(&global.database).await {
            Err(error) if error.is_passing() && started.elapsed() < global.database_wait => {
                if !told {
                    tracing::warn!(
                        "{error}. Waiting for it for up to {}",
                        format::time(global.database_wait.as_secs_f64())
                    );
                    told = true;
                }
                tokio::time::sleep(KNOCK_EVERY).await;
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// Opens a database to look at, which must be there: a mistyped name is not to make an empty one. To look, no right to
/// write is needed.
async fn connect_existing(global: &GlobalArgs) -> anyhow::Result<Arc<dyn Store>> {
    if let DatabaseUrl::Sqlite(path) = &global.database
        && !path.exists()
    {
        let told = format!("{}: no such database; `prepare-audio add` and `fetch` make it", global.database);
        anyhow::bail!(exit::NoDatabase(told));
    }
    Ok(store::look(&global.database).await?)
}

/// Prints a line, or tells that nobody reads any more.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
