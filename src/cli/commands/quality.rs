//! `prepare-audio quality`: which segments have quality figures, and computing those that are missing.

use std::{
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use indicatif::ProgressBar;
use prepare_audio::{
    backfill::{self, Measured, Settings},
    pool::Pool,
    store::{QualityCounts, Selection, Store},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::cli::{
    args::{BaseArgs, DnsmosArgs, GlobalArgs, worker_count},
    bars, database, exit,
    format::{count, plain, time},
    selection::select,
    stdout::print_line,
};

/// Help below the flags.
pub const HELP: &str = "\
Examples:
  prepare-audio quality                        how many segments have figures, and how many have scores
  prepare-audio quality --backfill             compute those that an earlier version did not have
  prepare-audio quality --backfill --dnsmos    and DNSMOS scores, where they are missing

It reads the recordings again, not the segments' files, and changes no segment: figures are those that a fresh run would
have. An interrupted run goes on where it stopped.

Exit codes: 0 all measured, 1 some recordings failed, 2 usage error, 3 all failed, 4 the database cannot be used,
130 interrupted.

--json prints a JSON line for each recording that fails, and finally a line {\"summary\": ...}.";

/// Arguments of `quality`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these recordings: ids, or sources [default: all]
    #[arg(value_name = "SOURCE|ID")]
    sources: Vec<String>,
    /// Compute missing figures from the recordings, and with --dnsmos missing scores
    #[arg(long)]
    backfill: bool,
    #[command(flatten)]
    dnsmos: DnsmosArgs,
    /// Recordings measured at a time [default: the number of cores]
    #[arg(short, long, value_name = "N", env = "PREPARE_AUDIO_WORKERS", value_parser = worker_count)]
    workers: Option<usize>,
    #[command(flatten)]
    base: BaseArgs,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: Args) -> anyhow::Result<ExitCode> {
    let store = database::connect_existing(global).await?;
    let mut of = Vec::new();
    for source in &args.sources {
        of.extend(select(&store, Some(source), &args.base).await?);
    }
    if args.sources.is_empty() {
        of.push(Selection::All);
    }
    let counts = counts(&store, &of).await?;
    let code = if args.backfill {
        backfill(&store, global, args, &of, &counts).await?
    } else {
        print_counts(global, &args, &counts)?;
        ExitCode::SUCCESS
    };
    store.close().await;
    Ok(code)
}

async fn counts(store: &Store, of: &[Selection]) -> anyhow::Result<QualityCounts> {
    let mut all = QualityCounts::default();
    for of in of {
        let counts = store.quality_counts(of).await?;
        all.segments += counts.segments;
        all.measured += counts.measured;
        all.scored += counts.scored;
        all.unmeasured_recordings += counts.unmeasured_recordings;
        all.unscored_recordings += counts.unscored_recordings;
    }
    Ok(all)
}

fn print_counts(global: &GlobalArgs, args: &Args, counts: &QualityCounts) -> io::Result<()> {
    let QualityCounts { segments, measured, scored, unmeasured_recordings, unscored_recordings } = *counts;
    if args.json {
        let summary = json!({
            "segments": segments, "measured": measured, "scored": scored,
            "unmeasured_recordings": unmeasured_recordings, "unscored_recordings": unscored_recordings,
        });
        return print_line(&json!({ "summary": summary }).to_string());
    }
    if global.quiet {
        return Ok(());
    }
    print_line(&format!(
        "{}: {measured} with quality figures, {scored} with DNSMOS scores",
        count(segments, "segment")
    ))?;
    if unmeasured_recordings > 0 {
        let recordings = count(unmeasured_recordings, "recording");
        print_line(&format!("`prepare-audio quality --backfill` computes the missing figures of {recordings}"))?;
    }
    Ok(())
}

/// What was done so far.
#[derive(Debug, Default)]
struct Totals {
    recordings: u64,
    segments: u64,
    seconds: f64,
    failed: u64,
    replaced: u64,
}

async fn backfill(
    store: &Arc<Store>,
    global: &GlobalArgs,
    args: Args,
    of: &[Selection],
    counts: &QualityCounts,
) -> anyhow::Result<ExitCode> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let Args { dnsmos, workers, base, json, .. } = args;
    let settings = Settings {
        audio_dir: std::path::absolute(base.audio_dir.as_deref().unwrap_or(Path::new(".")))?,
        workers: workers.unwrap_or(cores),
        dnsmos: tokio::task::spawn_blocking(move || dnsmos.open()).await??,
    };
    let pool = Pool::new(settings.workers)?;
    let missing = match settings.dnsmos {
        Some(_) => counts.unmeasured_recordings.max(counts.unscored_recordings),
        None => counts.unmeasured_recordings,
    };
    let bar = (!global.quiet && io::stderr().is_terminal()).then(|| bars::recordings(missing));
    let stop = CancellationToken::new();
    let signal = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            signal.cancel();
        }
    });
    let mut totals = Totals::default();
    let mut printed = Ok(());
    for of in of {
        let report = |measured| {
            if printed.is_ok() {
                printed = totals.add(measured, json, bar.as_ref());
            }
        };
        backfill::backfill(store, of, &settings, &pool, &stop, report).await?;
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    printed?;
    totals.print(global, json)?;
    Ok(match (stop.is_cancelled(), totals.failed, totals.recordings) {
        (true, ..) => ExitCode::from(exit::INTERRUPTED),
        (_, 0, _) => ExitCode::SUCCESS,
        (_, _, 0) => ExitCode::from(exit::ALL_FAILED),
        _ => ExitCode::from(exit::SOME_FAILED),
    })
}

impl Totals {
    /// Counts a recording, and prints it if it failed.
    fn add(&mut self, measured: Measured, json: bool, bar: Option<&ProgressBar>) -> io::Result<()> {
        if let Some(bar) = bar {
            bar.inc(1);
        }
        let Measured { id, source, seconds, outcome } = measured;
        let unmeasured = match outcome {
            Ok(segments) => {
                self.recordings += 1;
                self.segments += segments;
                self.seconds += seconds;
                return Ok(());
            }
            Err(backfill::Unmeasured::Replaced(_)) => {
                self.replaced += 1;
                return Ok(());
            }
            Err(unmeasured) => unmeasured,
        };
        self.failed += 1;
        let (code, message) = (unmeasured.code(), unmeasured.to_string());
        let print = || {
            if json {
                let line = json!({ "id": id, "source": source, "error_code": code, "error": message });
                return print_line(&line.to_string());
            }
            eprintln!("recording {id}: {}", plain(&message));
            Ok(())
        };
        bar.map_or_else(print, |bar| bar.suspend(print))
    }

    fn print(&self, global: &GlobalArgs, json: bool) -> io::Result<()> {
        let Self { recordings, segments, seconds, failed, replaced } = self;
        if json {
            let summary = json!({
                "recordings": recordings, "segments": segments, "seconds": seconds, "failed": failed,
                "replaced": replaced,
            });
            return print_line(&json!({ "summary": summary }).to_string());
        }
        if global.quiet {
            return Ok(());
        }
        let measured = count(*segments, "segment");
        print_line(&format!("{measured} of {} ({}) measured", count(*recordings, "recording"), time(*seconds)))?;
        if *failed > 0 {
            let failed = count(*failed, "recording");
            print_line(&format!(
                "{failed} not measured; `prepare-audio requeue ID` prepares a changed recording again"
            ))?;
        }
        Ok(())
    }
}
