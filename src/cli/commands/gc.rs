//! `prepare-audio gc`: removes files that no row refers to.

use std::{
    collections::HashSet,
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use futures_util::TryStreamExt;
use indicatif::DecimalBytes;
use prepare_audio::{
    output::{OutputFolder, Sweep, Swept},
    pipeline::SegmentOutput,
    store::Store,
};
use serde_json::json;
use tokio::task::spawn_blocking;

use crate::cli::{args::GlobalArgs, database, exit, format::count, pages, stdout::print_line};

/// Number of folders that are examined in one call on a blocking thread.
const BATCH: usize = 256;

/// Help below the flags.
pub const HELP: &str = "\
Removed: segment files that no row of the database refers to, temporary files (.tmp.*), and recordings' folders that \
are empty then. Kept: files with other names, links, everything that belongs to a running recording, and everything \
that was changed within --older-than. gc may run at the same time as fetch.

An output folder belongs to one database: give both the same values as for fetch.

Exit codes: 0 done, 1 a folder could not be cleared, 2 usage error, 4 the database cannot be used.";

/// Arguments of `gc`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with the segments
    #[arg(short, long, value_name = "DIR", env = "OUTPUT_DIR", default_value = "segments")]
    output: PathBuf,
    /// Keep files that were written, linked or renamed within this time
    #[arg(long, value_name = "TIME", default_value = "3d", value_parser = age)]
    older_than: Duration,
    /// Remove files even if no row of the database refers to any file in the folder, or other databases have segments in it
    #[arg(long)]
    force: bool,
    /// List what would be removed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

fn age(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write 3d or 12h, for example"))
}

/// The outcome of a sweep.
#[derive(Debug, Default)]
struct Outcome {
    swept: Swept,
    /// Number of folders that were left alone because their recordings are running.
    busy: u64,
    /// Number of folders that could not be cleared.
    failed: u64,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<ExitCode> {
    let store = database::connect_existing(global).await?;
    let output = OutputFolder::new(std::path::absolute(&args.output)?);
    // This order makes it safe while a run is writing; see `output::sweep`.
    let mut sweep = list(&output, args.older_than).await?;
    let busy = running_folders(&store, &output).await?;
    keep_referenced(&store, &mut sweep).await?;
    if !args.force {
        refuse_foreign(global, args, &store, &output, &sweep).await?;
    }
    let sweep = Arc::new(sweep);
    let outcome = clear(&store, &output, &sweep, &busy, args.dry_run).await?;
    store.close().await;
    print_summary(global, args, &sweep, &outcome)?;
    Ok(if outcome.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn list(output: &OutputFolder, older_than: Duration) -> anyhow::Result<Sweep> {
    let shown = output.root().display();
    let folder = output.clone();
    spawn_blocking(move || Sweep::list(&folder, older_than)).await?.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => exit::Usage(format!("{shown}: no such folder")).into(),
        _ => anyhow::Error::new(error).context(format!("cannot list {shown}")),
    })
}

/// Removes the files that rows refer to from the list.
async fn keep_referenced(store: &Store, sweep: &mut Sweep) -> anyhow::Result<()> {
    let mut pages = pin!(pages::referenced(store));
    while let Some(page) = pages.try_next().await? {
        for row in &page {
            sweep.keep(&row.path);
            row.denoised_path.iter().for_each(|path| sweep.keep(path));
        }
    }
    Ok(())
}

/// Refuses a folder that probably belongs to another database, whose segments would be removed.
async fn refuse_foreign(
    global: &GlobalArgs,
    args: &Args,
    store: &Store,
    output: &OutputFolder,
    sweep: &Sweep,
) -> anyhow::Result<()> {
    if sweep.is_foreign() {
        bail!(exit::Usage(format!(
            "no row of {} refers to any file in {}: is this the right database and folder? --force removes the files anyway",
            global.database,
            args.output.display()
        )));
    }
    let (output, identity) = (output.clone(), store.identity().await?);
    let others = spawn_blocking(move || output.other_owners(&identity)).await??;
    if others > 0 {
        bail!(exit::Usage(format!(
            "{} also has segments of {}. This database does not know them, so they would be removed. Give each database \
             its own output folder; --force removes the files anyway",
            args.output.display(),
            count(others as u64, "other database")
        )));
    }
    Ok(())
}

/// Names of the folders of running recordings.
async fn running_folders(store: &Store, output: &OutputFolder) -> anyhow::Result<HashSet<OsString>> {
    let running = store.running().await?;
    let folders = running.iter().map(|running| output.folder(&running.source, &running.recipe));
    Ok(folders.filter_map(|folder| folder.file_name().map(ToOwned::to_owned)).collect())
}

/// Clears each folder, unless its recording was running before the rows were read or is running now.
async fn clear(
    store: &Store,
    output: &OutputFolder,
    sweep: &Arc<Sweep>,
    busy_before: &HashSet<OsString>,
    dry_run: bool,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let shared = Arc::clone(sweep);
    let mut folders = spawn_blocking(move || shared.folders()).await?.context(CANNOT_LIST)?;
    loop {
        let (shared, mut rest) = (Arc::clone(sweep), folders);
        let examine = move || (examine(&shared, rest.by_ref().take(BATCH)), rest);
        let (batch, rest) = spawn_blocking(examine).await?;
        let Batch { examined, planned } = batch.context(CANNOT_LIST)?;
        folders = rest;
        for (folder, planned) in planned {
            let name = folder.file_name().unwrap_or_default();
            if busy_before.contains(name) || running_folders(store, output).await?.contains(name) {
                outcome.busy += 1;
                continue;
            }
            match if dry_run { planned } else { clear_folder(sweep, &folder).await? } {
                Ok(swept) => outcome.add(swept, dry_run),
                Err(error) => {
                    tracing::warn!("{}: {error}", folder.display());
                    outcome.failed += 1;
                }
            }
        }
        if examined < BATCH {
            return Ok(outcome);
        }
    }
}

const CANNOT_LIST: &str = "cannot list the output folder";

/// Folders that were examined.
struct Batch {
    /// Number of folders.
    examined: usize,
    /// The folders with something to remove, and those that cannot be read.
    planned: Vec<(PathBuf, io::Result<Swept>)>,
}

fn examine(sweep: &Sweep, folders: impl Iterator<Item = io::Result<PathBuf>>) -> io::Result<Batch> {
    let mut batch = Batch { examined: 0, planned: Vec::new() };
    for folder in folders {
        let folder = folder?;
        let planned = sweep.look(&folder);
        batch.examined += 1;
        if !planned.as_ref().is_ok_and(|planned| *planned == Swept::default()) {
            batch.planned.push((folder, planned));
        }
    }
    Ok(batch)
}

async fn clear_folder(sweep: &Arc<Sweep>, folder: &Path) -> anyhow::Result<io::Result<Swept>> {
    let (sweep, folder) = (Arc::clone(sweep), folder.to_owned());
    Ok(spawn_blocking(move || sweep.clear(&folder)).await?)
}

impl Outcome {
    /// Adds a folder's counts. Paths are kept only if they are printed, because there may be millions of them.
    fn add(&mut self, swept: Swept, keep_paths: bool) {
        self.swept.merge(swept);
        if !keep_paths {
            self.swept.forget_paths();
        }
    }
}

fn print_summary(global: &GlobalArgs, args: &Args, sweep: &Sweep, outcome: &Outcome) -> anyhow::Result<()> {
    let swept = &outcome.swept;
    let paths: Vec<String> = swept.paths.iter().map(|path| path.display().to_string()).collect();
    if args.json {
        let mut line = json!({
            "dry_run": args.dry_run, "segment_files": swept.segment_files, "temporary_files": swept.temporary_files,
            "folders": swept.folders, "bytes": swept.bytes, "referenced": sweep.referenced(), "young": sweep.young(),
            "busy_folders": outcome.busy, "failed_folders": outcome.failed,
        });
        if args.dry_run {
            line["paths"] = json!(paths);
        }
        print_line(&line.to_string())?;
        return Ok(());
    }
    paths.iter().try_for_each(|path| print_line(path))?;
    if !global.quiet {
        print_line(&summary(args.dry_run, sweep, outcome))?;
    }
    Ok(())
}

fn summary(dry_run: bool, sweep: &Sweep, outcome: &Outcome) -> String {
    let swept = &outcome.swept;
    let mut text = format!(
        "{} {}, {} ({}) and {}; {} in use",
        if dry_run { "would remove" } else { "removed" },
        count(swept.segment_files, "segment file"),
        count(swept.temporary_files, "temporary file"),
        DecimalBytes(swept.bytes),
        count(swept.folders, "empty folder"),
        count(sweep.referenced(), "segment file"),
    );
    if sweep.young() > 0 {
        text += &format!("; {} too new to remove", count(sweep.young(), "file"));
    }
    if outcome.busy > 0 {
        text += &format!("; {} of running recordings left alone", count(outcome.busy, "folder"));
    }
    if outcome.failed > 0 {
        text += &format!("; {} could not be cleared", count(outcome.failed, "folder"));
    }
    text
}
