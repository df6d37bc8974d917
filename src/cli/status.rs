//! `prepare-audio status`: how far it is, and what went wrong.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use prepare_audio::store::{Failure, StateCount, Store};
use serde_json::json;

use super::{
    args::{GlobalArgs, StatusArgs},
    connect_existing, format,
};

/// Failures that are shown.
const FAILURES: usize = 10;
/// How often --watch looks.
const EVERY: Duration = Duration::from_secs(2);
/// Clears the screen and goes to its corner (ECMA-48).
const CLEAR: &str = "\x1b[2J\x1b[H";

pub async fn run(global: &GlobalArgs, args: &StatusArgs) -> anyhow::Result<()> {
    let store = connect_existing(global).await?;
    loop {
        let text = if args.json { as_json(&*store).await? } else { as_text(&*store).await? };
        let mut out = io::stdout().lock();
        if args.watch && !args.json && out.is_terminal() {
            out.write_all(CLEAR.as_bytes())?;
        }
        out.write_all(text.as_bytes())?;
        out.flush()?;
        drop(out);
        if !args.watch {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

async fn as_json(store: &dyn Store) -> anyhow::Result<String> {
    let (states, failures) = (store.counts().await?, store.failures(false, FAILURES).await?);
    let line = json!({ "states": states, "speed_x_real_time": speed(&states), "failures": failures });
    Ok(format!("{line}\n"))
}

async fn as_text(store: &dyn Store) -> anyhow::Result<String> {
    let (states, failures) = (store.counts().await?, store.failures(false, FAILURES).await?);
    if states.is_empty() {
        return Ok("no recordings yet; add some with `prepare-audio add` or `prepare-audio fetch SOURCES`\n".into());
    }
    let rows: Vec<Vec<String>> = states.iter().map(state_row).collect();
    let mut text = format::table(&["state", ">recordings", ">audio", ">speech", ">segments"], &rows);
    if let Some(speed) = speed(&states) {
        text += &format!("\none worker prepares {speed:.0} times real time\n");
    }
    let damaged: i64 = states.iter().map(|s| s.damaged).sum();
    if damaged > 0 {
        let told = format::count(damaged as u64, "recording");
        text += &format!("\n{told} damaged (truncated or decode_errors in their rows): prepared what they hold\n");
    }
    if !failures.is_empty() {
        text += &failures_text(&failures, &states);
    }
    Ok(text)
}

fn state_row(count: &StateCount) -> Vec<String> {
    let known = |seconds: f64| if count.duration_s > 0.0 { format::time(seconds) } else { "-".into() };
    let segments = if count.duration_s > 0.0 { count.segments.to_string() } else { "-".into() };
    let name = format!("{:?}", count.state).to_lowercase();
    vec![name, count.recordings.to_string(), known(count.duration_s), known(count.speech_s), segments]
}

/// Seconds of audio for each second that a worker spent.
fn speed(states: &[StateCount]) -> Option<f64> {
    let audio: f64 = states.iter().map(|s| s.duration_s).sum();
    let spent: f64 = states.iter().map(|s| s.total_ms).sum::<f64>() / 1000.0;
    (spent > 0.0).then(|| audio / spent)
}

fn failures_text(failures: &[Failure], states: &[StateCount]) -> String {
    let all: i64 = states.iter().filter(|s| is_failure(s)).map(|s| s.recordings).sum();
    let mut text = format!("\nnewest failures ({} of {all}):\n", failures.len());
    for failure in failures {
        text += &format!("  {}  {}  {}\n", failure.id, failure.error_code, format::plain(&failure.error));
    }
    text + "\nwhen the cause is mended: prepare-audio retry ID... (or --all), then prepare-audio fetch\n"
}

fn is_failure(count: &StateCount) -> bool {
    use prepare_audio::store::State::{Failed, Quarantined};
    matches!(count.state, Failed | Quarantined)
}
