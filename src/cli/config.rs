//! Where settings come from: flags, the environment, a .env file, a TOML file, defaults; the first that has one wins.
//!
//! clap knows flags, environment and defaults. A .env file fills the environment where it is empty, and a TOML file's
//! values take the place of the defaults before anything is parsed, so each source is read by the same parsers.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path, process::ExitCode};

use clap::{ArgAction, Command, CommandFactory, FromArgMatches, error::ErrorKind};

use super::{args::Cli, exit};

/// A command line or a file of settings that cannot be followed.
pub enum Refusal {
    /// clap's own words: help, version, usage. Perhaps with the file that a value may have come from.
    Clap(clap::Error, Option<String>),
    /// A file of settings.
    File(String),
}

impl Refusal {
    /// Prints it; help and version are no failure.
    pub fn tell(self) -> ExitCode {
        match self {
            Self::Clap(error, origin) => {
                let _ = error.print();
                if let Some(origin) = origin.filter(|_| error.kind() == ErrorKind::ValueValidation) {
                    eprintln!("\nnote: values are also taken from the environment, from .env and from {origin}");
                }
                ExitCode::from(if error.use_stderr() { exit::USAGE } else { 0 })
            }
            Self::File(message) => {
                eprintln!("error: {message}");
                ExitCode::from(exit::USAGE)
            }
        }
    }
}

/// Reads what was typed, with the environment and the files beneath it.
pub fn parse() -> Result<Cli, Refusal> {
    load_env_file()?;
    parse_from(std::env::args_os().collect())
}

fn parse_from(typed: Vec<OsString>) -> Result<Cli, Refusal> {
    let mut command = Cli::command();
    let file = config_file(&without_empty_environment(command.clone()), &typed);
    if let Some(file) = &file {
        command = lay_beneath(command, file).map_err(|why| Refusal::File(format!("{file}: {why}")))?;
    }
    command = without_empty_environment(command);
    let refuse = |error| Refusal::Clap(error, file.clone());
    let matches = command.try_get_matches_from_mut(typed).map_err(refuse)?;
    Cli::from_arg_matches(&matches).map_err(|error| Refusal::Clap(error.format(&mut command), file.clone()))
}

/// Reads .env in the current folder. Variables that are set already are stronger.
fn load_env_file() -> Result<(), Refusal> {
    match dotenvy::from_path(".env") {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // Not the line itself: it may hold a password.
        Err(dotenvy::Error::LineParse(line, _)) => {
            let text = fs::read_to_string(".env").unwrap_or_default();
            let at = text.lines().position(|whole| whole.contains(&line));
            let name = at.and_then(|at| text.lines().nth(at)?.split_once('=')).map_or("a variable", |(name, _)| name);
            Err(Refusal::File(format!(
                ".env: the value of {} cannot be read; put it in single quotes if it holds spaces or quotes",
                name.trim()
            )))
        }
        Err(error) => Err(Refusal::File(format!(".env: {error}"))),
    }
}

/// A variable that is set to nothing, as compose files do, counts as not set.
fn without_empty_environment(command: Command) -> Command {
    let is_empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|v| v.is_empty());
    each_arg(command, &mut |arg| {
        if arg.get_env().is_some_and(is_empty) { arg.env(None::<&'static str>) } else { arg }
    })
}

/// The file that --config or its variable names, found before anything else is judged.
fn config_file(command: &Command, typed: &[OsString]) -> Option<String> {
    let matches = command.clone().ignore_errors(true).try_get_matches_from(typed).ok()?;
    let below =
        matches.subcommand().and_then(|(_, sub)| sub.try_get_one::<std::path::PathBuf>("config").ok().flatten());
    let path = below.or_else(|| matches.try_get_one("config").ok().flatten())?;
    Some(path.to_string_lossy().into_owned())
}

/// Makes the file's values the defaults.
fn lay_beneath(command: Command, file: &str) -> Result<Command, String> {
    let text = fs::read_to_string(Path::new(file)).map_err(|e| e.to_string())?;
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| plainly(&e, &text))?;
    let mut values = BTreeMap::new();
    flatten("", &table, &mut values)?;
    let mut unknown = values.clone();
    let command = each_arg(command, &mut |arg| {
        // Settings are what has a variable; the rest (--all, --dry-run) is an order, and is given where it is typed.
        let is_setting = arg.get_env().is_some() || matches!(arg.get_id().as_str(), "quiet" | "json");
        let Some(name) = arg.get_long().filter(|name| is_setting && *name != "config") else { return arg };
        let Some(value) = values.get(name) else { return arg };
        let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
        unknown.remove(name);
        // An unset flag is its default already; clap takes any value for a set one.
        if is_flag && value == "false" { arg } else { arg.default_value(value.clone()) }
    });
    match unknown.keys().next() {
        Some(key) => {
            Err(format!("unknown setting `{key}`; the keys are the flags' names, see prepare-audio fetch --help"))
        }
        None => Ok(command),
    }
}

