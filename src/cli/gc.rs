//! `prepare-audio gc`: files that no row speaks of.

use std::{collections::HashSet, io, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use prepare_audio::{
    output::{Output, Sweep, Swept},
    store::Store,
};
use serde_json::json;

use super::{
    args::GlobalArgs,
    connect_existing, exit,
    format::{bytes, count},
    say,
};

/// Rows read at once.
const PAGE: usize = 10_000;

pub const HELP: &str = "\
What goes: segment files that no row of the database speaks of, temporary files (.tmp.*), and folders of recordings \
that are empty then. What stays: files of other names, links, all that belongs to a recording that is running, and \
whatever something was done to within --older-than. It may run beside fetch.

An output folder belongs to one database: name both as they are named for fetch.

Exit codes: 0 done, 1 a folder could not be cleared, 2 usage, 4 the database.";

#[derive(Debug, Args)]
pub struct GcArgs {
    /// Folder that the segments lie in
    #[arg(short, long, value_name = "DIR", env = "OUTPUT_DIR", default_value = "segments")]
    output: PathBuf,
    /// Leave alone what was written, linked or renamed within this time
    #[arg(long, value_name = "TIME", default_value = "3d", value_parser = age)]
    older_than: Duration,
    /// Go on although no row of the database speaks of any file in the folder, or other databases have segments in it
    #[arg(long)]
    force: bool,
    /// List what would go and touch nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

fn age(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write it as 3d or 12h"))
}

/// What became of a sweep.
#[derive(Default)]
struct Outcome {
    swept: Swept,
    /// Folders of running recordings.
    busy: u64,
    /// Folders that could not be cleared.
    failed: u64,
}

pub async fn run(global: &GlobalArgs, args: &GcArgs) -> anyhow::Result<ExitCode> {
    let store = connect_existing(global).await?;
    let output = Output::new(std::path::absolute(&args.output)?);
    // The order of these makes it safe beside a run; see `output::sweep`.
    let mut sweep = list(&output, args.older_than)?;
    let busy = running(&*store, &output).await?;
    keep_referenced(&*store, &mut sweep).await?;
    if sweep.is_foreign() && !args.force {
        bail!(exit::Usage(format!(
            "no row of {} speaks of any file in {}: is one of them the wrong one? --force removes them all the same",
            global.database,
            args.output.display()
        )));
    }
    let others = output.other_owners(&store.identity().await?)?;
    if others > 0 && !args.force {
        bail!(exit::Usage(format!(
            "{} holds segments of {} too, which this one knows nothing of: they would be removed. Give each database an \
             output folder of its own; --force goes on all the same",
            args.output.display(),
            count(others as u64, "other database")
        )));
    }
    let outcome = clear(&*store, &output, &sweep, &busy, args.dry_run).await?;
    store.close().await;
    tell(global, args, &sweep, &outcome)?;
    Ok(if outcome.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn list(output: &Output, older_than: Duration) -> anyhow::Result<Sweep> {
    let shown = output.root().display();
    Sweep::list(output, older_than).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => exit::Usage(format!("{shown}: no such folder")).into(),
        _ => anyhow::Error::new(error).context(format!("cannot list {shown}")),
    })
}

/// Takes off the list what rows speak of.
async fn keep_referenced(store: &dyn Store, sweep: &mut Sweep) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        let page = store.referenced(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.recording_id, last.idx));
        page.iter().for_each(|file| sweep.keep(&file.path));
    }
}

/// Names of the folders of running recordings.
async fn running(store: &dyn Store, output: &Output) -> anyhow::Result<HashSet<std::ffi::OsString>> {
    let running = store.running().await?;
    let folders = running.iter().map(|running| output.folder(&running.source, &running.recipe));
    Ok(folders.filter_map(|folder| folder.file_name().map(ToOwned::to_owned)).collect())
}

async fn clear(
    store: &dyn Store,
    output: &Output,
    sweep: &Sweep,
    busy_before: &HashSet<std::ffi::OsString>,
    dry_run: bool,
) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    for folder in sweep.folders().context("cannot list the output folder")? {
        let folder = folder.context("cannot list the output folder")?;
        let planned = match sweep.look(&folder) {
            Ok(planned) if planned == Swept::default() => continue,
            planned => planned,
        };
        let name = folder.file_name().unwrap_or_default();
        if busy_before.contains(name) || running(store, output).await?.contains(name) {
            outcome.busy += 1;
            continue;
        }
        match if dry_run { planned } else { sweep.clear(&folder) } {
            Ok(swept) => outcome.take(swept, dry_run),
            Err(error) => {
                tracing::warn!("{}: {error}", folder.display());
                outcome.failed += 1;
            }
        }
    }
    Ok(outcome)
}

impl Outcome {
    /// Paths are kept where they are to be shown; there may be millions of them.
    fn take(&mut self, swept: Swept, keep_paths: bool) {
        self.swept.merge(swept);
        if !keep_paths {
            self.swept.forget_paths();
        }
    }
}

fn tell(global: &GlobalArgs, args: &GcArgs, sweep: &Sweep, outcome: &Outcome) -> anyhow::Result<()> {
    let swept = &outcome.swept;
    let paths: Vec<String> = swept.paths.iter().map(|path| path.display().to_string()).collect();
    if args.json {
        let mut told = json!({
            "dry_run": args.dry_run, "segment_files": swept.segment_files, "temporary_files": swept.temporary_files,
            "folders": swept.folders, "bytes": swept.bytes, "referenced": sweep.referenced(), "young": sweep.young(),
            "busy_folders": outcome.busy, "failed_folders": outcome.failed,
        });
        if args.dry_run {
            told["paths"] = json!(paths);
        }
        say(&told.to_string())?;
        return Ok(());
    }
    paths.iter().try_for_each(|path| say(path))?;
    if !global.quiet {
        say(&summary(args.dry_run, sweep, outcome))?;
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
        bytes(swept.bytes),
        count(swept.folders, "empty folder"),
        count(sweep.referenced(), "segment file"),
    );
    if sweep.young() > 0 {
        text += &format!("; {} too young to go", count(sweep.young(), "file"));
    }
    if outcome.busy > 0 {
        text += &format!("; {} of running recordings left alone", count(outcome.busy, "folder"));
    }
    if outcome.failed > 0 {
        text += &format!("; {} could not be cleared", count(outcome.failed, "folder"));
    }
    text
}
