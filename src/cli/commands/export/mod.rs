//! `prepare-audio export`: done recordings and their segments in the formats that other tools load.

mod args;
mod query;

use std::{
    collections::HashMap,
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::SystemTime,
};

use anyhow::bail;
use prepare_audio::{
    export::{
        AudioFiles, Choice, Destination, Export, ExportError, Format, MaximumGroup, MetadataColumns, Naming, Recording,
        Sample, Settings, Summary,
    },
    store::{RecipeCount, Selection, State, Store},
};
use serde_json::{Map, json};
use tokio::sync::mpsc;

pub use self::args::{Args, HELP};
use self::args::{Audio, Ids};
use crate::cli::{
    args::GlobalArgs,
    bars, database, exit, features,
    format::{count, plain, table, time},
    selection::select,
    stdout::print_line,
};

/// Recordings that are read at once.
const RECORDINGS: usize = 500;

/// Segments that are read at once.
const SEGMENTS: usize = 5_000;

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<ExitCode> {
    let split = args::split(args)?;
    let destination = args::destination(args)?;
    let store = database::connect_existing(global).await?;
    let of = select(&store, args.recording.as_deref(), &args.base).await?;
    let mut choice = args::choice(args);
    if let Some(query) = &args.query {
        choice.queried = Some(query::run(&global.database, query).await?);
    }
    let recipes = recipes(&store, &of, &mut choice).await?;
    let mut settings = Settings {
        format: args.format.0,
        audio: args.audio.map(|audio| match audio {
            Audio::Segments => AudioFiles::Segments,
            Audio::Denoised => AudioFiles::Denoised,
            Audio::Sources => AudioFiles::Sources,
        }),
        audio_dir: std::path::absolute(args.base.audio_dir.as_deref().unwrap_or(Path::new(".")))?,
        naming: args.ids.map(|ids| match ids {
            Ids::Stem => Naming::Stem,
            Ids::Key => Naming::Key,
        }),
        relative_paths: args.relative,
        group: args.group_to.map(MaximumGroup),
        split,
        shard_bytes: args.shard_size * 1_000_000,
        check_files: !args.no_check,
        metadata_columns: MetadataColumns::default(),
    };
    if settings.format.has_columns() {
        settings.metadata_columns = metadata_columns(&store, &of).await?;
    }
    if let Some(size) = args.sample {
        choice.drawn = Some(draw(&store, &of, &choice, size as usize, args.seed).await?);
    }
    let about = about(settings.format, &recipes);
    let export = Export::new(settings, choice, destination.clone()).map_err(usage)?;
    let bar = bar(&store, global, &destination).await?;
    let export = write_all(&store, &of, export, bar.clone());
    let export = tokio::select! {
        export = export => export?,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("interrupted; nothing was written");
            return Ok(ExitCode::from(exit::INTERRUPTED));
        }
    };
    let summary = tokio::task::spawn_blocking(move || export.finish(&about)).await??;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    store.close().await;
    print_summary(global, args, &destination, &summary)?;
    Ok(if summary.problems() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Mistakes in the settings end with exit code 2.
fn usage(error: ExportError) -> anyhow::Error {
    match error {
        ExportError::Invalid(message) => exit::Usage(message).into(),
        ref error @ ExportError::NotCompiled(feature) => {
            exit::Usage(format!("{error}; {}", features::how_to_get(feature))).into()
        }
        other => other.into(),
    }
}

/// The recipes of the recordings that are chosen. Two recipes of one source would put the same speech into the export
/// twice, so the user has to say which.
async fn recipes(store: &Store, of: &[Selection], choice: &mut Choice) -> anyhow::Result<Vec<RecipeCount>> {
    let mut recipes: Vec<RecipeCount> = Vec::new();
    for of in of {
        for recipe in store.recipes(of).await? {
            match recipes.iter_mut().find(|known| known.recipe == recipe.recipe) {
                Some(known) => known.recordings += recipe.recordings,
                None => recipes.push(recipe),
            }
        }
    }
    let list = |recipes: &[RecipeCount]| {
        let rows: Vec<Vec<String>> = recipes
            .iter()
            .map(|recipe| {
                let parameters = recipe.parameters.clone().unwrap_or_default();
                vec![recipe.recipe.clone(), recipe.recordings.to_string(), parameters]
            })
            .collect();
        table(&["recipe", ">recordings", "parameters"], &rows)
    };
    if let Some(wanted) = &choice.recipe {
        let matching: Vec<RecipeCount> =
            recipes.iter().filter(|recipe| recipe.recipe.starts_with(wanted.as_str())).cloned().collect();
        match matching.as_slice() {
            [] => bail!(exit::Usage(format!("no recording is done under a recipe {wanted}\n\n{}", list(&recipes)))),
            [_] => return Ok(matching),
            _ => bail!(exit::Usage(format!("several recipes begin with {wanted}\n\n{}", list(&matching)))),
        }
    }
    for of in of {
        if let Some(source) = store.source_with_several_recipes(of).await? {
            bail!(exit::Usage(format!(
                "{} is done under several recipes, and their segments would be mixed; choose one with --recipe\n\n{}",
                plain(&source),
                list(&recipes)
            )));
        }
    }
    Ok(recipes)
}

/// What `prepare-audio-export.json` says.
fn about(format: Format, recipes: &[RecipeCount]) -> Map<String, serde_json::Value> {
    let mut about = Map::new();
    about.insert("format".into(), format.name().into());
    about.insert("prepare_audio".into(), env!("CARGO_PKG_VERSION").into());
    about.insert("exported_at".into(), humantime::format_rfc3339_seconds(SystemTime::now()).to_string().into());
    about.insert("recipes".into(), json!(recipes));
    about
}

/// The keys of all metadata.
async fn metadata_columns(store: &Store, of: &[Selection]) -> anyhow::Result<MetadataColumns> {
    let mut columns = MetadataColumns::default();
    for of in of {
        let mut after = i64::MIN;
        loop {
            let page = store.done(of, after, SEGMENTS).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            page.into_iter().for_each(|recording| columns.add(&Recording::from(recording).metadata));
        }
    }
    Ok(columns)
}

/// Draws segments among those that are chosen.
async fn draw(
    store: &Arc<Store>,
    of: &[Selection],
    choice: &Choice,
    size: usize,
    seed: u64,
) -> anyhow::Result<std::collections::HashSet<(i64, u64)>> {
    let mut sample = Sample::new(size, seed);
    for of in of {
        let mut after = i64::MIN;
        while let Some((page, last)) = page(store, of, after).await? {
            after = last;
            for recording in &page {
                let chosen = recording.segments.iter().filter(|segment| choice.has(recording, segment));
                chosen.for_each(|segment| sample.offer(recording, segment));
            }
        }
    }
    Ok(sample.drawn())
}

/// The next recordings with their segments, and the id of the last; `None` after the last.
async fn page(store: &Store, of: &Selection, after: i64) -> anyhow::Result<Option<(Vec<Recording>, i64)>> {
    let recordings = store.done(of, after, RECORDINGS).await?;
    let (Some(first), Some(last)) = (recordings.first().map(|r| r.id), recordings.last().map(|r| r.id)) else {
        return Ok(None);
    };
    let index: HashMap<i64, usize> =
        recordings.iter().enumerate().map(|(index, recording)| (recording.id, index)).collect();
    let mut recordings: Vec<Recording> = recordings.into_iter().map(Recording::from).collect();
    let mut cursor = None;
    loop {
        let segments = store.segments_between(first, last, cursor, SEGMENTS).await?;
        let Some((id, segment)) = segments.last() else { break };
        cursor = Some((*id, segment.idx));
        for (id, segment) in segments {
            // Others have segments too: recordings that are prepared again keep theirs until then.
            if let Some(index) = index.get(&id) {
                recordings[*index].segments.push(segment);
            }
        }
    }
    Ok(Some((recordings, last)))
}

/// Passes all recordings to the export, which writes on a thread of its own while the next ones are read.
async fn write_all(
    store: &Arc<Store>,
    of: &[Selection],
    mut export: Export,
    bar: Option<indicatif::ProgressBar>,
) -> anyhow::Result<Export> {
    let (sender, mut receiver) = mpsc::channel::<Vec<Recording>>(2);
    let writer = tokio::task::spawn_blocking(move || {
        while let Some(recordings) = receiver.blocking_recv() {
            for recording in recordings {
                export.add(recording)?;
            }
            if let Some(bar) = &bar {
                bar.set_position(export.summary().rows);
            }
        }
        Ok::<_, ExportError>(export)
    });
    'all: for of in of {
        let mut after = i64::MIN;
        while let Some((recordings, last)) = page(store, of, after).await? {
            after = last;
            if sender.send(recordings).await.is_err() {
                break 'all; // the writer has failed
            }
        }
    }
    drop(sender);
    writer.await?.map_err(usage)
}

