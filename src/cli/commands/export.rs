//! `prepare-audio export`: done recordings and their segments in the formats that other tools load.

use std::{
    collections::HashMap,
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::bail;
use clap::{ValueEnum, builder::PossibleValue};
use prepare_audio::{
    export::{
        AudioFiles, Choice, Condition, Destination, Export, ExportError, Format, MaximumGroup, MetadataColumns, Naming,
        Recording, Sample, Settings, Split, Summary,
    },
    store::{RecipeCount, Selection, State, Store},
};
use serde_json::{Map, json};
use tokio::sync::mpsc;

use crate::cli::{
    args::{BaseArgs, GlobalArgs},
    bars, database, exit,
    format::{count, plain, table, time},
    selection::select,
    stdout::print_line,
};

/// Help below the flags.
pub const HELP: &str = "\
Examples:
  prepare-audio export lhotse --to corpus/              a folder that lhotse loads
  prepare-audio export nemo --to train.jsonl --min-duration 1 --max-duration 20
  prepare-audio export huggingface --to corpus/ --split train=0.9,dev=0.05,test=0.05 --split-by metadata.speaker
  prepare-audio export srt film.mkv > film.srt          one recording, to standard output
  prepare-audio export textgrid --beside-sources        talk.TextGrid beside talk.wav, for every recording
  prepare-audio export csv --where 'metadata.language = \"de\" and duration > 2'

Files appear when the export is complete. A segment whose file is missing is left out and counted.

Exit codes: 0 done, 1 segments that were chosen had to be left out, 2 usage, 4 the database, 130 interrupted.";

/// Recordings that are read at once.
const RECORDINGS: usize = 500;

/// Segments that are read at once.
const SEGMENTS: usize = 5_000;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to write: lhotse, nemo, kaldi, huggingface, webdataset, ljspeech, rttm, ctm, uem, stm, textgrid, eaf, audacity, srt,
    /// vtt, whisperx, csv, tsv or jsonl
    #[arg(value_name = "FORMAT", value_enum, hide_possible_values = true)]
    format: FormatName,
    /// Only this recording: its id, or its source [default: all]
    #[arg(value_name = "SOURCE|ID")]
    recording: Option<String>,
    #[command(flatten)]
    base: BaseArgs,

    /// File or folder to write [default: standard output, for formats of one file]
    #[arg(long, value_name = "PATH", help_heading = "Target")]
    to: Option<PathBuf>,
    /// Write a file for each recording, beside its source
    #[arg(long, conflicts_with_all = ["to", "split"], help_heading = "Target")]
    beside_sources: bool,
    /// Write manifest paths relative to the manifest's folder
    #[arg(long, help_heading = "Target")]
    relative: bool,
    /// Refer to the segments' files, or to the sources by offset and duration [default: segments; kaldi: sources]
    #[arg(long, value_enum, value_name = "segments|sources", hide_possible_values = true, help_heading = "Target")]
    audio: Option<Audio>,
    /// Name recordings by file name, or by file name and a unique hash [default: stem for annotations, key for corpora]
    #[arg(
        hide_short_help = true,
        long,
        value_enum,
        value_name = "stem|key",
        hide_possible_values = true,
        help_heading = "Target"
    )]
    ids: Option<Ids>,
    /// Size of a webdataset shard in MB, at most
    #[arg(hide_short_help = true, long, value_name = "MB", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000), help_heading = "Target")]
    shard_size: u64,
    /// Do not check that the audio files exist
    #[arg(hide_short_help = true, long, help_heading = "Target")]
    no_check: bool,

    /// Least length of a segment, in seconds
    #[arg(long, value_name = "S", value_parser = not_negative, help_heading = "Choice")]
    min_duration: Option<f64>,
    /// Greatest length of a segment, in seconds
    #[arg(long, value_name = "S", value_parser = not_negative, help_heading = "Choice")]
    max_duration: Option<f64>,
    /// Least mean speech probability of a segment
    #[arg(long, value_name = "P", value_parser = not_negative, help_heading = "Choice")]
    min_probability: Option<f64>,
    /// Least level of a segment, dB below full scale
    #[arg(hide_short_help = true, long, value_name = "DB", allow_negative_numbers = true, help_heading = "Choice")]
    min_dbfs: Option<f64>,
    /// Least signal-to-noise ratio of a segment, dB
    #[arg(long, value_name = "DB", allow_negative_numbers = true, help_heading = "Choice")]
    min_snr: Option<f64>,
    /// Only segments for which this is true; may be given several times
    #[arg(long = "where", value_name = "CONDITION", value_parser = Condition::from_str, help_heading = "Choice")]
    conditions: Vec<Condition>,
    /// Only this recipe, by its first digits
    #[arg(long, value_name = "RECIPE", help_heading = "Choice")]
    recipe: Option<String>,
    /// Only recordings that were prepared since: 2026-11-30, 2026-11-30T12:00:00Z, or an age such as 7d
    #[arg(long, value_name = "TIME", value_parser = since, help_heading = "Choice")]
    since: Option<SystemTime>,
    /// Draw N segments by chance
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000), help_heading = "Choice")]
    sample: Option<u32>,
    /// Seed of --sample: the same seed draws the same segments
    #[arg(hide_short_help = true, long, value_name = "N", default_value_t = 0, help_heading = "Choice")]
    seed: u64,

    /// Join neighbouring segments up to this length in seconds, for models that take 30 s at once
    #[arg(long, value_name = "S", value_parser = positive, help_heading = "Arrangement")]
    group_to: Option<f64>,
    /// Divide the recordings: train=0.9,dev=0.05,test=0.05
    #[arg(long, value_name = "PARTS", help_heading = "Arrangement")]
    split: Option<String>,
    /// What is never divided: recording, or a metadata key such as metadata.speaker
    #[arg(long, value_name = "KEY", default_value = "recording", help_heading = "Arrangement")]
    split_by: String,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// A format on the command line.
