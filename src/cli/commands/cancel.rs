//! `prepare-audio cancel`: cancels pending and running recordings.

use anyhow::bail;
use prepare_audio::store::{Selection, Store};
use serde::Serialize;

use crate::cli::{
    args::{BaseArgs, GlobalArgs},
    database, exit,
    format::count,
    selection::lookup,
    stdout::print_line,
};

/// Arguments of `cancel`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recordings: ids, or sources (files, folders, lists as `add` takes them)
    #[arg(value_name = "ID|SOURCE")]
    pub recordings: Vec<String>,
    /// Cancel every pending recording, but no running one
    #[arg(long, conflicts_with = "recordings")]
    pub all_pending: bool,
    #[command(flatten)]
    pub base: BaseArgs,
    /// Print the counts as JSON
    #[arg(long)]
    pub json: bool,
}

/// The outcome of the command.
#[derive(Debug, Default, Serialize)]
struct Cancelled {
    /// Number of recordings that were cancelled.
    cancelled: u64,
    /// Names without a recording.
    unknown: Vec<String>,
    /// Names of recordings that were done or cancelled already.
    ended: Vec<String>,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<()> {
    if args.recordings.is_empty() && !args.all_pending {
        bail!(exit::Usage("name recordings by id or source, or use --all-pending".into()));
    }
    let store = database::connect_existing(global).await?;
    let cancelled = if args.all_pending {
        Cancelled { cancelled: store.cancel(&Selection::Pending).await?, ..Cancelled::default() }
    } else {
        cancel_named(&store, args).await?
    };
    if args.json {
        print_line(&serde_json::to_string(&cancelled)?)?;
    } else if !global.quiet && cancelled.cancelled > 0 {
        let recordings = count(cancelled.cancelled, "recording");
        print_line(&format!("{recordings} cancelled; `prepare-audio retry ID` makes one pending again"))?;
    } else if !global.quiet && args.all_pending {
        print_line("no recording is pending")?;
    }
    match refusals(&cancelled) {
        Some(message) => bail!(exit::Usage(message)),
        None => Ok(()),
    }
}

async fn cancel_named(store: &Store, args: &Args) -> anyhow::Result<Cancelled> {
    let mut outcome = Cancelled::default();
    for name in &args.recordings {
        let found = lookup(store, name, &args.base).await?;
        let mut cancelled = 0;
        for of in &found {
            cancelled += store.cancel(of).await?;
        }
        outcome.cancelled += cancelled;
        if found.is_empty() {
            outcome.unknown.push(name.clone());
        } else if cancelled == 0 {
            outcome.ended.push(name.clone());
        }
    }
    Ok(outcome)
}

/// The names that could not be cancelled, with the reasons.
fn refusals(cancelled: &Cancelled) -> Option<String> {
    let parts =
        [(&cancelled.unknown, "no recording has this id or source"), (&cancelled.ended, "done or cancelled already")];
    let parts = parts.iter().filter(|(names, _)| !names.is_empty());
    let lines: Vec<String> = parts.map(|(names, reason)| format!("{}: {reason}", names.join(", "))).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}
