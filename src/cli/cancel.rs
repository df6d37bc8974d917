//! `prepare-audio cancel`: no more work for these.

use anyhow::bail;
use prepare_audio::store::{Selection, Store};
use serde::Serialize;

use super::{
    args::GlobalArgs, connect_existing, exit, format::count, operator_args::CancelArgs, say, segments::lookup,
};

/// What became of the order.
#[derive(Debug, Default, Serialize)]
struct Cancelled {
    /// Recordings that nobody prepares any more.
    cancelled: u64,
    /// Names that stand for no recording.
    unknown: Vec<String>,
    /// Names of recordings that were done or cancelled already.
    ended: Vec<String>,
}

pub async fn run(global: &GlobalArgs, args: &CancelArgs) -> anyhow::Result<()> {
    if args.recordings.is_empty() && !args.all_pending {
        bail!(exit::Usage("name recordings by id or source, or all that wait by --all-pending".into()));
    }
    let store = connect_existing(global).await?;
    let cancelled = if args.all_pending {
        Cancelled { cancelled: store.cancel(&Selection::Pending).await?, ..Cancelled::default() }
    } else {
        cancel(&*store, args).await?
    };
    if args.json {
        say(&serde_json::to_string(&cancelled)?)?;
    } else if !global.quiet && cancelled.cancelled > 0 {
        say(&format!(
            "{} cancelled; `prepare-audio retry ID` takes one back",
            count(cancelled.cancelled, "recording")
        ))?;
    } else if !global.quiet && args.all_pending {
        say("no recording is pending")?;
    }
    match complaint(&cancelled) {
        Some(told) => bail!(exit::Usage(told)),
        None => Ok(()),
    }
}

async fn cancel(store: &dyn Store, args: &CancelArgs) -> anyhow::Result<Cancelled> {
    let mut told = Cancelled::default();
    for name in &args.recordings {
        let found = lookup(store, name, &args.base).await?;
        let mut cancelled = 0;
        for of in &found {
            cancelled += store.cancel(of).await?;
        }
        told.cancelled += cancelled;
        if found.is_empty() {
            told.unknown.push(name.clone());
        } else if cancelled == 0 {
            told.ended.push(name.clone());
        }
    }
    Ok(told)
}

/// What is wrong with the names.
fn complaint(cancelled: &Cancelled) -> Option<String> {
    let parts =
        [(&cancelled.unknown, "no recording has this id or source"), (&cancelled.ended, "done or cancelled already")];
    let parts = parts.iter().filter(|(names, _)| !names.is_empty());
    let told: Vec<String> = parts.map(|(names, what)| format!("{}: {what}", names.join(", "))).collect();
    (!told.is_empty()).then(|| told.join("; "))
}
