//! The layout of help: headings by purpose, and which flags only `--help` shows.
//!
//! The arguments themselves are declared beside their commands. Their headings are set here, in one table, because the
//! arguments of `fetch`, `listen` and `resegment` come from many groups.

use clap::{Arg, Command, CommandFactory};

use super::command_line::Cli;

/// Headings of `fetch`, `resegment` and `listen`: name, ids of the arguments that `-h` shows, and of those that only `--help` shows.
const HEADINGS: [(&str, &[&str], &[&str]); 6] = [
    (
        "Server",
        &["bind", "tls_cert", "tls_key"],
        &["insecure", "max_sessions", "allow_origin", "resume_window", "idle_timeout", "max_speed", "sync", "drain"],
    ),
    (
        "Input",
        &["sources", "strict"],
        &["audio_dir", "priority", "audio_track", "raw", "decoder", "max_duration", "max_bytes"],
    ),
    (
        "Segments",
        &["output", "channels", "format", "segment_rate", "merge_to", "denoise", "no_audio"],
        &[
            "segment_channels",
            "opus_bitrate",
            "min_dbfs",
            "min_snr",
            "min_bandwidth",
            "max_clipped",
            "dnsmos",
            "keep_probabilities",
        ],
    ),
    (
        "Speech detection",
        &["vad_threshold", "vad_min_silence_duration_ms", "vad_max_speech_duration_s"],
        &[
            "vad_speech_pad_ms",
            "vad_neg_threshold",
            "vad_min_speech_duration_ms",
            "vad_min_silence_at_max_speech_ms",
            "vad_use_max_possible_silence",
            "vad_speech_pad_start_ms",
            "vad_speech_pad_end_ms",
            "max_speech_cut",
            "vad_on",
            "vad_model",
            "vad_engine",
            "device",
        ],
    ),
    (
        "Queue",
        &["database", "workers", "watch", "dry_run"],
        &["lease", "heartbeat", "timeout", "max_attempts", "metrics", "database_wait", "source_wait"],
    ),
    ("Logging", &["json", "quiet"], &["config", "log_level", "log_format", "log_file"]),
];

/// The commands whose arguments are under these headings.
const ARRANGED: [&str; 3] = ["fetch", "listen", "resegment"];

/// Global flags that `-h` shows for every command.
const SHORT_GLOBALS: [&str; 2] = ["database", "quiet"];

/// The command line's definition, for parsing and for help.
pub fn command() -> Command {
    let command = Cli::command().mut_args(|arg| {
        let is_rare = !SHORT_GLOBALS.contains(&arg.get_id().as_str());
        let arg = arg_with_heading(arg);
        if is_rare { arg.hide_short_help(true) } else { arg }
    });
    ARRANGED
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, |subcommand| subcommand.mut_args(arranged)))
}

/// An argument of one of these commands with its heading.
fn arranged(arg: Arg) -> Arg {
    let id = arg.get_id().as_str().to_owned();
    let is_rare = HEADINGS.iter().any(|(_, _, rare)| rare.contains(&id.as_str()));
    let arg = arg_with_heading(arg);
    if is_rare { arg.hide_short_help(true) } else { arg }
}

fn arg_with_heading(arg: Arg) -> Arg {
    let id = arg.get_id().as_str().to_owned();
    let heading =
        HEADINGS.iter().find(|(_, common, rare)| common.contains(&id.as_str()) || rare.contains(&id.as_str()));
    match heading {
        Some((heading, ..)) if arg.get_long().is_some() => arg.help_heading(*heading),
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `-h` fits on a screen, and `--help` shows every flag under one of the headings.
    #[test]
    fn short_help_has_at_most_60_lines_and_every_flag_has_a_heading() {
        let mut command = command();
        command.build();
        for subcommand in command.get_subcommands_mut() {
            let lines = subcommand.render_help().to_string().lines().count();
            assert!(lines <= 60, "{} -h has {lines} lines", subcommand.get_name());
        }
        for name in ARRANGED {
            let subcommand = command.find_subcommand(name).unwrap();
            for arg in subcommand.get_arguments().filter(|arg| arg.get_long().is_some()) {
                let id = arg.get_id().as_str();
                let known = HEADINGS.iter().any(|(_, common, rare)| common.contains(&id) || rare.contains(&id));
                assert!(known || ["help", "version"].contains(&id), "{name} --{id} has no heading");
            }
        }
    }
}
