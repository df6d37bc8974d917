//! `prepare-audio requeue`: what has ended, once more.

use std::collections::BTreeSet;

use anyhow::bail;
use prepare_audio::store::Again;
use serde_json::json;

use super::{args::GlobalArgs, connect_existing, exit, format::count, operator_args::RequeueArgs, say};

pub async fn run(global: &GlobalArgs, args: &RequeueArgs) -> anyhow::Result<()> {
    if args.ids.is_empty() && args.where_error.is_empty() {
        bail!(exit::Usage("name recordings by their ids, or what they failed with by --where-error CODE".into()));
    }
    let store = connect_existing(global).await?;
    let ids: Vec<i64> = args.ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let by_error = !args.where_error.is_empty();
    let again = if by_error { Again::WithError(&args.where_error) } else { Again::EvenDone(&ids) };
    let requeued = store.retry(again).await?;
    if args.json {
        say(&json!({ "requeued": requeued }).to_string())?;
    } else if !global.quiet && requeued > 0 {
        say(&format!("{} back to pending; `prepare-audio fetch` prepares them", count(requeued, "recording")))?;
    } else if !global.quiet && by_error {
        let codes = args.where_error.join(" or ");
        say(&format!("no recording failed with {codes}; `prepare-audio status` shows the codes there are"))?;
    }
    let others = (ids.len() as u64).saturating_sub(requeued);
    if others > 0 {
        bail!(exit::Usage(format!("{others} of the ids are not there, or pending or running anyway")));
    }
    Ok(())
}
