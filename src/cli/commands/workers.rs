//! `prepare-audio workers`: which worker holds which recordings, and since when.

use prepare_audio::store::Running;
use serde_json::{Value, json};

use crate::cli::{
    args::GlobalArgs,
    database,
    format::{count, table, time},
    stdout::print_line,
};

/// Arguments of `workers`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<()> {
    let store = database::connect_existing(global).await?;
    let running = store.running().await?;
    if args.json {
        print_line(&as_json(&running).to_string())?;
    } else if !running.is_empty() {
        print_line(as_text(&running).trim_end())?;
    } else if !global.quiet {
        print_line("no worker holds a recording")?;
    }
    Ok(())
}

/// The rows of each worker. The store returns rows of the same worker one after another.
fn by_worker(running: &[Running]) -> Vec<&[Running]> {
    running.chunk_by(|one, next| one.worker == next.worker).collect()
}

fn as_json(running: &[Running]) -> Value {
    let worker = |held: &&[Running]| json!({ "worker": held[0].worker, "recordings": held });
    json!({ "workers": by_worker(running).iter().map(worker).collect::<Vec<_>>() })
}

fn as_text(running: &[Running]) -> String {
    let workers = by_worker(running);
    let rows = workers.iter().flat_map(|held| held.iter().enumerate().map(|(index, one)| row(index == 0, one)));
    let rows: Vec<Vec<String>> = rows.collect();
    let text = table(&["worker", ">recording", "source", ">held for", ">lease left", ">attempt"], &rows);
    let (recordings, workers) = (running.len() as u64, workers.len() as u64);
    text + &format!("\n{} held by {}\n", count(recordings, "recording"), count(workers, "worker"))
}

/// Only the first row of a worker shows its name.
fn row(first: bool, one: &Running) -> Vec<String> {
    let seconds = |ms: i64| time(ms.max(0) as f64 / 1000.0);
    let lease = if one.lease_left_ms < 0 { "overdue".into() } else { seconds(one.lease_left_ms) };
    let worker = if first { one.worker.clone() } else { String::new() };
    vec![worker, one.id.to_string(), one.source.clone(), seconds(one.held_ms), lease, one.attempts.to_string()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(worker: &str, id: i64, lease_left_ms: i64) -> Running {
        let (source, recipe) = (format!("{id}.wav"), "r".to_owned());
        let worker = worker.to_owned();
        Running { id, source, recipe, worker, held_ms: 61_000, lease_left_ms, attempts: 1, crashes: 0 }
    }

    #[test]
    fn recordings_are_grouped_by_worker() {
        let held = [running("a-1-x", 7, 80_000), running("a-1-x", 9, -1), running("b-2-y", 8, 500)];
        let want = "\
worker  recording  source    held for  lease left  attempt
a-1-x           7  7.wav   1 min 01 s  1 min 20 s        1
                9  9.wav   1 min 01 s     overdue        1
b-2-y           8  8.wav   1 min 01 s       0.5 s        1

3 recordings held by 2 workers
";
        assert_eq!(as_text(&held), want);
        let json = as_json(&held);
        assert_eq!(json["workers"][0]["recordings"][1]["lease_left_ms"], -1);
        assert_eq!(json["workers"][1]["worker"], "b-2-y");
    }
}