/// What is wrong and where, without the line itself: it may hold a password.
fn plainly(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

/// Tables become prefixes, so `[vad] threshold = 0.6` is `vad-threshold = 0.6`; `_` may stand for `-`.
fn flatten(prefix: &str, table: &toml::Table, values: &mut BTreeMap<String, String>) -> Result<(), String> {
    for (key, value) in table {
        let key = format!("{prefix}{}", key.replace('_', "-"));
        let value = match value {
            toml::Value::Table(inner) => {
                flatten(&format!("{key}-"), inner, values)?;
                continue;
            }
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(_) => return Err(format!("`{key}` is a list; one value is expected")),
            other => other.to_string(),
        };
        values.insert(key, value);
    }
    Ok(())
}

/// Changes each argument of a command and of its subcommands.
fn each_arg(command: Command, change: &mut dyn FnMut(clap::Arg) -> clap::Arg) -> Command {
    command.mut_args(&mut *change).mut_subcommands(|sub| each_arg(sub, change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Command as Typed, FetchArgs};

    fn parse_with(file: &str, typed: &[&str]) -> Result<FetchArgs, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        fs::write(&path, file).unwrap();
        let mut all: Vec<OsString> = vec!["prepare-audio".into(), "--config".into(), path.into()];
        all.extend(typed.iter().map(Into::into));
        match parse_from(all) {
            Ok(Cli { command: Typed::Fetch(fetch), .. }) => Ok(*fetch),
            Ok(_) => Err("not fetch".into()),
            Err(Refusal::Clap(error, _)) => Err(error.to_string()),
            Err(Refusal::File(message)) => Err(message),
        }
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_the_default() {
        let file = "workers = 3\noutput = 'out'\n[vad]\nthreshold = 0.25\nmin_silence_duration_ms = 300\n";
        let fetch = parse_with(file, &["fetch", "--workers", "5"]).unwrap();
        assert_eq!(fetch.workers, Some(5));
        assert_eq!(fetch.base.output, Path::new("out"));
        assert_eq!((fetch.vad.vad_threshold, fetch.vad.vad_min_silence_duration_ms), (0.25, 300));
        assert_eq!(fetch.vad.vad_speech_pad_ms, 30);
    }

    #[test]
    fn flags_without_a_value_can_be_set_by_the_file() {
        assert!(parse_with("json = true", &["fetch"]).unwrap().json);
        assert!(!parse_with("json = false", &["fetch"]).unwrap().json);
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        assert!(parse_with("dry-run = true", &["fetch"]).unwrap_err().contains("unknown setting `dry-run`"));
        assert!(parse_with("treshold = 1", &["fetch"]).unwrap_err().contains("unknown setting `treshold`"));
        assert!(parse_with("workers = [1]", &["fetch"]).unwrap_err().contains("is a list"));
        assert!(parse_with("workers = ", &["fetch"]).unwrap_err().contains("settings.toml"));
        assert!(parse_with("workers = 'many'", &["fetch"]).unwrap_err().contains("invalid value 'many'"));
        let gone = parse_from(["prepare-audio", "--config", "gone.toml", "fetch"].map(Into::into).to_vec());
        assert!(matches!(gone, Err(Refusal::File(message)) if message.starts_with("gone.toml: ")));
    }
}
