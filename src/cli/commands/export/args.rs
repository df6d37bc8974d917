//! Arguments of `export`, and what they mean for the library.

use std::{
    path::PathBuf,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::bail;
use clap::{ValueEnum, builder::PossibleValue};
use prepare_audio::export::{Choice, Condition, Destination, Format, Split};

use crate::cli::{args::BaseArgs, exit};

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

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to write: lhotse, nemo, kaldi, huggingface, webdataset, ljspeech, rttm, ctm, uem, stm, textgrid, eaf, audacity, srt,
    /// vtt, whisperx, csv, tsv or jsonl
    #[arg(value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub format: FormatName,
    /// Only this recording: its id, or its source [default: all]
    #[arg(value_name = "SOURCE|ID")]
    pub recording: Option<String>,
    #[command(flatten)]
    pub base: BaseArgs,

    /// File or folder to write [default: standard output, for formats of one file]
    #[arg(long, value_name = "PATH", help_heading = "Target")]
    pub to: Option<PathBuf>,
    /// Write a file for each recording, beside its source
    #[arg(long, conflicts_with_all = ["to", "split"], help_heading = "Target")]
    pub beside_sources: bool,
    /// Write manifest paths relative to the manifest's folder
    #[arg(long, help_heading = "Target")]
    pub relative: bool,
    /// Refer to the segments' files, to those without noise, or to the sources by offset and duration [default: segments;
    /// kaldi: sources]
    #[arg(
        long,
        value_enum,
        value_name = "segments|denoised|sources",
        hide_possible_values = true,
        help_heading = "Target"
    )]
    pub audio: Option<Audio>,
    /// Name recordings by file name, or by file name and a unique hash [default: stem for annotations, key for corpora]
    #[arg(
        hide_short_help = true,
        long,
        value_enum,
        value_name = "stem|key",
        hide_possible_values = true,
        help_heading = "Target"
    )]
    pub ids: Option<Ids>,
    /// Size of a shard of webdataset and huggingface-parquet in MB, at most
    #[arg(hide_short_help = true, long, value_name = "MB", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000), help_heading = "Target")]
    pub shard_size: u64,
    /// Do not check that the audio files exist
    #[arg(hide_short_help = true, long, help_heading = "Target")]
    pub no_check: bool,

    /// Least length of a segment, in seconds
    #[arg(long, value_name = "S", value_parser = not_negative, help_heading = "Choice")]
    pub min_duration: Option<f64>,
    /// Greatest length of a segment, in seconds
    #[arg(long, value_name = "S", value_parser = not_negative, help_heading = "Choice")]
    pub max_duration: Option<f64>,
    /// Least mean speech probability of a segment
    #[arg(long, value_name = "P", value_parser = not_negative, help_heading = "Choice")]
    pub min_probability: Option<f64>,
    /// Least level of a segment, dB below full scale
    #[arg(hide_short_help = true, long, value_name = "DB", allow_negative_numbers = true, help_heading = "Choice")]
    pub min_dbfs: Option<f64>,
    /// Least signal-to-noise ratio of a segment, dB
    #[arg(long, value_name = "DB", allow_negative_numbers = true, help_heading = "Choice")]
    pub min_snr: Option<f64>,
    /// Only segments for which this is true; may be given several times
    #[arg(long = "where", value_name = "CONDITION", value_parser = Condition::from_str, help_heading = "Choice")]
    pub conditions: Vec<Condition>,
    /// Only this recipe, by its first digits
    #[arg(long, value_name = "RECIPE", help_heading = "Choice")]
    pub recipe: Option<String>,
    /// Only recordings that were prepared since: 2026-11-30, 2026-11-30T12:00:00Z, or an age such as 7d
    #[arg(long, value_name = "TIME", value_parser = since, help_heading = "Choice")]
    pub since: Option<SystemTime>,
    /// Only the segments, or recordings, that this SELECT of the database names: columns recording_id and idx, or recording_id
    #[arg(long, value_name = "SQL", help_heading = "Choice")]
    pub query: Option<String>,
    /// Draw N segments by chance
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000), help_heading = "Choice")]
    pub sample: Option<u32>,
    /// Seed of --sample: the same seed draws the same segments
    #[arg(hide_short_help = true, long, value_name = "N", default_value_t = 0, help_heading = "Choice")]
    pub seed: u64,

    /// Join neighbouring segments up to this length in seconds, for models that take 30 s at once
    #[arg(long, value_name = "S", value_parser = positive, help_heading = "Arrangement")]
    pub group_to: Option<f64>,
    /// Divide the recordings: train=0.9,dev=0.05,test=0.05
    #[arg(long, value_name = "PARTS", help_heading = "Arrangement")]
    pub split: Option<String>,
    /// What is never divided: recording, or a metadata key such as metadata.speaker
    #[arg(long, value_name = "KEY", default_value = "recording", help_heading = "Arrangement")]
    pub split_by: String,

    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// A format on the command line.
#[derive(Clone, Copy, Debug)]
pub struct FormatName(pub Format);

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

/// `--audio`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Audio {
    Segments,
    Denoised,
    Sources,
}

/// `--ids`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Ids {
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

/// What the export is divided into.
pub fn split(args: &Args) -> anyhow::Result<Option<Split>> {
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

/// Which segments it has, but for those that a query or chance selects.
pub fn choice(args: &Args) -> Choice {
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
        queried: None,
        drawn: None,
    }
}

/// Where it goes.
pub fn destination(args: &Args) -> anyhow::Result<Destination> {
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
