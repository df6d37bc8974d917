//! `prepare-audio quarantine list`: lists the recordings that crash the process.

use std::time::{Duration, UNIX_EPOCH};

use prepare_audio::store::{Failure, State, Store};
use serde_json::json;

use crate::cli::{args::GlobalArgs, database, format::table, stdout::print_line};

/// Arguments of `quarantine`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: QuarantineCommand,
}

/// The subcommands of `quarantine`.
#[derive(Debug, clap::Subcommand)]
pub enum QuarantineCommand {
    /// List quarantined recordings, the newest first; `prepare-audio retry ID` releases one
    List(ListArgs),
}

/// Arguments of `quarantine list`.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Show at most this many
    #[arg(long, value_name = "N", default_value = "100")]
    pub limit: usize,
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<()> {
    match &args.command {
        QuarantineCommand::List(args) => list(global, args).await,
    }
}

async fn list(global: &GlobalArgs, args: &ListArgs) -> anyhow::Result<()> {
    let store = database::connect_existing(global).await?;
    let (listed, all) = (store.failures(true, args.limit).await?, quarantined(&store).await?);
    if args.json {
        print_line(&json!({ "recordings": all, "quarantined": listed }).to_string())?;
    } else if !listed.is_empty() {
        print_line(as_text(&listed, all).trim_end())?;
    } else if !global.quiet {
        print_line(if all > 0 { "--limit 0 shows no recordings" } else { "no recording is quarantined" })?;
    }
    Ok(())
}

/// The number of quarantined recordings.
async fn quarantined(store: &Store) -> anyhow::Result<i64> {
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
    text + "\nonce the cause is fixed: prepare-audio retry ID..., then prepare-audio fetch\n"
}

/// Milliseconds since 1970 as `2026-01-31T12:00:00Z`.
fn moment(ms: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(ms.clamp(0, 253_402_300_799_000) as u64); // the end of the year 9999
    humantime::format_rfc3339_seconds(time).to_string()
}
