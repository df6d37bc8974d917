//! The command line and the terminal: arguments, commands, settings, messages, exit codes.
//!
//! `args` holds groups of arguments that commands share, `commands` has one module for each command, and `command_line`
//! lists the commands. `run` is the common part of `fetch` and `resegment`.

mod args;
mod bars;
mod command_line;
mod commands;
pub mod config;
mod database;
mod doctor;
pub mod exit;
mod features;
mod format;
mod help;
mod hints;
mod log;
#[cfg_attr(not(feature = "metrics"), path = "no_metrics.rs")]
mod metrics;
mod pages;
#[cfg(test)]
mod reference;
mod run;
mod selection;
mod sources;
mod stdout;
mod workload;

use std::{pin::Pin, process::ExitCode, time::Duration};

use anyhow::Context;

use self::{
    command_line::{Cli, Command},
    commands::{
        add, cancel, completions, export, fetch, gc, inspect, listen, man, quality, quarantine, report, requeue,
        resegment, retry, segments, status, verify, workers,
    },
};

/// How long the program waits at its end for threads that are still blocked, for example by a disk that does not answer.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(200);

/// Starts tokio and runs the command.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2) // they only wait
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    // As a trait object, or the compiler makes several copies of all commands.
    let command: Pin<Box<dyn Future<Output = _>>> = Box::pin(execute(cli));
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    outcome
}

async fn execute(Cli { global, command }: Cli) -> anyhow::Result<ExitCode> {
    match command {
        Command::Fetch(_) | Command::Resegment(_) => {} // they start the log above their progress bars
        Command::Completions(_) | Command::Man => {}
        Command::Listen(_) => log::start(&global, log::Default::Lines, None)?,
        _ => log::start(&global, log::Default::Quiet, None)?,
    }
    match command {
        Command::Fetch(args) => return fetch::run(&global, *args).await,
        Command::Resegment(args) => return resegment::run(&global, *args).await,
        Command::Export(args) => return export::run(&global, &args).await,
        Command::Report(args) => return report::run(&global, &args).await,
        Command::Inspect(args) => return inspect::run(&global, &args).await,
        Command::Quality(args) => return quality::run(&global, args).await,
        Command::Listen(args) => return listen::run(&global, *args).await,
        Command::Verify(args) => return verify::run(&global, &args).await,
        Command::Gc(args) => return gc::run(&global, &args).await,
        Command::Doctor(args) => return doctor::run(&global, &args).await,
        Command::Add(args) => add::run(&global, &args).await,
        Command::Status(args) => status::run(&global, &args).await,
        Command::Segments(args) => segments::run(&global, &args).await,
        Command::Retry(args) => retry::run(&global, &args).await,
        Command::Cancel(args) => cancel::run(&global, &args).await,
        Command::Requeue(args) => requeue::run(&global, &args).await,
        Command::Quarantine(args) => quarantine::run(&global, &args).await,
        Command::Workers(args) => workers::run(&global, &args).await,
        Command::Completions(args) => completions::run(&args, help::command()),
        Command::Man => man::run(help::command()),
    }
    .map(|()| ExitCode::SUCCESS)
}