/// A bar over the segments, where a terminal shows it.
async fn bar(
    store: &Store,
    global: &GlobalArgs,
    destination: &Destination,
) -> anyhow::Result<Option<indicatif::ProgressBar>> {
    if global.quiet || *destination == Destination::Stdout || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let done = store.counts().await?.into_iter().filter(|count| count.state == State::Done);
    Ok(Some(bars::segments(done.map(|count| count.segments.max(0) as u64).sum())))
}

fn print_summary(global: &GlobalArgs, args: &Args, destination: &Destination, summary: &Summary) -> io::Result<()> {
    let is_stdout = *destination == Destination::Stdout;
    if args.json {
        let line = json!({ "summary": summary }).to_string();
        return print_beside(is_stdout, &line);
    }
    if global.quiet && summary.problems() == 0 {
        return Ok(());
    }
    let place = match destination {
        Destination::Stdout => String::new(),
        Destination::File(path) | Destination::Folder(path) => format!(" in {}", path.display()),
        Destination::BesideSources => " beside the sources".into(),
    };
    let mut text = format!(
        "{} of {} ({}){place}",
        count(summary.rows, "segment"),
        count(summary.recordings, "recording"),
        time(summary.hours * 3600.0)
    );
    for (reason, segments) in &summary.skipped {
        text.push_str(&format!("\nleft out: {} ({})", count(*segments, "segment"), reason.describe()));
    }
    print_beside(is_stdout, &text)
}

/// Prints a line, on standard error where the export itself is on standard output.
fn print_beside(is_stdout: bool, line: &str) -> io::Result<()> {
    if is_stdout {
        eprintln!("{line}");
        return Ok(());
    }
    print_line(line)
}
