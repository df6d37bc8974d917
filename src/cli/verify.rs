//! `prepare-audio verify`: rows against files.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::bail;
use clap::Args;
use indicatif::ProgressBar;
use prepare_audio::{
    output::{Difference, check, wav_bytes},
    store::{Again, SegmentOf, Selection, State, Store},
};
use rayon::prelude::*;
use serde_json::{Value, json};

use super::{
    args::{BaseArgs, GlobalArgs},
    connect_existing, exit,
    format::{bytes, count, plain},
    progress, say,
    segments::select,
};

/// Rows looked at side by side: enough for all cores, few enough to be held.
const PAGE: usize = 1000;

pub const HELP: &str = "\
Exit codes: 0 all files are as their rows say, 1 some differ, 2 usage, 4 the database.

--json prints a JSON line for each file that differs, and last a line {\"summary\": ...}.";

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Only the files of this recording: its id, or its source [default: all]
    #[arg(value_name = "SOURCE|ID")]
    recording: Option<String>,
    #[command(flatten)]
    base: BaseArgs,
    /// Look for the files and at their lengths, and do not read them
    #[arg(long)]
    quick: bool,
    /// Put the recordings whose files differ back to pending, so that the next fetch makes them anew
    #[arg(long)]
    requeue: bool,
    /// Put them back although not one file is there, as when a disk is not mounted
    #[arg(long, requires = "requeue")]
    force: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Default)]
struct Tally {
    files: u64,
    bytes: u64,
    different: u64,
    missing: u64,
    /// Recordings whose files differ.
    recordings: BTreeSet<i64>,
    /// The output folder of the first file that is missing.
    folder: Option<PathBuf>,
}

pub async fn run(global: &GlobalArgs, args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let store = connect_existing(global).await?;
    let of = select(&*store, args.recording.as_deref(), &args.base).await?;
    let bar = bar(&*store, global, &of).await?;
    let mut tally = Tally::default();
    for of in &of {
        look_at_all(&*store, args, of, bar.as_ref(), &mut tally).await?;
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let requeued = if args.requeue { requeue(&*store, args, &tally).await? } else { 0 };
    store.close().await;
    tell(global, args, &tally, requeued)?;
    Ok(if tally.different > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A bar over the files, where a terminal shows it.
async fn bar(store: &dyn Store, global: &GlobalArgs, of: &[Selection]) -> anyhow::Result<Option<ProgressBar>> {
    if global.quiet || of != [Selection::All] || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let done = store.counts().await?.into_iter().filter(|count| count.state == State::Done);
    Ok(Some(progress::files(done.map(|count| count.segments.max(0) as u64).sum())))
}

async fn look_at_all(
    store: &dyn Store,
    args: &VerifyArgs,
    of: &Selection,
    bar: Option<&ProgressBar>,
    tally: &mut Tally,
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = Arc::new(store.segments(of, after, PAGE).await?);
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.recording_id, last.segment.idx));
        let (rows, quick, shown) = (Arc::clone(&page), args.quick, bar.cloned());
        let look = move || -> Vec<Option<Difference>> {
            rows.par_iter().map(|row| look_at(row, quick, shown.as_ref())).collect()
        };
        let differences = tokio::task::spawn_blocking(look).await?;
        for (row, difference) in page.iter().zip(differences).filter(|(row, _)| row.segment.path.is_some()) {
            tally.count(row, difference.as_ref());
            if let Some(difference) = difference {
                let line = if args.json { as_json(row, &difference).to_string() } else { as_text(row, &difference) };
                bar.map_or_else(|| say(&line), |bar| bar.suspend(|| say(&line)))?;
            }
        }
    }
}

fn look_at(row: &SegmentOf, quick: bool, bar: Option<&ProgressBar>) -> Option<Difference> {
    let segment = &row.segment;
    // With --no-audio there is no file, and nothing to look at.
    let path = segment.path.as_deref()?;
    let difference = check(Path::new(path), expected_bytes(row), segment.sha256.as_deref().filter(|_| !quick));
    if let Some(bar) = bar {
        bar.inc(1);
    }
    difference
}

