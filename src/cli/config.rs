//! The sources of settings: flags, the environment, a .env file, a TOML file, defaults. The first that has a value wins.
//!
//! clap handles flags, environment and defaults. A .env file sets the variables that are not set, and a TOML file's
//! values replace the defaults before anything is parsed. So the same parsers read every source.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path, process::ExitCode};

use clap::{ArgAction, Command, FromArgMatches, error::ErrorKind};

use super::{command_line::Cli, exit, features, help};

/// An invalid command line or settings file.
pub enum InvalidSettings {
    /// clap's own message (help, version, usage), and the settings file, if any, which may be the source of the value.
    Clap(clap::Error, Option<String>),
    /// The message about a settings file.
    File(String),
}

impl InvalidSettings {
    /// Prints the message and returns the exit code. Help and version are not failures.
    pub fn report(self) -> ExitCode {
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

/// Parses the command line, and fills it up from the environment and the settings files.
pub fn parse() -> Result<Cli, InvalidSettings> {
    load_env_file()?;
    parse_from(std::env::args_os().collect())
}

fn parse_from(args: Vec<OsString>) -> Result<Cli, InvalidSettings> {
    // Not in `help::command`, because the manual page needs a version of one line.
    let mut command = help::command().long_version(features::long_version());
    let file = config_file(&without_empty_environment(command.clone()), &args);
    if let Some(file) = &file {
        command = with_defaults_from(command, file).map_err(|why| InvalidSettings::File(format!("{file}: {why}")))?;
    }
    command = without_empty_environment(command);
    let invalid = |error| InvalidSettings::Clap(error, file.clone());
    let matches = command.try_get_matches_from_mut(args).map_err(invalid)?;
    Cli::from_arg_matches(&matches).map_err(|error| InvalidSettings::Clap(error.format(&mut command), file.clone()))
}

/// Reads .env in the current folder. Variables that are set already take precedence.
fn load_env_file() -> Result<(), InvalidSettings> {
    match dotenvy::from_path(".env") {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The message leaves the line out, because it may contain a password.
        Err(dotenvy::Error::LineParse(line, _)) => {
            let text = fs::read_to_string(".env").unwrap_or_default();
            let at = text.lines().position(|whole| whole.contains(&line));
            let name = at.and_then(|at| text.lines().nth(at)?.split_once('=')).map_or("a variable", |(name, _)| name);
            Err(InvalidSettings::File(format!(
                ".env: the value of {} cannot be read; put it in single quotes if it contains spaces or quotes",
                name.trim()
            )))
        }
        Err(error) => Err(InvalidSettings::File(format!(".env: {error}"))),
    }
}

/// Treats an empty variable as not set. Compose files set such variables.
fn without_empty_environment(command: Command) -> Command {
    let is_empty = |name: &std::ffi::OsStr| std::env::var_os(name).is_some_and(|v| v.is_empty());
    each_arg(command, &mut |arg| {
        if arg.get_env().is_some_and(is_empty) { arg.env(None::<&'static str>) } else { arg }
    })
}

/// The file that --config or its variable names. The other arguments cannot be parsed before it is read.
fn config_file(command: &Command, args: &[OsString]) -> Option<String> {
    let matches = command.clone().ignore_errors(true).try_get_matches_from(args).ok()?;
    let below =
        matches.subcommand().and_then(|(_, sub)| sub.try_get_one::<std::path::PathBuf>("config").ok().flatten());
    let path = below.or_else(|| matches.try_get_one("config").ok().flatten())?;
    Some(path.to_string_lossy().into_owned())
}

/// Makes the file's values the defaults.
fn with_defaults_from(command: Command, file: &str) -> Result<Command, String> {
    let text = fs::read_to_string(Path::new(file)).map_err(|e| e.to_string())?;
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| without_line(&e, &text))?;
    let mut values = BTreeMap::new();
    flatten("", &table, &mut values)?;
    let mut unknown = values.clone();
    let command = each_arg(command, &mut |arg| {
        // Arguments with a variable are settings. The others (--all, --dry-run) belong to one invocation.
        let is_setting = arg.get_env().is_some() || matches!(arg.get_id().as_str(), "quiet" | "json");
        let Some(name) = arg.get_long().filter(|name| is_setting && *name != "config") else { return arg };
        let Some(value) = values.get(name) else { return arg };
        let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
        unknown.remove(name);
        // `false` is a flag's default already, and clap would take any value as `true`.
        if is_flag && value == "false" { arg } else { arg.default_value(value.clone()) }
    });
    match unknown.keys().next() {
        Some(key) => {
            Err(format!("unknown setting `{key}`; the keys are the flags' names, see prepare-audio fetch --help"))
        }
        None => Ok(command),
    }
}

/// The error and its line number, without the line's text, which may contain a password.
fn without_line(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, error.message())
}

/// Turns tables into prefixes: `[vad] threshold = 0.6` is `vad-threshold = 0.6`. A `_` in a key means `-`.
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

/// Applies `change` to each argument of a command and of its subcommands.
fn each_arg(command: Command, change: &mut dyn FnMut(clap::Arg) -> clap::Arg) -> Command {
    command.mut_args(&mut *change).mut_subcommands(|sub| each_arg(sub, change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{command_line::Command as CliCommand, commands::fetch};

    fn parse_with(file: &str, args: &[&str]) -> Result<fetch::Args, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.toml");
        fs::write(&path, file).unwrap();
        let mut all: Vec<OsString> = vec!["prepare-audio".into(), "--config".into(), path.into()];
        all.extend(args.iter().map(Into::into));
        match parse_from(all) {
            Ok(Cli { command: CliCommand::Fetch(fetch), .. }) => Ok(*fetch),
            Ok(_) => Err("not fetch".into()),
            Err(InvalidSettings::Clap(error, _)) => Err(error.to_string()),
            Err(InvalidSettings::File(message)) => Err(message),
        }
    }

    #[test]
    fn flags_override_the_file_and_the_file_overrides_defaults() {
        let file = "workers = 3\noutput = 'out'\n[vad]\nthreshold = 0.25\nmin_silence_duration_ms = 300\n";
        let fetch = parse_with(file, &["fetch", "--workers", "5"]).unwrap();
        assert_eq!(fetch.run.workers, Some(5));
        assert_eq!(fetch.run.base.output, Path::new("out"));
        let vad = &fetch.preparation.vad;
        assert_eq!((vad.vad_threshold, vad.vad_min_silence_duration_ms), (0.25, 300));
        assert_eq!(vad.vad_speech_pad_ms, 30);
    }

    #[test]
    fn flags_without_a_value_can_be_set_by_the_file() {
        assert!(parse_with("json = true", &["fetch"]).unwrap().run.json);
        assert!(!parse_with("json = false", &["fetch"]).unwrap().run.json);
    }

    #[test]
    fn messages_name_the_mistake_in_the_file() {
        assert!(parse_with("dry-run = true", &["fetch"]).unwrap_err().contains("unknown setting `dry-run`"));
        assert!(parse_with("treshold = 1", &["fetch"]).unwrap_err().contains("unknown setting `treshold`"));
        assert!(parse_with("workers = [1]", &["fetch"]).unwrap_err().contains("is a list"));
        assert!(parse_with("workers = ", &["fetch"]).unwrap_err().contains("settings.toml"));
        assert!(parse_with("workers = 'many'", &["fetch"]).unwrap_err().contains("invalid value 'many'"));
        let gone = parse_from(["prepare-audio", "--config", "gone.toml", "fetch"].map(Into::into).to_vec());
        assert!(matches!(gone, Err(InvalidSettings::File(message)) if message.starts_with("gone.toml: ")));
    }
}
