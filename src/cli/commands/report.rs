//! `prepare-audio report`: figures, charts and excerpts of a database as one HTML file.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use prepare_audio::{
    report::{self, Settings},
    store::GroupKey,
};
use tempfile::NamedTempFile;

use crate::cli::{args::GlobalArgs, database, exit, format::plain, hints, stdout::print_line};

/// Help below the flags.
pub const HELP: &str = "\
Examples:
  prepare-audio report                                  report.html, to open in a browser
  prepare-audio report -o - --by metadata.language > corpus.html
  prepare-audio report --sample 0 --json                the figures alone, for machines

The page is one file of at most 3 MB, and requests nothing. It contains names of files and excerpts of recordings.";

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File to write; - for standard output
    #[arg(short, long = "output", value_name = "FILE", default_value = "report.html")]
    output_file: PathBuf,
    /// Hours by this: metadata.KEY, container, codec, sample_rate, channels, recipe or model; may be given several times
    #[arg(long, value_name = "KEY", default_value = "container")]
    by: Vec<GroupKey>,
    /// Number of recordings drawn by chance, to look at and listen to; 100 at most
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(..=Settings::MAX_SAMPLE as i64))]
    sample: u16,
    /// Seed of --sample: the same seed draws the same recordings
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Folder that relative sources are relative to [default: the current folder]
    #[arg(long, value_name = "DIR", env = "AUDIO_FILE_DIR")]
    audio_dir: Option<PathBuf>,
    /// Print the figures as JSON, and write no page
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<ExitCode> {
    let store = database::connect_existing(global).await?;
    let is_stdout = args.output_file.as_os_str() == "-";
    // Before anything is read, because that may take a while.
    let file = if is_stdout || args.json { None } else { Some(temporary(&args.output_file)?) };
    let settings = Settings {
        database: global.database.to_string(),
        groups: args.by.clone(),
        sample: args.sample.into(),
        seed: args.seed,
        audio: !args.json,
        audio_dir: std::path::absolute(args.audio_dir.as_deref().unwrap_or(Path::new(".")))?,
        advice: hints::for_error,
    };
    let report = tokio::select! {
        report = report::gather(&store, &settings) => report?,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("interrupted; nothing was written");
            return Ok(ExitCode::from(exit::INTERRUPTED)); // dropping the temporary file removes it
        }
    };
    store.close().await;
    if args.json {
        print_line(&serde_json::to_string(&report)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let page = report::page(&report);
    let Some(file) = file else {
        io::stdout().write_all(page.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    };
    let shown = plain(&args.output_file.to_string_lossy());
    publish(file, &args.output_file, page.as_bytes())
        .map_err(|error| anyhow::anyhow!("{shown}: the report cannot be written: {error}"))?;
    if !global.quiet {
        print_line(&format!("{shown} ({:.1} MB)", page.len() as f64 / 1e6))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A temporary file in the folder of `path`, with the permissions that a new file gets.
fn temporary(path: &Path) -> anyhow::Result<NamedTempFile> {
    let shown = plain(&path.to_string_lossy());
    if path.is_dir() {
        anyhow::bail!(exit::Usage(format!("{shown}: is a folder; name a file, as in -o report.html")));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tmp.report.");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666)); // less the umask
    let created = builder.tempfile_in(folder);
    created.map_err(|error| exit::Usage(format!("{shown}: the report cannot be written: {}", cause(&error))).into())
}

/// The cause without the name of the temporary file.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" at path ").map_or(text.clone(), |(cause, _)| cause.to_owned())
}

fn publish(mut file: NamedTempFile, path: &Path, page: &[u8]) -> io::Result<()> {
    file.write_all(page)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
