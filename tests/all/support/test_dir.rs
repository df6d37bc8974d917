//! A temporary directory for one test, and the program run inside it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Map, Value};
use sqlx::{Column, ConnectOptions, Connection, Row, TypeInfo, ValueRef, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::test_database::runtime;

/// The folder of generated recordings.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// The path of a fixture.
pub fn fixture(name: &str) -> PathBuf {
    fixtures().join(name)
}

/// Expected values that the official package computed; `name` is a file in fixtures/expected.
pub fn expected(name: &str) -> Value {
    let text = fs::read_to_string(fixture("expected").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A temporary directory, removed when the test ends.
pub struct TestDir {
    folder: TempDir,
}

/// Exit code and output of a finished process.
pub struct CommandOutput {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl CommandOutput {
    /// Its standard output as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}\n{}", self.stdout, self.stderr))
    }

    /// Its standard output as JSON lines.
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Fails unless the exit code is `code`.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for CommandOutput {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl TestDir {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and creates its folders.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Copies a fixture.
    pub fn copy(&self, fixture_name: &str, name: &str) -> PathBuf {
        self.write(name, fs::read(fixture(fixture_name)).unwrap())
    }

    /// A command that runs the program in this directory with an empty environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prepare-audio"));
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> CommandOutput {
        self.command(args).output().unwrap().into()
    }

    /// Starts the program without waiting for it.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn status(&self) -> Value {
        self.run(&["status", "--json"]).exits(0).json()
    }

    /// The number of recordings in `state`.
    pub fn count(&self, state: &str) -> i64 {
        count_in(&self.status(), state)
    }

    /// Runs SQL on the database file in this directory, without the store. Returns the first row, or null.
    pub fn query_row(&self, sql: &'static str) -> Value {
        let options = SqliteConnectOptions::new().filename(self.path("prepare-audio.db"));
        runtime().block_on(async {
            let mut connection = options.connect().await.unwrap();
            let row = sqlx::query(sql).fetch_optional(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            let mut values = Map::new();
            let Some(row) = row else { return Value::Null };
            for (index, column) in row.columns().iter().enumerate() {
                // The type of the value, because a column that is an expression has no type.
                let kind = row.try_get_raw(index).unwrap().type_info().name().to_owned();
                let value = match kind.as_str() {
                    "INTEGER" => row.get::<Option<i64>, _>(index).into(),
                    "REAL" => row.get::<Option<f64>, _>(index).into(),
                    _ => row.get::<Option<String>, _>(index).into(),
                };
                values.insert(column.name().to_owned(), value);
            }
            Value::Object(values)
        })
    }

    /// The segment rows, in order.
    pub fn segments(&self, of: &[&str]) -> Vec<Value> {
        let args = [&["segments", "--json"], of].concat();
        self.run(&args).exits(0).json_lines()
    }

    /// All files below `name` with their content, sorted by path. The output folder's list of databases is left out.
    pub fn files(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let root = self.path(name);
        let mut files: Vec<_> = walkdir::WalkDir::new(&root)
            .into_iter()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file() && entry.file_name() != ".prepare-audio-databases")
            .map(|entry| (entry.path().strip_prefix(&root).unwrap().to_owned(), fs::read(entry.path()).unwrap()))
            .collect();
        files.sort();
        files
    }

    /// Writes `count` different recordings of about a minute into `folder`, made from the fixtures' speech.
    pub fn long_recordings(&self, folder: &str, count: usize) {
        let mut reader = hound::WavReader::open(fixture("speech/pauses.wav")).unwrap();
        let spec = reader.spec();
        let speech: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        fs::create_dir_all(self.path(folder)).unwrap();
        for n in 0..count {
            let path = self.path(folder).join(format!("recording {n:03}.wav"));
            let mut writer = hound::WavWriter::create(path, spec).unwrap();
            (0..n * 777).for_each(|_| writer.write_sample(0i16).unwrap());
            for &sample in speech.iter().cycle().take(60 * 16_000) {
                writer.write_sample(sample).unwrap();
            }
            writer.finalize().unwrap();
        }
    }
}

/// The number of recordings in `state` according to the JSON of `status`.
pub fn count_in(status: &Value, state: &str) -> i64 {
    let states = status["states"].as_array().unwrap();
    states.iter().find(|s| s["state"] == state).map_or(0, |s| s["recordings"].as_i64().unwrap())
}