/// How long the row says that its file is.
fn expected_bytes(row: &SegmentOf) -> u64 {
    let segment = &row.segment;
    let samples = segment.end_sample.saturating_sub(segment.start_sample).max(0) as u64;
    segment.bytes.map_or_else(|| wav_bytes(samples), |bytes| bytes.max(0) as u64)
}

impl Tally {
    fn count(&mut self, row: &SegmentOf, difference: Option<&Difference>) {
        self.files += 1;
        match difference {
            None => self.bytes += expected_bytes(row),
            Some(difference) => {
                self.different += 1;
                self.recordings.insert(row.recording_id);
                if *difference == Difference::Missing {
                    self.missing += 1;
                    self.folder.get_or_insert_with(|| above(path_of(row)));
                }
            }
        }
    }

    /// Whether it looks as if a disk were not mounted rather than as if files were lost.
    fn is_unmounted(&self) -> bool {
        let is_empty = |folder: &PathBuf| !folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        self.missing == self.files && self.folder.as_ref().is_some_and(is_empty)
    }
}

/// The segment's file; only rows that have one are looked at.
fn path_of(row: &SegmentOf) -> &str {
    row.segment.path.as_deref().unwrap_or_default()
}

/// The output folder of a segment's file.
fn above(file: &str) -> PathBuf {
    Path::new(file).ancestors().nth(2).unwrap_or(Path::new("/")).to_owned()
}

async fn requeue(store: &dyn Store, args: &VerifyArgs, tally: &Tally) -> anyhow::Result<u64> {
    if tally.is_unmounted() && !args.force {
        let folder = tally.folder.as_deref().unwrap_or(Path::new("/")).display();
        bail!(exit::Usage(format!(
            "not one of {} is there, and {folder} is missing or empty: is its disk mounted? --force puts the recordings \
             back all the same",
            count(tally.files, "file")
        )));
    }
    let ids: Vec<i64> = tally.recordings.iter().copied().collect();
    Ok(if ids.is_empty() { 0 } else { store.retry(Again::EvenDone(&ids)).await? })
}

fn as_text(row: &SegmentOf, difference: &Difference) -> String {
    let path = plain(path_of(row));
    format!("{path}: {difference} (recording {}, segment {})", row.recording_id, row.segment.idx)
}

fn as_json(row: &SegmentOf, difference: &Difference) -> Value {
    let mut line = json!({
        "recording_id": row.recording_id, "source": row.source, "idx": row.segment.idx, "path": path_of(row),
        "problem": difference.name(),
    });
    match difference {
        Difference::Length { expected, found } => {
            line["expected_bytes"] = json!(expected);
            line["found_bytes"] = json!(found);
        }
        Difference::Content(found) => {
            line["expected_sha256"] = json!(row.segment.sha256);
            line["found_sha256"] = json!(found);
        }
        Difference::Unreadable(error) => line["error"] = json!(error),
        Difference::Missing | Difference::NotAFile => {}
    }
    line
}

fn tell(global: &GlobalArgs, args: &VerifyArgs, tally: &Tally, requeued: u64) -> io::Result<()> {
    let recordings = tally.recordings.len() as u64;
    if args.json {
        let summary = json!({
            "files": tally.files, "good_bytes": tally.bytes, "different": tally.different,
            "missing": tally.missing, "recordings": recordings, "requeued": requeued, "quick": args.quick,
        });
        return say(&json!({ "summary": summary }).to_string());
    }
    if global.quiet {
        return Ok(());
    }
    let files = count(tally.files, "file");
    if tally.different == 0 {
        let looked = if args.quick { ", to judge by their lengths" } else { "" };
        return say(&format!("{files} ({}): all as their rows say{looked}", bytes(tally.bytes)));
    }
    say(&format!("{} of {files} differ, in {}", tally.different, count(recordings, "recording")))?;
    match (args.requeue, recordings - requeued.min(recordings)) {
        (false, _) => {
            say("`prepare-audio verify --requeue` puts these recordings back, for the next fetch to make anew")
        }
        (true, 0) => {
            say(&format!("{} back to pending; `prepare-audio fetch` makes them anew", count(requeued, "recording")))
        }
        (true, moved) => say(&format!(
            "{} back to pending; {moved} had been put back or taken up meanwhile",
            count(requeued, "recording")
        )),
    }
}
