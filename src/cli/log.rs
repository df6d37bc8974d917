//! The log: its destination, format and level.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    sync::Mutex,
};

use indicatif::MultiProgress;
use prepare_audio::media::catches_panics;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt, fmt::MakeWriter, prelude::*};

use super::{
    args::{GlobalArgs, LogFormat},
    exit::Usage,
};

/// Dependencies that log each damaged packet or each query. The rows have the important part of that.
const VERBOSE_CRATES: [&str; 2] = ["symphonia", "sqlx"];

/// The log level if --log-level is not given.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// `info`: a line for each recording.
    Lines,
    /// `warn`: only what needs attention.
    Quiet,
}

/// Starts logging to standard error, above the progress bars if there are any, or to the file.
pub fn start(global: &GlobalArgs, default: Default, bars: Option<MultiProgress>) -> anyhow::Result<()> {
    let filter = filter(global, default)?;
    let registry = tracing_subscriber::registry().with(filter);
    let (writer, to_file) = match &global.log_file {
        Some(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.map_err(|e| Usage(format!("log file {}: {e}", path.display())))?;
            (Target::File(Mutex::new(file)), true)
        }
        None => (Target::Terminal(bars), false),
    };
    let colours = !to_file && io::IsTerminal::is_terminal(&io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    match global.log_format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(writer).with_target(false).with_ansi(colours)).init(),
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(writer)).init(),
    }
    // A panic in a decoder fails one recording, so it is not an error of the program. The debug log has its location.
    std::panic::set_hook(Box::new(|info| match catches_panics() {
        true => tracing::debug!("a decoder panicked: {info}"),
        false => tracing::error!("panic: {info}"),
    }));
    Ok(())
}

fn filter(global: &GlobalArgs, default: Default) -> Result<Targets, Usage> {
    let level = match (&global.log_level, global.quiet, default) {
        (Some(level), ..) => level_of(level)?,
        (None, true, _) => LevelFilter::ERROR,
        (None, false, Default::Lines) => LevelFilter::INFO,
        (None, false, Default::Quiet) => LevelFilter::WARN,
    };
    let of_verbose = if level >= LevelFilter::DEBUG { LevelFilter::INFO } else { LevelFilter::OFF };
    Ok(Targets::new().with_default(level).with_targets(VERBOSE_CRATES.map(|name| (name, of_verbose))))
}

/// Parses a level. The names of Python's logging are accepted, too, because LOG_LEVEL may be shared with a script.
fn level_of(level: &str) -> Result<LevelFilter, Usage> {
    Ok(match level.to_ascii_lowercase().as_str() {
        "error" | "critical" | "fatal" => LevelFilter::ERROR,
        "warn" | "warning" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" | "notset" => LevelFilter::TRACE,
        _ => return Err(Usage(format!("log level {level:?}: write error, warn, info, debug or trace"))),
    })
}

enum Target {
    Terminal(Option<MultiProgress>),
    File(Mutex<std::fs::File>),
}

impl<'a> MakeWriter<'a> for Target {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

/// Writes one log event as one line.
struct Line<'a>(&'a Target);

impl Write for Line<'_> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // Each call passes one whole event. A line break within it, as in a file's name, must not start another line.
        let (whole, end) = event.split_at(event.len() - usize::from(event.ends_with(b"\n")));
        let mut line = Vec::with_capacity(event.len());
        for byte in whole {
            match byte {
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                byte => line.push(*byte),
            }
        }
        line.extend_from_slice(end);
        let line = line.as_slice();
        match self.0 {
            Target::Terminal(None) => io::stderr().write_all(line)?,
            Target::Terminal(Some(bars)) => bars.suspend(|| io::stderr().write_all(line))?,
            Target::File(file) => file.lock().map_err(|_| io::Error::other("log"))?.write_all(line)?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
