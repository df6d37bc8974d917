//! Nothing is written outside of the output folder, whatever the names of sources and the content of the folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

use crate::support::test_dir::TestDir;

const SPEECH: &str = "speech/wav_s16_16k_mono.wav";

/// Adds sources by plain SQL, which accepts names that the program would refuse.
fn insert(dir: &TestDir, sources: &[String]) {
    let options = SqliteConnectOptions::new().filename(dir.path("work/prepare-audio.db"));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut connection = options.connect().await.unwrap();
        for source in sources {
            let insert = sqlx::query("INSERT INTO recording (source, max_attempts) VALUES ($1, 1)").bind(source);
            insert.execute(&mut connection).await.unwrap();
        }
        connection.close().await.unwrap();
    });
}

/// All files outside of the output folder, with their content. Links are not followed.
fn files_outside(dir: &TestDir) -> Vec<(PathBuf, Vec<u8>)> {
    let all = walkdir::WalkDir::new(dir.path("")).sort_by_file_name().into_iter().map(Result::unwrap);
    let all = all.filter(|entry| {
        let path = entry.path().strip_prefix(dir.path("")).unwrap();
        !path.starts_with("work/segments") && !path.starts_with("work/prepare-audio.db") && path != Path::new("work")
    });
    let all = all.filter(|entry| !entry.file_name().to_str().unwrap().starts_with("prepare-audio.db"));
    all.map(|entry| {
        let bytes = if entry.file_type().is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        (entry.into_path(), bytes)
    })
    .collect()
}

/// Names of the recordings' folders in the output folder, in any order. The list of databases is left out.
fn folders_of_recordings(dir: &TestDir) -> Vec<String> {
    let entries = fs::read_dir(dir.path("work/segments")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn run(dir: &TestDir, args: &[&str]) -> crate::support::test_dir::CommandOutput {
    dir.command(args).current_dir(dir.path("work")).output().unwrap().into()
}

/// Valid file names, most of which would lead to another folder or harm a terminal if they were used unchanged.
fn names() -> Vec<String> {
    let names = [
        "..／..／escaped.wav", // fullwidth slash, U+FF0F
        "..∕..∕escaped.wav",   // division slash, U+2215
        "․․⁄escaped.wav",      // one dot leaders, U+2024, and a fraction slash, U+2044
        "..\\..\\escaped.wav",
        "C:\\escaped.wav",
        "\u{202e}vaw.exe.wav", // right-to-left override
        "\u{2066}a\u{2069}\u{200b}.wav",
        "two\nlines\r.wav",
        "bell\u{7}\u{1b}[2J.wav",
        "con.wav",
        "NUL.tar.wav",
        "-rf.wav",
        "~.wav",
        "$(touch escaped).wav",
        "...wav",
        ".tmp.x.wav",
        "e\u{301}.wav", // é in two characters, and in one
        "\u{e9}.wav",
    ];
    names.map(str::to_owned).into_iter().chain([format!("{}.wav", "長".repeat(83))]).collect()
}

#[cfg(unix)]
#[test]
fn no_source_name_leads_out_of_the_output_folder() {
    let dir = TestDir::new();
    let sources: Vec<String> = names().into_iter().map(|name| format!("audio/{name}")).collect();
    for source in &sources {
        dir.copy(SPEECH, &format!("work/{source}"));
    }
    dir.copy(SPEECH, "outside/a.wav");
    let leading_out = [
        "../outside/a.wav".to_owned(),
        "audio/../../outside/a.wav".to_owned(),
        dir.path("outside/a.wav").to_str().unwrap().to_owned(),
        format!("{}outside/a.wav", "../work/".repeat(500) + "../"),
    ];
    let broken = [
        "audio/nul\0.wav".to_owned(),
        "a\0".to_owned(), // "\0" alone has length 0 in SQLite, and is refused
        "..".to_owned(),
        "/".to_owned(),
        format!("/{}.wav", "x".repeat(4_096)),
        format!("{}a.wav", "y/".repeat(4_096)),
    ];
    run(&dir, &["status"]).exits(4);
    run(&dir, &["fetch"]).exits(0);
    insert(&dir, &sources);
    insert(&dir, &leading_out);
    insert(&dir, &broken);
    let before = files_outside(&dir);
    let output = run(&dir, &["fetch", "--json"]).exits(1).json();
    assert_eq!(output["done"], sources.len() + leading_out.len(), "{output}");
    assert_eq!(output["failed"], broken.len(), "{output}");
    assert!(output["errors"].get("panic").is_none(), "{output}");
    assert!(files_outside(&dir) == before, "nothing was written outside of the output folder");
    let folders = folders_of_recordings(&dir);
    assert_eq!(folders.len(), sources.len() + leading_out.len(), "each recording has a folder");
    for folder in &folders {
        assert!(folder.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)), "{folder:?}");
    }
    // Listings have no control characters, and the names break no other command.
    let shown = run(&dir, &["status"]).exits(0).stdout + &run(&dir, &["segments"]).exits(0).stdout;
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'));
    run(&dir, &["verify"]).exits(0);
    assert_eq!(run(&dir, &["gc", "--older-than", "0s", "--json"]).exits(0).json()["segment_files"], 0);
}

/// Another user with write access to the output folder puts a link in the place of a recording's folder.
#[cfg(unix)]
#[test]
fn links_planted_in_the_output_are_refused() {
    use std::os::unix::fs::symlink;
    let dir = TestDir::new();
    dir.copy(SPEECH, "work/a.wav");
    run(&dir, &["fetch", "a.wav"]).exits(0);
    let folder = dir.path("work/segments").join(&folders_of_recordings(&dir)[0]);
    fs::remove_dir_all(&folder).unwrap();
    dir.write("elsewhere/precious", "precious");
    dir.write("elsewhere/.tmp.precious", "precious");
    symlink(dir.path("elsewhere"), &folder).unwrap();
    run(&dir, &["verify", "--requeue"]).exits(1);
    let before = files_outside(&dir);
    let output = run(&dir, &["fetch", "--json"]).exits(3).json();
    assert_eq!(output["errors"]["unsafe_output"], 1, "{output}");
    assert!(files_outside(&dir) == before);
    let failure = run(&dir, &["status", "--json"]).exits(0).json()["failures"][0].clone();
    assert!(failure["error"].as_str().unwrap().contains(folder.to_str().unwrap()), "{failure}");
    run(&dir, &["gc", "--older-than", "0s", "--force"]).exits(0);
    assert!(files_outside(&dir) == before);
    fs::remove_file(&folder).unwrap();
    run(&dir, &["retry", "--all"]).exits(0);
    run(&dir, &["fetch"]).exits(0);
    run(&dir, &["verify"]).exits(0);
}
