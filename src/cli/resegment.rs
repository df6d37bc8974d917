//! `prepare-audio resegment`: done recordings under other parameters, without listening again.

use std::{process::ExitCode, sync::Arc};

use prepare_audio::store::{Scope, Selection, Store};
use serde_json::json;

use super::{
    args::{FetchArgs, GlobalArgs},
    connect_patiently, exit, fetch,
    format::count,
    say,
    segments::select,
};

pub async fn run(global: &GlobalArgs, args: &FetchArgs) -> anyhow::Result<ExitCode> {
    if args.priority.is_some() {
        anyhow::bail!(exit::Usage("--priority: what is cut anew keeps the priority that its recording has".into()));
    }
    let (display, settings) = fetch::begin(global, args, Scope::Bound)?;
    let preparer = Arc::new(fetch::preparer(args)?);
    let (recipe, hearing) = (preparer.recipe().id.clone(), preparer.hearing());
    let store = connect_patiently(global).await?;
    let selections = selections(&*store, args).await?;
    if args.dry_run {
        let mut recordings = 0;
        for of in &selections {
            recordings += store.resegmentable(of, &recipe, &hearing).await?;
        }
        return tell_plan(recordings, args.json);
    }
    let (mut added, mut forgotten) = (0, 0);
    for of in &selections {
        forgotten += store.forgotten(of, &recipe, &hearing).await?;
        added += store.resegment(of, &recipe, &hearing).await?;
    }
    if let Some(display) = &display {
        display.say(&format!("{} to cut anew", count(added, "recording")));
    }
    let code = fetch::work_and_tell(global, args, store, preparer, settings, display).await?;
    if forgotten > 0 {
        let told = format!(
            "{} left as they were: no probabilities of this model (and these channels) are kept for them; `prepare-audio fetch SOURCES` with \
             these parameters listens again",
            count(forgotten, "done recording")
        );
        if code == ExitCode::SUCCESS {
            anyhow::bail!(told);
        }
        tracing::warn!("{told}");
    }
    Ok(code)
}

/// The recordings that were named; each name must stand for one.
async fn selections(store: &dyn Store, args: &FetchArgs) -> anyhow::Result<Vec<Selection>> {
    if args.sources.is_empty() {
        return Ok(vec![Selection::All]);
    }
    let mut selections = Vec::new();
    for name in &args.sources {
        selections.extend(select(store, Some(name), &args.base).await?);
    }
    Ok(selections)
}

fn tell_plan(recordings: u64, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        say(&json!({ "recordings": recordings }).to_string())?;
    } else {
        say(&format!("would cut {} anew\nnothing was touched", count(recordings, "recording")))?;
    }
    Ok(ExitCode::SUCCESS)
}