#[derive(Clone, Copy, Debug)]
struct FormatName(Format);

impl ValueEnum for FormatName {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: std::sync::LazyLock<Vec<FormatName>> =
            std::sync::LazyLock::new(|| Format::ALL.iter().map(|format| FormatName(*format)).collect());
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name()).help(self.0.purpose()))
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Audio {
    Segments,
    Sources,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Ids {
    Stem,
    Key,
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number >= 0.0 => Ok(number),
        _ => Err("a number, not negative, is expected".into()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 => Ok(number),
        _ => Err("a positive number is expected".into()),
    }
}

/// A date, a time, or an age.
fn since(text: &str) -> Result<SystemTime, String> {
    if let Ok(age) = humantime::parse_duration(text) {
        return SystemTime::now().checked_sub(age).ok_or_else(|| "that is too long ago".into());
    }
    let date_alone = format!("{text}T00:00:00Z");
    let parsed = humantime::parse_rfc3339_weak(text).or_else(|_| humantime::parse_rfc3339_weak(&date_alone));
    parsed.map_err(|_| "a date (2026-11-30), a time (2026-11-30T12:00:00Z) or an age (7d) is expected".into())
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<ExitCode> {
    let split = split(args)?;
    let destination = destination(args)?;
    let store = database::connect_existing(global).await?;
    let of = select(&store, args.recording.as_deref(), &args.base).await?;
    let mut choice = choice(args);
    let recipes = recipes(&store, &of, &mut choice).await?;
    let mut settings = Settings {
        format: args.format.0,
        audio: args.audio.map(|audio| match audio {
            Audio::Segments => AudioFiles::Segments,
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
        other => other.into(),
    }
}

fn split(args: &Args) -> anyhow::Result<Option<Split>> {
    let key = match args.split_by.as_str() {
        "recording" | "source" => None,
        key => match key.strip_prefix("metadata.") {
            Some(key) if !key.is_empty() => Some(key),
            _ => {
                bail!(exit::Usage(format!("--split-by {key}: write recording, or metadata.KEY as in metadata.speaker")))
            }
        },
    };
    let parse = |text: &String| Split::parse(text, key).map_err(|error| exit::Usage(format!("--split: {error}")));
    Ok(args.split.as_ref().map(parse).transpose()?)
}

fn choice(args: &Args) -> Choice {
    let milliseconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis();
    Choice {
        min_duration: args.min_duration,
        max_duration: args.max_duration,
        min_probability: args.min_probability,
        min_dbfs: args.min_dbfs,
        min_snr: args.min_snr,
        conditions: args.conditions.clone(),
        since: args.since.map(|time| i64::try_from(milliseconds(time)).unwrap_or(i64::MAX)),
        recipe: args.recipe.clone(),
        drawn: None,
    }
}

fn destination(args: &Args) -> anyhow::Result<Destination> {
    let format = args.format.0;
    if args.beside_sources {
        if !format.may_be_per_recording() {
            bail!(exit::Usage(format!("{format} has no file for each recording that could lie beside it; use --to")));
        }
        return Ok(Destination::BesideSources);
    }
    let Some(path) = &args.to else { return Ok(Destination::Stdout) };
    let is_folder = path.is_dir() || path.as_os_str().to_string_lossy().ends_with(std::path::MAIN_SEPARATOR);
    let has_extension = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(format.extension()));
    if format.is_corpus() || args.split.is_some() || (format.is_per_recording() && !has_extension) {
        if path.exists() && !path.is_dir() {
            bail!(exit::Usage(format!("{}: is a file, and {format} needs a folder here", path.display())));
        }
        return Ok(Destination::Folder(path.clone()));
    }
    match (is_folder, format.may_be_per_recording()) {
        (true, true) => Ok(Destination::Folder(path.clone())),
        (true, false) => bail!(exit::Usage(format!(
            "{}: is a folder, and {format} is one file: name it, for instance {}",
            path.display(),
            path.join(format!("segments.{}", format.extension())).display()
        ))),
        (false, _) => Ok(Destination::File(path.clone())),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_times_and_ages() {
        let day = humantime::parse_rfc3339("2026-11-30T00:00:00Z").unwrap();
        assert_eq!(since("2026-11-30"), Ok(day));
        assert_eq!(since("2026-11-30T01:00:00Z"), Ok(day + Duration::from_secs(3600)));
        let age = SystemTime::now().duration_since(since("7d").unwrap()).unwrap();
        assert!((age.as_secs_f64() - 7.0 * 86_400.0).abs() < 60.0);
        assert!(since("yesterday").is_err());
    }

    #[test]
    fn every_format_is_named_on_the_command_line() {
        for format in Format::ALL {
            assert!(FormatName::from_str(format.name(), false).is_ok());
            assert_eq!(format.name().parse(), Ok(*format));
        }
    }
}
