//! `prepare-audio doctor`.

use crate::support::{
    pgbouncer::Pooler,
    postgres::Server,
    test_database::runtime,
    test_dir::{CommandOutput, TestDir, fixture},
};

#[test]
fn doctor_finds_no_fault_and_changes_nothing() {
    let dir = TestDir::new();
    let output = dir.run(&["doctor", "--json"]).exits(0).json();
    assert_eq!(output["ok"], true, "{output}");
    assert_eq!(output["model"]["name"], "silero-vad 6.2 16k");
    assert_eq!(output["model"]["sha256"].as_str().unwrap().len(), 64);
    assert!(output["model"]["engine"].as_str().unwrap().starts_with("native, "));
    assert!(output["simd"]["available"].as_array().unwrap().contains(&output["simd"]["chosen"]));
    assert_eq!(output["database"]["exists"], false);
    assert_eq!(output["output"]["writable"], true);
    assert_eq!(output["ffmpeg"]["path"], serde_json::Value::Null, "the tests' PATH is empty");
    let text = dir.run(&["doctor"]).exits(0).stdout;
    assert!(text.contains("can be created") && text.ends_with("all that a run needs is there\n"), "{text}");
    assert_eq!(dir.path(".").read_dir().unwrap().count(), 0);
}

/// The tests are built with the same features as the program.
#[test]
fn cargo_features_are_listed() {
    let dir = TestDir::new();
    let features = &dir.run(&["doctor", "--json"]).exits(0).json()["features"];
    let all = [
        ("inspect", cfg!(feature = "inspect")),
        ("live", cfg!(feature = "live")),
        ("metrics", cfg!(feature = "metrics")),
        ("onnx", cfg!(feature = "onnx")),
        ("parquet", cfg!(feature = "parquet")),
        ("postgres", cfg!(feature = "postgres")),
    ];
    let with = |compiled| all.iter().filter(|all| all.1 == compiled).map(|all| all.0).collect::<Vec<_>>();
    let (compiled, left_out) = (with(true), with(false));
    assert_eq!(features["compiled"], serde_json::json!(compiled));
    assert_eq!(features["left_out"], serde_json::json!(left_out));
    let line = format!("features      ok   {}", compiled.join(", "));
    assert!(dir.run(&["doctor"]).exits(0).stdout.contains(&line));
    let version = format!("prepare-audio {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(dir.run(&["-V"]).exits(0).stdout, version);
    let long = format!("{version}features compiled in: {}\nfeatures left out: ", compiled.join(", "));
    for args in [&["--version"][..], &["--version", "-v"], &["--version", "--verbose"]] {
        assert!(dir.run(args).exits(0).stdout.starts_with(&long), "{args:?}");
    }
}

#[test]
fn doctor_reports_the_schema_and_the_counts_of_a_database() {
    let dir = TestDir::new();
    dir.run(&["fetch", fixture("quiet").to_str().unwrap()]).exits(0);
    let database = &dir.run(&["doctor", "--json"]).exits(0).json()["database"];
    assert!(database["schema"].as_i64().unwrap() >= 1, "{database}");
    assert_eq!((&database["states"][0]["state"], &database["states"][0]["recordings"]), (&"done".into(), &2.into()));
}

#[test]
fn a_pooler_is_reported() {
    let Some(server) = Server::get() else { return };
    let Some(pooler) = Pooler::get(server) else { return };
    let direct = runtime().block_on(server.database());
    let dir = TestDir::new();
    let doctor = |url: &str| {
        let output = dir.command(&["doctor", "--json"]).env("DATABASE_URL", url).output().unwrap();
        CommandOutput::from(output).exits(0).json()["database"]["pooler"].clone()
    };
    assert_eq!((doctor(&direct), doctor(&pooler.url(&direct))), (false.into(), true.into()));
}

#[test]
fn a_fault_has_the_exit_code_that_a_run_would_have() {
    let dir = TestDir::new();
    dir.write("broken.db", "not a database, but long enough to be read as one ".repeat(20));
    dir.write("file", "in the place of a folder");
    let unreachable = "postgres://someone:sesame@127.0.0.1:1/queue";
    for (args, code, words) in [
        (["--database", "sqlite://broken.db"], 4, "broken.db"),
        (["--database", unreachable], 4, "cannot be reached"),
        (["--output", "file"], 2, "cannot be written"),
        (["--vad-model", "gone.onnx"], 2, "gone.onnx"),
    ] {
        let output = dir.run(&[&["doctor"], &args[..]].concat()).exits(code);
        assert!(output.stdout.contains(words) && output.stdout.contains("BAD"), "{args:?}: {}", output.stdout);
        assert!(!output.stdout.contains("sesame"));
        let json = dir.run(&[&["doctor", "--json"], &args[..]].concat()).exits(code).json();
        assert_eq!(json["ok"], false, "{json}");
    }
}

#[cfg(unix)]
#[test]
fn doctor_reports_the_version_of_the_ffmpeg_on_the_path() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TestDir::new();
    let script = dir.write("bin/ffmpeg", "#!/bin/sh\necho ffmpeg version 7.1.1 Copyright\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = dir.command(&["doctor", "--json"]).env("PATH", dir.path("bin")).output().unwrap();
    let output = CommandOutput::from(output).exits(0).json();
    assert_eq!(output["ffmpeg"]["version"], "7.1.1");
}
