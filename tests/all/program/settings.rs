//! Settings, help and exit codes.

use crate::support::test_dir::{TestDir, fixture};

fn parameters(dir: &TestDir) -> serde_json::Value {
    let row = dir.query_row("SELECT parameters FROM recording");
    serde_json::from_str(row["parameters"].as_str().unwrap()).unwrap()
}

/// Each source of settings is tested against all sources of lower precedence.
#[test]
fn flags_override_the_environment_and_then_the_files() {
    let speech = fixture("speech/wav_s16_16k_mono.wav");
    let speech = speech.to_str().unwrap();
    for (flag, variable, dotenv, file, want) in [
        (Some("0.1"), Some("0.2"), Some("0.3"), Some("0.4"), 0.1),
        (None, Some("0.2"), Some("0.3"), Some("0.4"), 0.2),
        (None, None, Some("0.3"), Some("0.4"), 0.3),
        (None, None, None, Some("0.4"), 0.4),
        (None, Some(""), None, Some("0.4"), 0.4),
        (None, None, None, None, 0.5),
    ] {
        let dir = TestDir::new();
        let mut args = vec!["fetch", speech];
        args.extend(flag.iter().flat_map(|value| ["--vad-threshold", value]));
        if let Some(value) = dotenv {
            dir.write(".env", format!("PREPARE_AUDIO_VAD_THRESHOLD={value}\n"));
        }
        if let Some(value) = file {
            dir.write("settings.toml", format!("[vad]\nthreshold = {value}\n"));
            args.extend(["--config", "settings.toml"]);
        }
        let mut command = dir.command(&args);
        command.envs(variable.map(|value| ("PREPARE_AUDIO_VAD_THRESHOLD", value)));
        assert!(command.status().unwrap().success());
        assert_eq!(parameters(&dir)["vad"]["threshold"], want);
    }
}

#[test]
fn common_environment_variables_are_read() {
    let dir = TestDir::new();
    dir.copy("speech/wav_s16_16k_mono.wav", "audio/a.wav");
    dir.write(".env", "DATABASE_URL=sqlite://queue.db\nOUTPUT_DIR=cut\nAUDIO_FILE_DIR=audio\nLOG_LEVEL=WARNING\n");
    let output = dir.run(&["fetch", "audio/a.wav"]).exits(0);
    assert!(dir.path("queue.db").exists() && dir.path("cut").is_dir());
    assert!(!output.stderr.contains("INFO"), "{}", output.stderr);
}

#[test]
fn the_bundled_model_from_a_file_is_the_same_recipe() {
    let dir = TestDir::new();
    let [speech, model] = [fixture("speech/pauses.wav"), fixture("../crates/vad/models/silero_vad_16k_sequence.onnx")];
    let speech = speech.to_str().unwrap();
    dir.run(&["fetch", speech]).exits(0);
    let mut again = dir.command(&["fetch", speech, "--json"]);
    let output: crate::support::test_dir::CommandOutput = again.env("MODEL_FOR_VAD", model).output().unwrap().into();
    assert_eq!(output.exits(0).json()["done"], 0);
}

