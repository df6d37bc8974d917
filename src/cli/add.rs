//! `prepare-audio add`: recordings into the table.

use std::io;

use prepare_audio::{
    sources::{Found, Resolver},
    store::{Added, NewRecording, Store},
};

use super::{
    args::{AddArgs, BaseArgs, GlobalArgs},
    connect_patiently,
    format::count,
    say,
};

pub async fn run(global: &GlobalArgs, args: &AddArgs) -> anyhow::Result<()> {
    let found = find(&args.sources, &args.base)?;
    let store = connect_patiently(global).await?;
    let added = store.add(&recordings(&found), None).await?;
    if args.json {
        say(&serde_json::to_string(&added)?)?;
    } else if !global.quiet {
        say(&describe(&added, &found))?;
    }
    Ok(())
}

/// Finds what the typed names stand for.
pub fn find(names: &[String], base: &BaseArgs) -> anyhow::Result<Found> {
    let found = Resolver::new(base.audio_dir.as_deref(), &base.output)?.find(names, &mut io::stdin().lock())?;
    Ok(found)
}

/// Adds for a recipe that is about to be used.
pub async fn add_for(store: &dyn Store, found: &Found, recipe: &str) -> anyhow::Result<Added> {
    Ok(store.add(&recordings(found), Some(recipe)).await?)
}

fn recordings(found: &Found) -> Vec<NewRecording> {
    found.sources.iter().map(NewRecording::from).collect()
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
