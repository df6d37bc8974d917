//! `prepare-audio add`: recordings into the table.

use std::io::{self, IsTerminal, Write};

use prepare_audio::{
    sources::{Found, Query, Resolver},
    store::{Added, DatabaseUrl, Store},
};
use serde_json::json;

use super::{
    args::{AddArgs, BaseArgs, GlobalArgs},
    connect_patiently,
    format::count,
    say,
};

pub async fn run(global: &GlobalArgs, args: &AddArgs) -> anyhow::Result<()> {
    let found = find(&args.sources, &args.base)?.with_priority(args.priority);
    let store = connect_patiently(global).await?;
    let mut added = store.add(&found.recordings, None).await?;
    let copied = match (&args.from_database, &args.query) {
        (Some(url), Some(query)) => {
            let query = Query::ask(url.clone(), query, args.priority);
            let shown = !global.quiet && !args.json && io::stderr().is_terminal();
            Some(copy(&*store, url, query, &mut added, shown).await?)
        }
        _ => None,
    };
    match copied {
        Some(passed_over) if args.json => say(&json!({ "inserted": added.inserted, "known": added.known,
                                                       "passed_over": passed_over })
        .to_string())?,
        None if args.json => say(&serde_json::to_string(&added)?)?,
        _ if !global.quiet => say(&describe(&added, &found))?,
        _ => {}
    }
    if found.unnameable > 0 {
        anyhow::bail!(unnameable(&found));
    }
    Ok(())
}

/// Says that files were passed over whose names no row can hold.
pub fn unnameable(found: &Found) -> String {
    format!("{} passed over, as told above: rename them and add them again", count(found.unnameable as u64, "file"))
}

/// Copies what the query names, a page at a time, each for good; counts it in. Returns how many rows name no file.
async fn copy(
    store: &dyn Store,
    url: &DatabaseUrl,
    mut query: Query,
    added: &mut Added,
    shown: bool,
) -> anyhow::Result<u64> {
    let mut passed_over = 0;
    loop {
        let Some(page) = query.page().await.map_err(|error| told(error.into(), added))? else { break };
        let new = store.add(&page.recordings, None).await.map_err(|error| told(error.into(), added))?;
        added.inserted += new.inserted;
        added.known += new.known;
        passed_over += page.passed_over;
        tracing::info!(added.inserted, added.known, passed_over, "copied a page from {url}");
        if shown {
            let _ = write!(io::stderr(), "\r{} added, {} known already", added.inserted, added.known);
        }
    }
    if shown {
        let _ = write!(io::stderr(), "\r\x1b[2K"); // it is said again, with what else there is to say
    }
    if passed_over > 0 {
        let rows = count(passed_over, "row");
        tracing::warn!("{rows} of {url} passed over: the path is NULL or empty, or has a NUL character in it");
    }
    Ok(passed_over)
}

/// Says what an error in the middle leaves behind.
fn told(error: anyhow::Error, added: &Added) -> anyhow::Error {
    if added.inserted == 0 {
        return error;
    }
    let before = count(added.inserted, "recording");
    error.context(format!("{before} added before this, which stay: the same command again goes on"))
}

/// Finds what the typed names stand for.
pub fn find(names: &[String], base: &BaseArgs) -> anyhow::Result<Found> {
    let found = Resolver::new(base.audio_dir.as_deref(), &base.output)?.find(names, &mut io::stdin().lock())?;
    Ok(found)
}

/// Adds for a recipe that is about to be used.
pub async fn add_for(store: &dyn Store, found: &Found, recipe: &str) -> anyhow::Result<Added> {
    Ok(store.add(&found.recordings, Some(recipe)).await?)
}

/// What became of the names, in a line.
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
