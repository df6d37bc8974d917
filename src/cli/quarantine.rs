//! `prepare-audio quarantine list`: what takes processes down.

use std::time::{Duration, UNIX_EPOCH};

use prepare_audio::store::{Failure, State, Store};
use serde_json::json;

use super::{
    args::GlobalArgs,
    connect_existing,
    format::table,
    operator_args::{QuarantineArgs, QuarantineCommand, QuarantineListArgs},
    say,
};

pub async fn run(global: &GlobalArgs, args: &QuarantineArgs) -> anyhow::Result<()> {
    match &args.command {
        QuarantineCommand::List(args) => list(global, args).await,
    }
}

async fn list(global: &GlobalArgs, args: &QuarantineListArgs) -> anyhow::Result<()> {
    let store = connect_existing(global).await?;
    let (listed, all) = (store.failures(true, args.limit).await?, all(&*store).await?);
    if args.json {
        say(&json!({ "recordings": all, "quarantined": listed }).to_string())?;
    } else if !listed.is_empty() {
        say(as_text(&listed, all).trim_end())?;
    } else if !global.quiet {
        say(if all > 0 { "nothing is shown with --limit 0" } else { "no recording is quarantined" })?;
    }
    Ok(())
}

async fn all(store: &dyn Store) -> anyhow::Result<i64> {
    let counts = store.counts().await?;
    Ok(counts.iter().filter(|count| count.state == State::Quarantined).map(|count| count.recordings).sum())
}

fn as_text(listed: &[Failure], all: i64) -> String {
    let rows: Vec<Vec<String>> = listed
        .iter()
        .map(|one| {
            let (attempts, crashes) = (one.attempts.to_string(), one.crashes.to_string());
            let when = moment(one.finished_at);
            vec![one.id.to_string(), one.source.clone(), attempts, crashes, when, one.error.clone()]
        })
        .collect();
    let mut text = table(&[">id", "source", ">attempts", ">crashes", "when", "error"], &rows);
    if (listed.len() as i64) < all {
        text += &format!("\nthe newest {} of {all}; --limit shows more\n", listed.len());
    }
    text + "\nwhen the cause is mended: prepare-audio retry ID..., then prepare-audio fetch\n"
}

/// Milliseconds since 1970 as `2026-01-31T12:00:00Z`.
fn moment(ms: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(ms.clamp(0, 253_402_300_799_000) as u64); // the end of the year 9999
    humantime::format_rfc3339_seconds(time).to_string()
}
