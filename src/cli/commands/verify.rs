//! `prepare-audio verify`: compares segment files with their rows.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    sync::Arc,
};

use anyhow::bail;
use futures_util::TryStreamExt;
use indicatif::{DecimalBytes, ProgressBar};
use prepare_audio::{
    output::{self, Difference, wav_bytes},
    store::{Again, SegmentOf, Selection, State, Store},
};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::cli::{
    args::{BaseArgs, GlobalArgs},
    bars, database, exit,
    format::{count, plain},
    pages,
    selection::select,
    stdout::print_line,
};

/// Help below the flags.
pub const HELP: &str = "\
Exit codes: 0 all files match their rows, 1 some differ, 2 usage error, 4 the database cannot be used.

--json prints a JSON line for each file that differs, and finally a line {\"summary\": ...}.";

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Verify only the files of this recording: its id, or its source [default: all]
    #[arg(value_name = "SOURCE|ID")]
    recording: Option<String>,
    #[command(flatten)]
    base: BaseArgs,
    /// Check that the files exist and have the right length, without reading them
    #[arg(long)]
    quick: bool,
    /// Put recordings whose files differ back to pending, so that the next fetch prepares them again
    #[arg(long)]
    requeue: bool,
    /// Put them back even if no file exists at all, which usually means that a disk is not mounted
    #[arg(long, requires = "requeue")]
    force: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// The counts of a verification.
#[derive(Debug, Default)]
struct Counts {
    files: u64,
    bytes: u64,
    different: u64,
    missing: u64,
    /// Recordings whose files differ.
    recordings: BTreeSet<i64>,
    /// The output folder of the first file that is missing.
    folder: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<ExitCode> {
    let store = database::connect_existing(global).await?;
    let of = select(&store, args.recording.as_deref(), &args.base).await?;
    let bar = bar(&store, global, &of).await?;
    let mut counts = Counts::default();
    for of in &of {
        verify_all(&store, args, of, bar.as_ref(), &mut counts).await?;
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let counts = Arc::new(counts);
    let requeued = if args.requeue { requeue(&store, args, &counts).await? } else { 0 };
    store.close().await;
    print_summary(global, args, &counts, requeued)?;
    Ok(if counts.different > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A progress bar over the files, if standard error is a terminal and all recordings are verified.
async fn bar(store: &Store, global: &GlobalArgs, of: &[Selection]) -> anyhow::Result<Option<ProgressBar>> {
    if global.quiet || of != [Selection::All] || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let done = store.counts().await?.into_iter().filter(|count| count.state == State::Done);
    Ok(Some(bars::files(done.map(|count| count.segments.max(0) as u64).sum())))
}

/// Verifies the files of `of` page by page, and prints each difference.
async fn verify_all(
    store: &Store,
    args: &Args,
    of: &Selection,
    bar: Option<&ProgressBar>,
    counts: &mut Counts,
) -> anyhow::Result<()> {
    let mut pages = pin!(pages::segments(store, of));
    while let Some(page) = pages.try_next().await? {
        let page = Arc::new(page);
        let differences = verify_page(Arc::clone(&page), args.quick, bar.cloned()).await?;
        let files = page.iter().flat_map(|row| SegmentFile::of(row).map(move |file| (row, file)));
        for ((row, file), difference) in files.zip(differences) {
            counts.add(row, &file, difference.as_ref());
            if let Some(difference) = difference {
                let line = if args.json {
                    as_json(row, &file, &difference).to_string()
                } else {
                    as_text(row, &file, &difference)
                };
                bar.map_or_else(|| print_line(&line), |bar| bar.suspend(|| print_line(&line)))?;
            }
        }
    }
    Ok(())
}

/// A file as a segment's row describes it.
struct SegmentFile<'r> {
    path: &'r str,
    sha256: Option<&'r str>,
    bytes: u64,
}

impl<'r> SegmentFile<'r> {
    /// The files of a row, raw and denoised. A segment that was prepared with --no-audio has none.
    fn of(row: &'r SegmentOf) -> impl Iterator<Item = Self> {
        let segment = &row.segment;
        let samples = segment.end_sample.saturating_sub(segment.start_sample);
        // Rows of the first versions do not have the length; their files are WAV.
        let file = |path: &'r Option<String>, sha256: &'r Option<String>, bytes: Option<u64>| {
            let bytes = bytes.unwrap_or_else(|| wav_bytes(samples));
            Some(Self { path: path.as_deref()?, sha256: sha256.as_deref(), bytes })
        };
        let raw = file(&segment.path, &segment.sha256, segment.bytes);
        let denoised = file(&segment.denoised_path, &segment.denoised_sha256, segment.denoised_bytes);
        raw.into_iter().chain(denoised)
    }
}

/// Verifies the files of a page on all cores; returns the result of each, in order.
async fn verify_page(
    page: Arc<Vec<SegmentOf>>,
    quick: bool,
    bar: Option<ProgressBar>,
) -> anyhow::Result<Vec<Option<Difference>>> {
    let verify = move || {
        let of_row = |row| SegmentFile::of(row).map(|file| verify_file(&file, quick, bar.as_ref())).collect::<Vec<_>>();
        page.par_iter().flat_map_iter(of_row).collect()
    };
    Ok(tokio::task::spawn_blocking(verify).await?)
}

fn verify_file(file: &SegmentFile, quick: bool, bar: Option<&ProgressBar>) -> Option<Difference> {
    let difference = output::verify(Path::new(file.path), file.bytes, file.sha256.filter(|_| !quick));
    if let Some(bar) = bar {
        bar.inc(1);
    }
    difference
}

impl Counts {
    fn add(&mut self, row: &SegmentOf, file: &SegmentFile, difference: Option<&Difference>) {
        self.files += 1;
        match difference {
            None => self.bytes += file.bytes,
            Some(difference) => {
                self.different += 1;
                self.recordings.insert(row.recording_id);
                if *difference == Difference::Missing {
                    self.missing += 1;
                    self.folder.get_or_insert_with(|| output_folder(file.path));
                }
            }
        }
    }

    /// Whether a disk is probably not mounted: every file is missing, and their folder is missing or empty. It reads a
    /// folder, so call it on a thread that may block.
    fn is_unmounted(&self) -> bool {
        let is_empty = |folder: &PathBuf| !folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        self.missing == self.files && self.folder.as_ref().is_some_and(is_empty)
    }
}

/// The output folder of a segment's file.
fn output_folder(file: &str) -> PathBuf {
    Path::new(file).ancestors().nth(2).unwrap_or(Path::new("/")).to_owned()
}

async fn requeue(store: &Store, args: &Args, counts: &Arc<Counts>) -> anyhow::Result<u64> {
    let shared = Arc::clone(counts);
    if !args.force && tokio::task::spawn_blocking(move || shared.is_unmounted()).await? {
        let folder = counts.folder.as_deref().unwrap_or(Path::new("/")).display();
        bail!(exit::Usage(format!(
            "none of {} exists, and {folder} is missing or empty: is its disk mounted? --force puts the recordings back \
             anyway",
            count(counts.files, "file")
        )));
    }
    let ids: Vec<i64> = counts.recordings.iter().copied().collect();
    Ok(if ids.is_empty() { 0 } else { store.retry(Again::EvenDone(&ids)).await? })
}

fn as_text(row: &SegmentOf, file: &SegmentFile, difference: &Difference) -> String {
    let path = plain(file.path);
    format!("{path}: {difference} (recording {}, segment {})", row.recording_id, row.segment.idx)
}

fn as_json(row: &SegmentOf, file: &SegmentFile, difference: &Difference) -> Value {
    let mut line = json!({
        "recording_id": row.recording_id, "source": row.source, "idx": row.segment.idx, "path": file.path,
        "problem": difference.name(),
    });
    match difference {
        Difference::Length { expected, found } => {
            line["expected_bytes"] = json!(expected);
            line["found_bytes"] = json!(found);
        }
        Difference::Content(found) => {
            line["expected_sha256"] = json!(file.sha256);
            line["found_sha256"] = json!(found);
        }
        Difference::Unreadable(error) => line["error"] = json!(error),
        Difference::Missing | Difference::NotAFile => {}
    }
    line
}

fn print_summary(global: &GlobalArgs, args: &Args, counts: &Counts, requeued: u64) -> io::Result<()> {
    let recordings = counts.recordings.len() as u64;
    if args.json {
        let summary = json!({
            "files": counts.files, "good_bytes": counts.bytes, "different": counts.different,
            "missing": counts.missing, "recordings": recordings, "requeued": requeued, "quick": args.quick,
        });
        return print_line(&json!({ "summary": summary }).to_string());
    }
    if global.quiet {
        return Ok(());
    }
    let files = count(counts.files, "file");
    if counts.different == 0 {
        let basis = if args.quick { " (only their lengths were compared)" } else { "" };
        let size = DecimalBytes(counts.bytes);
        return print_line(&format!("{files} ({size}): all match their rows{basis}"));
    }
    print_line(&format!("{} of {files} differ, in {}", counts.different, count(recordings, "recording")))?;
    match (args.requeue, recordings - requeued.min(recordings)) {
        (false, _) => print_line(
            "`prepare-audio verify --requeue` puts these recordings back to pending; the next fetch prepares them again",
        ),
        (true, 0) => print_line(&format!(
            "{} back to pending; `prepare-audio fetch` prepares them again",
            count(requeued, "recording")
        )),
        (true, moved) => print_line(&format!(
            "{} back to pending; {moved} had already been put back or claimed",
            count(requeued, "recording")
        )),
    }
}
