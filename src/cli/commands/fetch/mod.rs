//! `prepare-audio fetch`: adds recordings, and prepares all that are pending.

mod plan;

use std::process::ExitCode;

use prepare_audio::store::{Added, Scope};

use crate::cli::{
    args::{GlobalArgs, PreparationArgs, RunArgs},
    database,
    run::{self, RunSettings},
    sources::{self, Search},
};

/// Arguments of `fetch`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recordings to add first: files, folders, patterns, lists (.txt, .csv, .jsonl), or - for a list on standard input
    pub sources: Vec<String>,
    /// Priority of the added recordings: the lowest number is prepared first; it may be negative [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, requires = "sources")]
    pub priority: Option<i64>,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub preparation: PreparationArgs,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: Args) -> anyhow::Result<ExitCode> {
    let Args { sources: names, priority, run, preparation } = args;
    let display = run::start_display(global, run.worker_count())?;
    let raw = preparation.reading.raw.is_some();
    let settings = RunSettings::new(&run, preparation, Scope::Any, global.quiet).await?;
    let mut search = Search::start(&names, &run.base, priority.unwrap_or_default(), raw);
    let first = search.next().await?; // a source that does not exist is reported before the database is created
    if run.dry_run {
        let plan = plan::make(global, &settings, &mut search, first).await?;
        plan.print(&run.base.output, run.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let store = database::connect_with_retries(global).await?;
    let mut added = Added::default();
    sources::add(&store, &mut search, first, Some(&settings.preparer.recipe().id), &mut added).await?;
    let found = search.found();
    if let Some(display) = display.as_ref().filter(|_| !names.is_empty()) {
        display.print(&sources::describe(&added, &found));
    }
    let code = run::run(store, settings, display).await?;
    if found.unnameable > 0 && code == ExitCode::SUCCESS {
        anyhow::bail!(sources::unnameable(&found));
    }
    Ok(code)
}
