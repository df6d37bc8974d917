//! `prepare-audio requeue`: makes recordings that have ended pending again.

use std::collections::BTreeSet;

use anyhow::bail;
use prepare_audio::{
    store::{Again, Store},
    types::ErrorCode,
};
use serde_json::json;

use crate::cli::{args::GlobalArgs, database, exit, format::count, stdout::print_line};

/// Arguments of `requeue`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids of failed, quarantined, cancelled or done recordings. The files of a done one stay until it is done again
    pub ids: Vec<i64>,
    /// Every failed or quarantined recording with this error code, as `status` shows it; may be given several times
    #[arg(long, value_name = "CODE", conflicts_with = "ids")]
    pub where_error: Vec<String>,
    /// Print the count as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<()> {
    if args.ids.is_empty() && args.where_error.is_empty() {
        bail!(exit::Usage("name recordings by their ids, or by their error code with --where-error CODE".into()));
    }
    let store = database::connect_existing(global).await?;
    let ids: Vec<i64> = args.ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let by_error = !args.where_error.is_empty();
    if by_error {
        refuse_unknown(&store, &args.where_error).await?;
    }
    let again = if by_error { Again::WithError(&args.where_error) } else { Again::EvenDone(&ids) };
    let requeued = store.retry(again).await?;
    if args.json {
        print_line(&json!({ "requeued": requeued }).to_string())?;
    } else if !global.quiet && requeued > 0 {
        print_line(&format!("{} back to pending; `prepare-audio fetch` prepares them", count(requeued, "recording")))?;
    } else if !global.quiet && by_error {
        let codes = args.where_error.join(" or ");
        print_line(&format!("no recording failed with {codes}; `prepare-audio status` shows the newest failures"))?;
    }
    let others = (ids.len() as u64).saturating_sub(requeued);
    if others > 0 {
        bail!(exit::Usage(format!("{others} of the ids do not exist, or are pending or running already")));
    }
    Ok(())
}

/// Refuses a misspelt code, because the answer "no recording failed with it" would look like success. A code that a row
/// has is accepted even if this version does not know it.
async fn refuse_unknown(store: &Store, codes: &[String]) -> anyhow::Result<()> {
    let present = store.error_codes().await?;
    let is_known = |code: &str| code.parse::<ErrorCode>().is_ok() || present.iter().any(|(known, _)| known == code);
    let unknown: Vec<&str> = codes.iter().map(String::as_str).filter(|code| !is_known(code)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let failed_with = match &present[..] {
        [] => "no recording has failed".to_owned(),
        present => {
            let codes: Vec<String> =
                present.iter().map(|(code, recordings)| format!("{code} ({recordings})")).collect();
            format!("recordings failed with {}", codes.join(", "))
        }
    };
    let mut all: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    all.sort_unstable();
    bail!(exit::Usage(format!(
        "--where-error: unknown code {}; {failed_with}. The codes are {}",
        unknown.join(" or "),
        all.join(", ")
    )));
}
