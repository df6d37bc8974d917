//! `fetch --dry-run`: what a run would prepare. It changes nothing, and does not create a missing database.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    pin::pin,
};

use futures_util::TryStreamExt;
use indicatif::DecimalBytes;
use prepare_audio::store::{NewRecording, Store};
use serde_json::json;

use crate::cli::{
    args::GlobalArgs,
    database,
    format::{count, time},
    pages,
    run::RunSettings,
    sources::Search,
    stdout::print_line,
    workload::Workload,
};

/// Number of new sources that are measured in one call on a blocking thread.
const BATCH: usize = 1000;

/// What a run would prepare.
pub struct Plan {
    workload: Workload,
    /// Number of recordings that the sources would add.
    added: usize,
}

/// Measures the files that are pending, page by page, and those that the sources would add. `first` is a batch of the
/// search that was read already.
pub async fn make(
    global: &GlobalArgs,
    settings: &RunSettings,
    search: &mut Search,
    first: Option<Vec<NewRecording>>,
) -> anyhow::Result<Plan> {
    let audio_dir = &settings.runner.audio_dir;
    let recipe = &settings.preparer.recipe().id;
    let store = if database::is_missing(&global.database) { None } else { Some(database::connect(global).await?) };
    let mut workload = Workload::default();
    if let Some(store) = &store {
        workload = add_pending(store, recipe, audio_dir, workload).await?;
    }
    let (mut seen, mut added) = (Seen::default(), 0);
    let mut next = first;
    while let Some(batch) = next {
        let mut new: Vec<String> = batch.into_iter().map(|recording| recording.source).collect();
        new.retain(|source| seen.is_new(source));
        if let Some(store) = &store {
            new = store.unknown(&new, Some(recipe)).await?;
        }
        added += new.len();
        for batch in new.chunks(BATCH) {
            workload = workload.with_files(paths(audio_dir, batch)).await?;
        }
        next = search.next().await?;
    }
    if let Some(store) = store {
        store.close().await;
    }
    Ok(Plan { workload, added })
}

/// Sources that were counted, by their hashes: a source may be named twice. Of a million sources, two that differ have the
/// same hash with a probability of 3 in 100 million, and then the plan is too small by one.
#[derive(Default)]
struct Seen(HashSet<u64>, RandomState);

impl Seen {
    fn is_new(&mut self, source: &str) -> bool {
        self.0.insert(self.1.hash_one(source))
    }
}

async fn add_pending(
    store: &Store,
    recipe: &str,
    audio_dir: &Path,
    mut workload: Workload,
) -> anyhow::Result<Workload> {
    let mut pages = pin!(pages::pending(store, recipe));
    while let Some(page) = pages.try_next().await? {
        let files = page.iter().map(|(_, source)| audio_dir.join(source)).collect();
        workload = workload.with_files(files).await?;
    }
    Ok(workload)
}

fn paths(audio_dir: &Path, sources: &[String]) -> Vec<PathBuf> {
    sources.iter().map(|source| audio_dir.join(source)).collect()
}

impl Plan {
    /// Prints the plan, as JSON or for people.
    pub fn print(&self, output: &Path, json: bool) -> anyhow::Result<()> {
        print_line(&if json { self.as_json() } else { self.as_text(output) })?;
        Ok(())
    }

    fn as_json(&self) -> String {
        let Self { workload, added } = self;
        let hours = workload.estimated_seconds() / 3600.0;
        let plan = json!({ "recordings": workload.recordings, "new": added, "hours": hours, "bytes": workload.bytes,
                           "unknown_length": workload.unknown, "unreadable": workload.unreadable });
        plan.to_string()
    }

    fn as_text(&self, output: &Path) -> String {
        let Self { workload, added } = self;
        let about = if workload.unknown > 0 { "about " } else { "" };
        let mut text = format!(
            "would prepare {} ({added} of them new), {about}{}, {}, into {}",
            count(workload.recordings, "recording"),
            time(workload.estimated_seconds()),
            DecimalBytes(workload.bytes),
            output.display()
        );
        if workload.unreadable > 0 {
            text += &format!("\n{} cannot be read and would fail", count(workload.unreadable, "recording"));
        }
        text + "\nnothing was changed"
    }
}
