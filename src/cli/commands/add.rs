//! `prepare-audio add`: adds recordings to the table.

use std::io::{self, IsTerminal, Write};

use prepare_audio::{
    sources::Query,
    store::{Added, DatabaseUrl, Store},
};
use serde_json::json;

use crate::cli::{
    args::{BaseArgs, DatabaseAddress, GlobalArgs},
    database,
    format::count,
    sources::{self, Search, with_count},
    stdout::print_line,
};

/// Help below the flags.
pub const HELP: &str = "\
Examples:
  prepare-audio add corpus.jsonl --priority -1     to be prepared before those of priority 0
  prepare-audio add --from-database postgres://me@db/corpus \\
      --query 'SELECT url AS path, speaker, licence FROM recordings WHERE hours < 2'

A column or key `source`, `path`, `audio_filepath`, `audio_path`, `file`, `filename`, `file_name`, `audio` or `wav` is \
the path. All other columns or keys, of a query or of a .csv or .jsonl list, are stored as the recording's metadata, \
which `segments --json` shows. Adding a recording again changes neither it nor its metadata nor its priority.";

/// Arguments of `add`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, folders (with their subfolders), patterns, lists (.txt, .csv, .jsonl), or - for a list on standard input
    #[arg(required_unless_present = "from_database")]
    pub sources: Vec<String>,
    /// Priority of the added recordings: the lowest number is prepared first; it may be negative
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value = "0")]
    pub priority: i64,
    /// Copy recordings from this database (sqlite://FILE or postgres://USER@HOST/NAME), which is only read
    #[arg(long, value_name = "URL", requires = "query", value_parser = DatabaseAddress)]
    pub from_database: Option<DatabaseUrl>,
    /// The SELECT that returns the recordings to copy. Paths are stored unchanged (relative ones are relative to
    /// --audio-dir), a column `priority` is the priority, and all other columns become metadata
    #[arg(long, value_name = "SELECT", requires = "from_database")]
    pub query: Option<String>,
    #[command(flatten)]
    pub base: BaseArgs,
    /// Print the counts as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<()> {
    let mut search = Search::start(&args.sources, &args.base, args.priority, false);
    let first = search.next().await?; // a source that does not exist is reported before the database is created
    let store = database::connect_with_retries(global).await?;
    let mut added = Added::default();
    sources::add(&store, &mut search, first, None, &mut added).await?;
    let found = search.found();
    let copied = match (&args.from_database, &args.query) {
        (Some(url), Some(query)) => {
            let query = Query::ask(url.clone(), query, args.priority);
            let shows_progress = !global.quiet && !args.json && io::stderr().is_terminal();
            Some(copy(&store, url, query, &mut added, shows_progress).await?)
        }
        _ => None,
    };
    match copied {
        Some(passed_over) if args.json => print_line(
            &json!({ "inserted": added.inserted, "known": added.known, "passed_over": passed_over }).to_string(),
        )?,
        None if args.json => print_line(&serde_json::to_string(&added)?)?,
        _ if !global.quiet => print_line(&sources::describe(&added, &found))?,
        _ => {}
    }
    if found.unnameable > 0 {
        anyhow::bail!(sources::unnameable(&found));
    }
    Ok(())
}

/// Copies the rows of the query, and commits each page. It adds to `added`, and returns the number of rows without a
/// usable path.
async fn copy(
    store: &Store,
    url: &DatabaseUrl,
    mut query: Query,
    added: &mut Added,
    shows_progress: bool,
) -> anyhow::Result<u64> {
    let mut passed_over = 0;
    loop {
        let Some(page) = query.page().await.map_err(|error| with_count(error.into(), added))? else { break };
        let new = store.add(&page.recordings, None).await.map_err(|error| with_count(error.into(), added))?;
        added.inserted += new.inserted;
        added.known += new.known;
        passed_over += page.passed_over;
        tracing::info!(added.inserted, added.known, passed_over, "copied a page from {url}");
        if shows_progress {
            let _ = write!(io::stderr(), "\r{} added, {} known already", added.inserted, added.known);
        }
    }
    if shows_progress {
        let _ = write!(io::stderr(), "\r\x1b[2K"); // the summary repeats the counts
    }
    if passed_over > 0 {
        let rows = count(passed_over, "row");
        tracing::warn!("{rows} of {url} skipped: the path is NULL or empty, or contains a NUL character");
    }
    Ok(passed_over)
}
