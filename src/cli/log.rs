//! Where log lines go and how they look.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    sync::Mutex,
};

use indicatif::MultiProgress;
use prepare_audio::audio::is_guarded;
use tracing_subscriber::{EnvFilter, fmt, fmt::MakeWriter, prelude::*};

use super::{
    args::{GlobalArgs, LogFormat},
    exit::Usage,
};

/// Crates below us that tell of each damaged packet; what matters of it is in the rows.
const TALKATIVE: [&str; 2] = ["symphonia", "sqlx"];

/// How much is logged where nobody said.
#[derive(Clone, Copy, Debug)]
pub enum Default {
    /// A line for each recording.
    Lines,
    /// Only what needs a person.
    Quiet,
}

/// Starts logging to standard error, above the progress bars where there are some, or to the file.
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
    // A panic of one recording's work is that recording's failure; the log tells where it was.
    std::panic::set_hook(Box::new(|info| match is_guarded() {
        true => tracing::debug!("a decoder gave up: {info}"),
        false => tracing::error!("panic: {info}"),
    }));
    Ok(())
}

fn filter(global: &GlobalArgs, default: Default) -> Result<EnvFilter, Usage> {
    let level = match (&global.log_level, global.quiet, default) {
        (Some(level), ..) => level_name(level)?,
        (None, true, _) => "error",
        (None, false, Default::Lines) => "info",
        (None, false, Default::Quiet) => "warn",
    };
    let below = if ["debug", "trace"].contains(&level) { "info" } else { "off" };
    let directives = TALKATIVE.iter().fold(level.to_owned(), |all, name| format!("{all},{name}={below}"));
    Ok(EnvFilter::new(directives))
}

/// The names that Python's logging uses are understood too: LOG_LEVEL may be shared with a script.
fn level_name(level: &str) -> Result<&'static str, Usage> {
    Ok(match level.to_ascii_lowercase().as_str() {
        "error" | "critical" | "fatal" => "error",
        "warn" | "warning" => "warn",
        "info" => "info",
        "debug" => "debug",
        "trace" | "notset" => "trace",
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

/// Writes one log line as a whole.
struct Line<'a>(&'a Target);

impl Write for Line<'_> {
    fn write(&mut self, said: &[u8]) -> io::Result<usize> {
        // An event comes in one piece. A file's name that holds a line break must not look like a line of its own.
        let (whole, end) = said.split_at(said.len() - usize::from(said.ends_with(b"\n")));
        let mut line = Vec::with_capacity(said.len());
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
        Ok(said.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
