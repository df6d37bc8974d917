//! `prepare-audio add`: recordings into the table.

use std::{io, path::Path};

use prepare_audio::{
    sources::{Found, Resolver},
    store::{Added, Store},
};

use super::{
    args::{AddArgs, GlobalArgs},
    connect,
    format::count,
};

pub async fn run(global: &GlobalArgs, args: &AddArgs) -> anyhow::Result<()> {
    let found = find(&args.sources, args.base.audio_dir.as_deref())?;
    let store = connect(global).await?;
    let added = store.add(&found.sources, None).await?;
    if args.json {
        println!("{}", serde_json::to_string(&added)?);
    } else if !global.quiet {
        println!("{}", describe(&added, &found));
    }
    Ok(())
}

/// Finds what the typed names stand for.
pub fn find(names: &[String], audio_dir: Option<&Path>) -> anyhow::Result<Found> {
    let found = Resolver::new(audio_dir)?.find(names, &mut io::stdin().lock())?;
    Ok(found)
}

/// Adds for a recipe that is about to be used.
pub async fn add_for(store: &dyn Store, found: &Found, recipe: &str) -> anyhow::Result<Added> {
    Ok(store.add(&found.sources, Some(recipe)).await?)
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
