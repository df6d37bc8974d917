//! `prepare-audio retry`: makes failed and quarantined recordings pending again.

use anyhow::bail;
use prepare_audio::store::Again;
use serde_json::json;

use crate::cli::{args::GlobalArgs, database, exit, format::count, stdout::print_line};

/// Arguments of `retry`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids of failed, quarantined or cancelled recordings, as status shows them
    pub ids: Vec<i64>,
    /// Retry every failed and quarantined recording
    #[arg(long, conflicts_with = "ids")]
    pub all: bool,
    /// Print the count as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<()> {
    if args.ids.is_empty() && !args.all {
        bail!(exit::Usage("name recordings by the ids that `prepare-audio status` shows, or use --all".into()));
    }
    let store = database::connect_existing(global).await?;
    let again = if args.all { Again::Unsuccessful } else { Again::These(&args.ids) };
    let retried = store.retry(again).await?;
    let others = (args.ids.len() as u64).saturating_sub(retried);
    if args.json {
        print_line(&json!({ "retried": retried }).to_string())?;
    } else if !global.quiet && retried > 0 {
        print_line(&format!("{} back to pending; `prepare-audio fetch` prepares them", count(retried, "recording")))?;
    } else if !global.quiet && args.all {
        print_line("no recording is failed or quarantined")?;
    }
    if !args.all && others > 0 {
        bail!(exit::Usage(format!(
            "{others} of the ids are not failed, quarantined or cancelled; `prepare-audio status` lists the newest failures"
        )));
    }
    Ok(())
}
