//! `prepare-audio doctor`.

use crate::support::desk::{Desk, fixture};

#[test]
fn a_sound_machine_is_told_so_and_nothing_is_touched() {
    let desk = Desk::new();
    let said = desk.run(&["doctor", "--json"]).exits(0).json();
    assert_eq!(said["ok"], true, "{said}");
    assert_eq!(said["model"]["name"], "silero-vad 6.2 16k");
    assert_eq!(said["model"]["sha256"].as_str().unwrap().len(), 64);
    assert!(said["model"]["engine"].as_str().unwrap().starts_with("native, "));
    assert!(said["simd"]["available"].as_array().unwrap().contains(&said["simd"]["chosen"]));
    assert_eq!(said["database"]["exists"], false);
    assert_eq!(said["output"]["writable"], true);
    assert_eq!(said["ffmpeg"]["path"], serde_json::Value::Null, "the tests' PATH is empty");
    let text = desk.run(&["doctor"]).exits(0).out;
    assert!(text.contains("can be made") && text.ends_with("all that a run needs is there\n"), "{text}");
    assert_eq!(desk.path(".").read_dir().unwrap().count(), 0);
}

#[test]
fn the_database_is_looked_into() {
    let desk = Desk::new();
    desk.run(&["fetch", fixture("quiet").to_str().unwrap()]).exits(0);
    let database = &desk.run(&["doctor", "--json"]).exits(0).json()["database"];
    assert!(database["schema"].as_i64().unwrap() >= 1, "{database}");
    assert_eq!((&database["states"][0]["state"], &database["states"][0]["recordings"]), (&"done".into(), &2.into()));
}

#[test]
fn what_a_run_lacks_is_told_with_the_runs_exit_code() {
    let desk = Desk::new();
    desk.write("broken.db", "this is no database, but long enough to be looked at as one ".repeat(20));
    desk.write("file", "where a folder should be");
    let unreachable = "postgres://someone:sesame@127.0.0.1:1/queue";
    for (args, code, words) in [
        (["--database", "sqlite://broken.db"], 4, "broken.db"),
        (["--database", unreachable], 4, "cannot be reached"),
        (["--output", "file"], 2, "cannot be written"),
        (["--vad-model", "gone.onnx"], 2, "gone.onnx"),
    ] {
        let said = desk.run(&[&["doctor"], &args[..]].concat()).exits(code);
        assert!(said.out.contains(words) && said.out.contains("BAD"), "{args:?}: {}", said.out);
        assert!(!said.out.contains("sesame"));
        let json = desk.run(&[&["doctor", "--json"], &args[..]].concat()).exits(code).json();
        assert_eq!(json["ok"], false, "{json}");
    }
}

#[cfg(unix)]
#[test]
fn ffmpeg_is_looked_for_on_the_path() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let script = desk.write("bin/ffmpeg", "#!/bin/sh\necho ffmpeg version 7.1.1 Copyright\n");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let said = desk.command(&["doctor", "--json"]).env("PATH", desk.path("bin")).output().unwrap();
    let said = crate::support::desk::Said::from(said).exits(0).json();
    assert_eq!(said["ffmpeg"]["version"], "7.1.1");
}