/// The samples of a WAV file without its header give the same segments, and another recipe.
#[test]
fn samples_without_a_header_are_read_as_named() {
    let dir = TestDir::new();
    let wav = std::fs::read(fixture("speech/wav_s16_16k_mono.wav")).unwrap();
    let data = wav.windows(4).position(|name| name == b"data").unwrap() + 8;
    dir.write("calls/a.pcm", &wav[data..]);
    dir.copy("speech/wav_s16_16k_mono.wav", "calls/b.wav");
    dir.run(&["fetch", "calls", "--raw", "s16le:16000:1"]).exits(0);
    let segments = |source: &str| {
        let query = format!(
            "SELECT group_concat(start_s || '-' || end_s) AS cuts, max(container) AS container, max(parameters) AS parameters
             FROM recording JOIN segment ON recording.id = segment.recording_id WHERE source LIKE '%{source}'"
        );
        dir.query_row(Box::leak(query.into_boxed_str()))
    };
    let (raw, own) = (segments("a.pcm"), segments("b.wav"));
    assert!(raw["cuts"].is_string() && raw["cuts"] == own["cuts"], "{raw} {own}");
    assert_eq!((raw["container"].as_str(), own["container"].as_str()), (Some("raw"), Some("wave")));
    assert!(raw["parameters"].as_str().unwrap().contains(r#""raw":"s16le:16000:1""#), "{raw}");
}

#[test]
fn usage_errors_exit_with_2_and_name_the_mistake() {
    let dir = TestDir::new();
    dir.run(&["fetch"]).exits(0); // creates the database that some of the commands need
    for (args, words) in [
        (vec!["fetch", "--workers", "0"], "at least 1 worker"),
        (vec!["fetch", "--workers", "many"], "invalid value 'many'"),
        (vec!["fetch", "gone.wav"], "gone.wav: no such file or folder"),
        (vec!["fetch", "--vad-threshold", "1.5"], "threshold"),
        (vec!["fetch", "--lease", "10s"], "--heartbeat must be at most half of --lease"),
        (vec!["fetch", "--vad-model", "gone.onnx"], "gone.onnx"),
        (vec!["fetch", "--log-level", "loud!"], "log level"),
        (vec!["fetch", "--raw", "s16le:16000"], "FORMAT:RATE:CHANNELS"),
        (vec!["fetch", "--raw", "mp3:16000:1"], "u8, s8, s16le"),
        (vec!["--config", "gone.toml", "fetch"], "gone.toml"),
        (vec!["--database", "mysql://host/db", "status"], "sqlite://"),
        (vec!["add"], "required"),
        (vec!["retry"], "--all"),
        (vec!["cancel"], "--all-pending"),
        (vec!["requeue"], "--where-error"),
        (vec!["quarantine"], "list"),
        (vec!["add", "a.wav", "--query", "SELECT 1"], "--from-database"),
        (vec!["add", "--from-database", "a.db"], "--query"),
        (vec!["add", ".", "--priority", "high"], "--priority"),
        (vec!["resegment", "a.wav", "--priority", "1"], "unexpected argument '--priority'"),
        (vec!["segments", "gone.wav"], "no recording has this id or source"),
        (vec!["prepare"], "unrecognized subcommand"),
    ] {
        let output = dir.run(&args).exits(2);
        assert!(output.stderr.contains(words), "{args:?}: {}", output.stderr);
    }
}

#[test]
fn a_database_that_cannot_be_used_exits_with_4() {
    let dir = TestDir::new();
    dir.write("broken.db", "not a database, but long enough to be read as one ".repeat(20));
    let output = dir.run(&["--database", "sqlite://broken.db", "status"]).exits(4);
    assert!(output.stderr.contains("broken.db"), "{}", output.stderr);
    let unreachable = "postgres://someone:sesame@127.0.0.1:1/queue";
    let output = dir.run(&["--database", unreachable, "fetch", "--database-wait", "1s"]).exits(4);
    assert!(output.stderr.contains("cannot be reached") && !output.stderr.contains("sesame"), "{}", output.stderr);
}

#[test]
fn help_has_defaults_environment_names_and_exit_codes() {
    let dir = TestDir::new();
    let help = dir.run(&["fetch", "--help"]).exits(0).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" "); // lines are wrapped
    for words in [
        "[env: DATABASE_URL]",
        "[default: sqlite://prepare-audio.db]",
        "[env: OUTPUT_DIR",
        "[env: AUDIO_FILE_DIR",
        "[env: MODEL_FOR_VAD",
        "[env: LOG_LEVEL",
        "--vad-min-silence-at-max-speech-ms",
        "[default: 98]",
        "Exit codes:",
    ] {
        assert!(help.contains(words), "{words} is missing in\n{help}");
    }
    assert!(dir.run(&["--help"]).exits(0).stdout.contains("Examples:"));
    assert!(dir.run(&["man"]).exits(0).stdout.contains(".TH"));
    assert!(dir.run(&["completions", "bash"]).exits(0).stdout.contains("complete -F _prepare"));
}

#[test]
fn a_password_is_never_shown() {
    let dir = TestDir::new();
    let url = "postgres://someone:sesame@127.0.0.1:1/queue";
    let output = dir.command(&["fetch", "--help"]).env("DATABASE_URL", url).output().unwrap();
    assert!(!String::from_utf8(output.stdout).unwrap().contains("sesame"));
    // clap's own message would repeat an invalid address.
    for args in [
        &["--database", "mysql://someone:sesame@host/db", "status"][..],
        &["--database", "postgres://someone:sesame@host/db?sslmoed=sesame", "status"],
        &["add", "--from-database", "postgresq://someone:sesame@host/db", "--query", "SELECT 1"],
        &["add", "--from-database", url, "--query", "SELECT 1"],
    ] {
        let output = dir.run(args);
        assert!(
            !output.stderr.is_empty() && !format!("{}{}", output.stdout, output.stderr).contains("sesame"),
            "{}",
            output.stderr
        );
    }
    let output = dir.command(&["status"]).env("DATABASE_URL", "mysql://someone:sesame@host/db").output().unwrap();
    assert!(!String::from_utf8(output.stderr).unwrap().contains("sesame"));
}

#[test]
fn the_log_can_be_written_to_a_file_as_json() {
    let dir = TestDir::new();
    let speech = fixture("speech/wav_s16_16k_mono.wav");
    let output =
        dir.run(&["fetch", speech.to_str().unwrap(), "--log-format", "json", "--log-file", "run.log"]).exits(0);
    assert!(output.stderr.is_empty(), "{}", output.stderr);
    let log = std::fs::read_to_string(dir.path("run.log")).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done = lines.iter().find(|line| line["fields"]["message"] == "done").unwrap();
    assert_eq!(done["span"]["name"], "recording");
    assert_eq!(done["fields"]["segments"], 1);
}

#[test]
fn quiet_prints_nothing() {
    let dir = TestDir::new();
    let output = dir.run(&["fetch", "--quiet", fixture("speech/pauses.wav").to_str().unwrap()]).exits(0);
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{}{}", output.stdout, output.stderr);
}
