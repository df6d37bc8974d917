//! `prepare-audio retry`: failed and quarantined recordings back to pending.

use anyhow::bail;
use serde_json::json;

use super::{
    args::{GlobalArgs, RetryArgs},
    connect, exit,
    format::count,
};

pub async fn run(global: &GlobalArgs, args: &RetryArgs) -> anyhow::Result<()> {
    if args.ids.is_empty() && !args.all {
        bail!(exit::Usage(
            "name recordings by the ids that `prepare-audio status` shows, or all of them by --all".into()
        ));
    }
    let store = connect(global).await?;
    let ids = (!args.all).then_some(args.ids.as_slice());
    let retried = store.retry(ids).await?;
    if args.json {
        println!("{}", json!({ "retried": retried }));
    } else if !global.quiet {
        println!("{} back to pending", count(retried, "recording"));
    }
    if !args.all && retried < args.ids.len() as u64 {
        let others = args.ids.len() as u64 - retried;
        bail!(exit::Usage(format!(
            "{others} of the ids are not failed or quarantined; `prepare-audio status` lists those"
        )));
    }
    Ok(())
}
