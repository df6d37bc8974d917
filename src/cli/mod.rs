//! clap and the terminal: everything that a person types and reads. One file a command.

mod add;
pub mod args;
pub mod config;
mod cut_args;
pub mod exit;
mod fetch;
mod format;
mod log;
mod plan;
mod progress;
mod resegment;
mod retry;
mod segments;
mod status;
mod texts;

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::CommandFactory;
use prepare_audio::store::{self, Store};

use self::args::{Cli, Command, GlobalArgs};

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
    runtime.block_on(command(typed))
}

async fn command(typed: Cli) -> anyhow::Result<ExitCode> {
    let global = typed.global;
    match typed.command {
        Command::Fetch(args) => return fetch::run(&global, &args).await,
        Command::Resegment(args) => return resegment::run(&global, &args).await,
        other => {
            log::start(&global, log::Default::Quiet, None)?;
            match other {
                Command::Add(args) => add::run(&global, &args).await?,
                Command::Status(args) => status::run(&global, &args).await?,
                Command::Segments(args) => segments::run(&global, &args).await?,
                Command::Retry(args) => retry::run(&global, &args).await?,
                Command::Fetch(_) | Command::Resegment(_) | Command::Completions(_) | Command::Man => {}
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens the database that the settings name.
async fn connect(global: &GlobalArgs) -> anyhow::Result<Arc<dyn Store>> {
    Ok(store::connect(&global.database).await?)
}
