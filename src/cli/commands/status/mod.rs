//! `prepare-audio status`: counts by state, speed, and the newest failures.

mod throughput;

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use prepare_audio::store::{Failure, StateCount};
use serde_json::json;

use self::throughput::{Rates, Sample, Window};
use crate::cli::{args::GlobalArgs, database, format};

/// Number of failures that are shown.
const FAILURES: usize = 10;
/// Interval of --watch.
const INTERVAL: Duration = Duration::from_secs(2);
/// Clears the screen and moves the cursor to its first position (ECMA-48).
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the status as JSON
    #[arg(long)]
    pub json: bool,
    /// Repeat every two seconds until Ctrl-C, with the rates of the last minute and the remaining time
    #[arg(long)]
    pub watch: bool,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<()> {
    let store = database::connect_existing(global).await?;
    let (started, mut window) = (Instant::now(), Window::default());
    loop {
        let (states, failures) = (store.counts().await?, store.failures(false, FAILURES).await?);
        let rates = window.add(Sample::of(started.elapsed(), &states));
        let text = if args.json { as_json(&states, &failures, rates) } else { as_text(&states, &failures, rates) };
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
            () = tokio::time::sleep(INTERVAL) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

fn as_json(states: &[StateCount], failures: &[Failure], rates: Option<Rates>) -> String {
    let line = json!({ "states": states, "speed_x_real_time": speed(states), "rates": rates, "failures": failures });
    format!("{line}\n")
}

fn as_text(states: &[StateCount], failures: &[Failure], rates: Option<Rates>) -> String {
    if states.is_empty() {
        return "no recordings yet; add some with `prepare-audio add` or `prepare-audio fetch SOURCES`\n".into();
    }
    let rows: Vec<Vec<String>> = states.iter().map(state_row).collect();
    let mut text = format::table(&["state", ">recordings", ">audio", ">speech", ">segments"], &rows);
    if let Some(speed) = speed(states) {
        text += &format!("\none worker prepares {speed:.0} times real time\n");
    }
    if let Some(rates) = rates {
        text += &rates_text(&rates);
    }
    let warned: i64 = states.iter().map(|s| s.warned).sum();
    if warned > 0 {
        let recordings = format::count(warned as u64, "recording");
        text += &format!(
            "\n{recordings} prepared with warnings (damage, channels that cancel each other); they are in the column \
             `warnings` of the table recording\n"
        );
    }
    if !failures.is_empty() {
        text += &failures_text(failures, states);
    }
    text
}

fn rates_text(rates: &Rates) -> String {
    let Rates { recordings_per_minute, audio_x_real_time, .. } = rates;
    let left = match rates.left_s {
        Some(0.0) => "nothing left to do".into(),
        Some(seconds) => format!("about {} left", format::time(seconds)),
        None => "no recording ended in this time".into(),
    };
    format!(
        "\nlast minute: {recordings_per_minute:.1} recordings per minute, {audio_x_real_time:.0} times real time; {left}\n"
    )
}

fn state_row(count: &StateCount) -> Vec<String> {
    let known = |seconds: f64| if count.duration_s > 0.0 { format::time(seconds) } else { "-".into() };
    let segments = if count.duration_s > 0.0 { count.segments.to_string() } else { "-".into() };
    let name = format!("{:?}", count.state).to_lowercase();
    vec![name, count.recordings.to_string(), known(count.duration_s), known(count.speech_s), segments]
}

/// Seconds of audio per second of a worker's time.
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
    text + "\nonce the cause is fixed: prepare-audio retry ID... (or --all), then prepare-audio fetch\n"
}

fn is_failure(count: &StateCount) -> bool {
    use prepare_audio::store::State::{Failed, Quarantined};
    matches!(count.state, Failed | Quarantined)
}
