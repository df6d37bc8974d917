//! Finds the recordings to add, adds them in batches, and describes what was added.

use std::{io, ops::ControlFlow};

use anyhow::Context;
use prepare_audio::{
    sources::{Found, Resolver},
    store::{Added, NewRecording, Store},
};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{args::BaseArgs, format::count};

/// Recordings that are added in one transaction. A search of any length needs memory for three of these.
const BATCH: usize = 10_000;

/// A search for recordings on a thread of its own, read batch by batch. It waits while a batch is not taken.
///
/// An error comes before the batch that it occurred in, so that a small set of sources is added as a whole or not at all.
pub struct Search {
    batches: mpsc::Receiver<Vec<NewRecording>>,
    search: Option<JoinHandle<anyhow::Result<Found>>>,
    found: Found,
}

impl Search {
    /// Searches what `names` name: files, folders, patterns, lists. With `raw`, folders are searched for files without a header,
    /// too.
    pub fn start(names: &[String], base: &BaseArgs, priority: i64, raw: bool) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let (names, base) = (names.to_owned(), base.clone());
        let search = tokio::task::spawn_blocking(move || {
            let resolver = Resolver::new(base.audio_dir.as_deref(), &base.output)?.taking_raw(raw);
            let mut batch = Vec::new();
            let found = resolver.find(&names, &mut io::stdin().lock(), &mut |recording| {
                batch.push(NewRecording { priority, ..recording });
                if batch.len() < BATCH || sender.blocking_send(std::mem::take(&mut batch)).is_ok() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(()) // nobody receives any more
                }
            })?;
            if !batch.is_empty() {
                let _ = sender.blocking_send(batch);
            }
            Ok(found)
        });
        Self { batches, search: Some(search), found: Found::default() }
    }

    /// The next batch; `None` after the last.
    pub async fn next(&mut self) -> anyhow::Result<Option<Vec<NewRecording>>> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        if let Some(search) = self.search.take() {
            self.found = search.await.context("searching for recordings")??;
        }
        Ok(None)
    }

    /// What was found, after the last batch.
    pub fn found(&self) -> Found {
        self.found
    }
}

/// Adds what is found, batch by batch; `first` is a batch that was read already.
pub async fn add(
    store: &Store,
    search: &mut Search,
    first: Option<Vec<NewRecording>>,
    recipe: Option<&str>,
    added: &mut Added,
) -> anyhow::Result<()> {
    let mut next = first;
    while let Some(batch) = next {
        let new = store.add(&batch, recipe).await.map_err(|error| with_count(error.into(), added))?;
        added.inserted += new.inserted;
        added.known += new.known;
        next = search.next().await.map_err(|error| with_count(error, added))?;
    }
    Ok(())
}

/// Adds the number of recordings that were added before an error to its message.
pub fn with_count(error: anyhow::Error, added: &Added) -> anyhow::Error {
    if added.inserted == 0 {
        return error;
    }
    let before = count(added.inserted, "recording");
    error.context(format!("{before} added before this error; they stay, and the same command adds the rest"))
}

/// The counts in one line.
pub fn describe(added: &Added, found: &Found) -> String {
    let mut text = format!("{} added", count(added.inserted, "recording"));
    if added.known > 0 {
        text += &format!(", {} known already", added.known);
    }
    if found.skipped > 0 {
        let skipped = count(found.skipped, "other file");
        text += &format!(" ({skipped} skipped by name; name such a file itself to add it)");
    }
    text
}

/// The error for files whose names cannot be stored in a row. Earlier warnings name the files.
pub fn unnameable(found: &Found) -> String {
    format!("{} skipped, see the warnings above: rename them and add them again", count(found.unnameable, "file"))
}
