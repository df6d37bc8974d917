//! `prepare-audio resegment`: segments done recordings again with other parameters, from their stored probabilities.

use std::process::ExitCode;

use prepare_audio::store::{Scope, Selection, Store};
use serde_json::json;

use crate::cli::{
    args::{BaseArgs, GlobalArgs, PreparationArgs, RunArgs},
    database,
    format::count,
    run::{self, RunSettings},
    selection::select,
    stdout::print_line,
};

/// Arguments of `resegment`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these recordings: ids, or sources [default: all]
    #[arg(value_name = "SOURCE|ID")]
    pub sources: Vec<String>,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub preparation: PreparationArgs,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: Args) -> anyhow::Result<ExitCode> {
    let Args { sources, run, preparation } = args;
    let display = run::start_display(global, run.worker_count())?;
    let settings = RunSettings::new(&run, preparation, Scope::Bound, global.quiet).await?;
    let (recipe, model_key) = (settings.preparer.recipe().id.clone(), settings.preparer.model_key());
    let store = database::connect_with_retries(global).await?;
    let selections = selections(&store, &sources, &run.base).await?;
    if run.dry_run {
        let mut recordings = 0;
        for of in &selections {
            recordings += store.resegmentable(of, &recipe, &model_key).await?;
        }
        print_plan(recordings, run.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (mut added, mut without_probabilities) = (0, 0);
    for of in &selections {
        without_probabilities += store.without_probabilities(of, &recipe, &model_key).await?;
        added += store.resegment(of, &recipe, &model_key).await?;
    }
    if let Some(display) = &display {
        display.print(&format!("{} to segment again", count(added, "recording")));
    }
    let code = run::run(store, settings, display).await?;
    if without_probabilities > 0 {
        // The command fails, because these recordings have no segments of the new parameters.
        let message = without_probabilities_message(without_probabilities);
        if code == ExitCode::SUCCESS {
            anyhow::bail!(message);
        }
        tracing::warn!("{message}");
    }
    Ok(code)
}

/// The recordings that the names select. Each name must select at least one.
async fn selections(store: &Store, names: &[String], base: &BaseArgs) -> anyhow::Result<Vec<Selection>> {
    if names.is_empty() {
        return Ok(vec![Selection::All]);
    }
    let mut selections = Vec::new();
    for name in names {
        selections.extend(select(store, Some(name), base).await?);
    }
    Ok(selections)
}

fn without_probabilities_message(recordings: u64) -> String {
    format!(
        "{} unchanged: no probabilities of this model (and these channels) are stored for them; `prepare-audio fetch \
         SOURCES` with these parameters analyses their audio again",
        count(recordings, "done recording")
    )
}

fn print_plan(recordings: u64, json: bool) -> anyhow::Result<()> {
    if json {
        print_line(&json!({ "recordings": recordings }).to_string())?;
    } else {
        print_line(&format!("would segment {} again\nnothing was changed", count(recordings, "recording")))?;
    }
    Ok(())
}
