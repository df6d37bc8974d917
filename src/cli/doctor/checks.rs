//! The checks of `doctor`, one function each.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use prepare_audio::{
    media,
    output::OutputFolder,
    pipeline::WriteError,
    store::{self, DatabaseUrl, StateCount, StoreError},
    vad::{Engine, SimdLevel},
};
use serde_json::{Value, json};

use super::{
    super::{
        args::{EngineArgs, GlobalArgs},
        exit, features,
        format::count,
        hints,
    },
    Finding, Verdict,
};

/// Bytes that an output folder should have free: some minutes of speech.
const ROOM: u64 = 16 << 20;

/// The Cargo features of this build. A feature that was left out is reported, but it is no fault.
pub fn features() -> Finding {
    let (compiled, left_out) = (features::compiled(), features::left_out());
    let with = if compiled.is_empty() { "none compiled in".into() } else { compiled.join(", ") };
    let without: Vec<String> = left_out.iter().map(|(name, purpose)| format!("{name} ({purpose})")).collect();
    let text = if without.is_empty() { with } else { format!("{with}; left out: {}", without.join(", ")) };
    let left_out: Vec<&str> = left_out.iter().map(|(name, _)| *name).collect();
    let facts = json!({ "compiled": compiled, "left_out": left_out });
    Finding { topic: "features", verdict: Verdict::Fine, text, facts }
}

/// The vector instructions that this processor has, and those that the native engine uses.
pub fn simd() -> Finding {
    let chosen = SimdLevel::detect().to_string();
    let available: Vec<String> = SimdLevel::available().iter().map(SimdLevel::to_string).collect();
    let text = format!("{chosen}, of {}", available.join("; "));
    Finding { topic: "simd", verdict: Verdict::Fine, text, facts: json!({ "chosen": chosen, "available": available }) }
}

/// Whether the model can be run.
pub fn model(args: &EngineArgs) -> Finding {
    let file = args.vad_model.as_ref().map(|path| path.display().to_string());
    let from = file.clone().unwrap_or_else(|| "bundled".into());
    let finding = |verdict, text, facts| Finding { topic: "model", verdict, text, facts };
    match args.open() {
        Ok(engine) => finding(Verdict::Fine, describe_model(&engine, &from), model_facts(&engine, &from)),
        Err(error) => {
            let text = hints::with_hint(&error);
            let facts = json!({ "from": from, "error_code": error.code(), "error": text });
            finding(Verdict::Broken(exit::USAGE), text, facts)
        }
    }
}

fn describe_model(engine: &Engine, from: &str) -> String {
    format!("{} ({from}), sha256 {}, engine: {engine}", engine.name(), engine.sha256())
}

fn model_facts(engine: &Engine, from: &str) -> Value {
    json!({ "from": from, "name": engine.name(), "sha256": engine.sha256(), "engine": engine.to_string() })
}

/// Whether the database answers. It is opened as every command opens it, which brings an older schema up to date. An SQLite
/// file that does not exist is not created.
pub async fn database(global: &GlobalArgs) -> Finding {
    let url = global.database.to_string();
    let finding = |verdict, text, facts| Finding { topic: "database", verdict, text, facts };
    if matches!(&global.database, DatabaseUrl::Sqlite(path) if !path.exists()) {
        let text = format!("{url}: does not exist yet; `add` and `fetch` create it");
        return finding(Verdict::Fine, text, json!({ "url": url, "exists": false }));
    }
    match inspect(&global.database).await {
        Ok(Database { schema, states, is_pooled }) => {
            let recordings = states.iter().map(|state| state.recordings as u64).sum();
            let mut text = format!("{url}: schema {schema}, {}", count(recordings, "recording"));
            if is_pooled {
                text += ", through a connection pooler in transaction mode: new recordings are polled for, and statements are \
                         prepared each time";
            }
            let facts = json!({ "url": url, "exists": true, "schema": schema, "states": states, "pooler": is_pooled });
            finding(Verdict::Fine, text, facts)
        }
        Err(error) => {
            let facts = json!({ "url": url, "error": error.to_string() });
            finding(Verdict::Broken(exit::DATABASE), error.to_string(), facts)
        }
    }
}

/// What is reported about a database.
struct Database {
    schema: i64,
    states: Vec<StateCount>,
    is_pooled: bool,
}

async fn inspect(url: &DatabaseUrl) -> Result<Database, StoreError> {
    let store = store::connect(url).await?;
    let database =
        Database { schema: store.schema().await?, states: store.counts().await?, is_pooled: store.is_pooled() };
    store.close().await;
    Ok(database)
}

/// Whether segments can be written: a file is created in their folder, or where that would be created.
pub fn output(folder: &Path) -> Finding {
    let shown = folder.display();
    let (verdict, text) = match try_to_write(folder) {
        Ok(()) if folder.exists() => (Verdict::Fine, format!("{shown}: can be written")),
        Ok(()) => (Verdict::Fine, format!("{shown}: can be created")),
        Err(error) => (Verdict::Broken(exit::USAGE), format!("{shown}: cannot be written: {error}")),
    };
    let writable = matches!(verdict, Verdict::Fine);
    let facts = json!({ "path": shown.to_string(), "exists": folder.exists(), "writable": writable });
    Finding { topic: "output", verdict, text, facts }
}

fn try_to_write(folder: &Path) -> Result<(), WriteError> {
    let folder = std::path::absolute(folder)?;
    if folder.is_dir() {
        return OutputFolder::new(folder).probe(ROOM);
    }
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(&folder);
    let probe = existing.join(format!(".tmp.doctor.{}", std::process::id()));
    fs::File::create_new(&probe)?;
    Ok(fs::remove_file(probe)?)
}

/// Which ffmpeg is installed. It decodes what symphonia cannot.
pub fn ffmpeg() -> Finding {
    let finding = |verdict, text, facts| Finding { topic: "ffmpeg", verdict, text, facts };
    let Some(file) = media::find_ffmpeg() else {
        let text = "not on the PATH; AMR, WMA, AC-3 and other formats that only it decodes cannot be used here";
        return finding(Verdict::Absent, text.into(), json!({ "path": null }));
    };
    let version = ffmpeg_version(&file);
    let text = format!("{}, {}", version.as_deref().unwrap_or("of unknown version"), file.display());
    finding(Verdict::Fine, text, json!({ "path": file.display().to_string(), "version": version }))
}

/// The third word of `ffmpeg version 5.1.6 Copyright ...`.
fn ffmpeg_version(file: &PathBuf) -> Option<String> {
    let output = Command::new(file).arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.strip_prefix("ffmpeg version ")?.split_whitespace().next().map(str::to_owned)
}
