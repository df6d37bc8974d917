//! `prepare-audio retry`: failed and quarantined recordings back to pending.

use anyhow::bail;
use prepare_audio::store::Again;
use serde_json::json;

use super::{
    args::{GlobalArgs, RetryArgs},
    connect_existing, exit,
    format::count,
    say,
};

pub async fn run(global: &GlobalArgs, args: &RetryArgs) -> anyhow::Result<()> {
    if args.ids.is_empty() && !args.all {
        bail!(exit::Usage(
            "name recordings by the ids that `prepare-audio status` shows, or all of them by --all".into()
        ));
    }
    let store = connect_existing(global).await?;
    let again = if args.all { Again::Unsuccessful } else { Again::These(&args.ids) };
    let retried = store.retry(again).await?;
    let others = (args.ids.len() as u64).saturating_sub(retried);
    if args.json {
        say(&json!({ "retried": retried }).to_string())?;
    } else if !global.quiet && retried > 0 {
        say(&format!("{} back to pending; `prepare-audio fetch` prepares them", count(retried, "recording")))?;
    } else if !global.quiet && args.all {
        say("no recording is failed or quarantined")?;
    }
    if !args.all && others > 0 {
        bail!(exit::Usage(format!(
            "{others} of the ids are not failed, quarantined or cancelled; `prepare-audio status` lists those that are"
        )));
    }
    Ok(())
}
