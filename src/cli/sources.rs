//! Finds the recordings to add, and describes what was added.

use std::io;

use prepare_audio::{
    sources::{Found, Resolver},
    store::Added,
};

use super::{args::BaseArgs, format::count};

/// Finds the recordings that `names` name: files, folders, patterns, lists. With `raw`, folders are searched for files without
/// a header, too.
pub async fn find(names: &[String], base: &BaseArgs, priority: i64, raw: bool) -> anyhow::Result<Found> {
    let (names, base) = (names.to_owned(), base.clone());
    let walk = move || {
        let resolver = Resolver::new(base.audio_dir.as_deref(), &base.output)?.taking_raw(raw);
        let found = resolver.find(&names, &mut io::stdin().lock())?;
        Ok(found.with_priority(priority))
    };
    tokio::task::spawn_blocking(walk).await?
}

/// The counts in one line.
pub fn describe(added: &Added, found: &Found) -> String {
    let mut text = format!("{} added", count(added.inserted, "recording"));
    if added.known > 0 {
        text += &format!(", {} known already", added.known);
    }
    if found.skipped > 0 {
        let skipped = count(found.skipped as u64, "other file");
        text += &format!(" ({skipped} passed over by name; name a file itself to have it tried)");
    }
    text
}

/// The error for files whose names no row can hold. The warnings above it name them.
pub fn unnameable(found: &Found) -> String {
    format!(
        "{} passed over, see the warnings above: rename them and add them again",
        count(found.unnameable as u64, "file")
    )
}
