//! The checks, one function each.

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
    let told = if without.is_empty() { with } else { format!("{with}; left out: {}", without.join(", ")) };
    let left_out: Vec<&str> = left_out.iter().map(|(name, _)| *name).collect();
    let facts = json!({ "compiled": compiled, "left_out": left_out });
    Finding { topic: "features", verdict: Verdict::Fine, told, facts }
}

/// The vector instructions of this processor, and those that the native engine takes.
pub fn simd() -> Finding {
    let chosen = SimdLevel::detect().to_string();
    let available: Vec<String> = SimdLevel::available().iter().map(SimdLevel::to_string).collect();
    let told = format!("{chosen}, of {}", available.join("; "));
    Finding { topic: "simd", verdict: Verdict::Fine, told, facts: json!({ "chosen": chosen, "available": available }) }
}

/// Whether the model can be computed.
pub fn model(args: &EngineArgs) -> Finding {
    let file = args.vad_model.as_ref().map(|path| path.display().to_string());
    let from = file.clone().unwrap_or_else(|| "bundled".into());
    let finding = |verdict, told, facts| Finding { topic: "model", verdict, told, facts };
    match args.open() {
        Ok(engine) => finding(Verdict::Fine, tell_model(&engine, &from), model_facts(&engine, &from)),
        Err(error) => {
            let told = hints::with_hint(&error);
            let facts = json!({ "from": from, "error_code": error.code(), "error": told });
            finding(Verdict::Broken(exit::USAGE), told, facts)
        }
    }
}

fn tell_model(engine: &Engine, from: &str) -> String {
    format!("{} ({from}), sha256 {}, engine: {engine}", engine.name(), engine.sha256())
}

fn model_facts(engine: &Engine, from: &str) -> Value {
    json!({ "from": from, "name": engine.name(), "sha256": engine.sha256(), "engine": engine.to_string() })
}

/// Whether the database answers. It is opened as every command opens it, which brings an older schema up to date; but
/// an SQLite file that is not there is not made.
pub async fn database(global: &GlobalArgs) -> Finding {
    let url = global.database.to_string();
    let finding = |verdict, told, facts| Finding { topic: "database", verdict, told, facts };
    if matches!(&global.database, DatabaseUrl::Sqlite(path) if !path.exists()) {
        let told = format!("{url}: not there yet; `add` and `fetch` make it");
        return finding(Verdict::Fine, told, json!({ "url": url, "exists": false }));
    }
    match ask(&global.database).await {
        Ok((schema, states)) => {
            let recordings = states.iter().map(|state| state.recordings as u64).sum();
            let told = format!("{url}: schema {schema}, {}", count(recordings, "recording"));
            finding(Verdict::Fine, told, json!({ "url": url, "exists": true, "schema": schema, "states": states }))
        }
        Err(error) => {
            let facts = json!({ "url": url, "error": error.to_string() });
            finding(Verdict::Broken(exit::DATABASE), error.to_string(), facts)
        }
    }
}

async fn ask(url: &DatabaseUrl) -> Result<(i64, Vec<StateCount>), StoreError> {
    let store = store::connect(url).await?;
    let answers = (store.schema().await?, store.counts().await?);
    store.close().await;
    Ok(answers)
}

/// Whether segments can be written: a file is made where they would lie, or where their folder would be made.
pub fn output(folder: &Path) -> Finding {
    let shown = folder.display();
    let (verdict, told) = match try_to_write(folder) {
        Ok(()) if folder.exists() => (Verdict::Fine, format!("{shown}: can be written")),
        Ok(()) => (Verdict::Fine, format!("{shown}: can be made")),
        Err(error) => (Verdict::Broken(exit::USAGE), format!("{shown}: cannot be written: {error}")),
    };
    let writable = matches!(verdict, Verdict::Fine);
    let facts = json!({ "path": shown.to_string(), "exists": folder.exists(), "writable": writable });
    Finding { topic: "output", verdict, told, facts }
}

fn try_to_write(folder: &Path) -> Result<(), WriteError> {
    let folder = std::path::absolute(folder)?;
    if folder.is_dir() {
        return OutputFolder::new(folder).probe(ROOM);
    }
    let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(&folder);
    let probe = there.join(format!(".tmp.doctor.{}", std::process::id()));
    fs::File::create_new(&probe)?;
    Ok(fs::remove_file(probe)?)
}

/// Which ffmpeg there is: for what symphonia cannot decode.
pub fn ffmpeg() -> Finding {
    let finding = |verdict, told, facts| Finding { topic: "ffmpeg", verdict, told, facts };
    let Some(file) = media::find_ffmpeg() else {
        let told = "not on the PATH; AMR, WMA, AC-3 and other formats that are left to it cannot be decoded here";
        return finding(Verdict::Absent, told.into(), json!({ "path": null }));
    };
    let version = ffmpeg_version(&file);
    let told = format!("{}, {}", version.as_deref().unwrap_or("of unknown version"), file.display());
    finding(Verdict::Fine, told, json!({ "path": file.display().to_string(), "version": version }))
}

/// The third word of `ffmpeg version 5.1.6 Copyright ...`.
fn ffmpeg_version(file: &PathBuf) -> Option<String> {
    let said = Command::new(file).arg("-version").output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout);
    said.strip_prefix("ffmpeg version ")?.split_whitespace().next().map(str::to_owned)
}
