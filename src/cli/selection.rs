//! Finds the recordings that an argument names.

use std::{io, ops::ControlFlow};

use prepare_audio::{
    sources::Resolver,
    store::{Selection, Store},
};

use super::{args::BaseArgs, exit};

/// The recordings that `name` names, at least one. Without a name, all recordings.
pub async fn select(store: &Store, name: Option<&str>, base: &BaseArgs) -> anyhow::Result<Vec<Selection>> {
    let Some(name) = name else { return Ok(vec![Selection::All]) };
    let found = lookup(store, name, base).await?;
    if found.is_empty() {
        anyhow::bail!(exit::Usage(format!("{name}: no recording has this id or source")));
    }
    Ok(found)
}

/// The recordings that `name` names. The first of these that has a recording wins: the source exactly as the row has it;
/// the sources that the name resolves to (several for a folder or a list); an id.
pub async fn lookup(store: &Store, name: &str, base: &BaseArgs) -> anyhow::Result<Vec<Selection>> {
    let resolved = resolve(name, base).await?.into_iter().map(Selection::Source).collect();
    let id = name.parse().ok().map(Selection::Id).into_iter().collect();
    for candidates in [vec![Selection::Source(name.to_owned())], resolved, id] {
        let mut found = Vec::new();
        for candidate in candidates {
            if store.matching(&candidate).await? > 0 {
                found.push(candidate);
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The sources that `name` resolves to. It may be an id instead, so a name without a file resolves to nothing.
async fn resolve(name: &str, base: &BaseArgs) -> anyhow::Result<Vec<String>> {
    let (name, base) = (name.to_owned(), base.clone());
    let walk = move || {
        let resolver = Resolver::new(base.audio_dir.as_deref(), &base.output)?;
        let mut sources = Vec::new();
        let found = resolver.find(&[name], &mut io::empty(), &mut |recording| {
            sources.push(recording.source);
            ControlFlow::Continue(())
        });
        Ok(if found.is_ok() { sources } else { Vec::new() })
    };
    tokio::task::spawn_blocking(walk).await?
}
