//! `prepare-audio segments`: lists segment rows.

use std::{
    io::{self, BufWriter, Write},
    pin::pin,
};

use futures_util::TryStreamExt;
use prepare_audio::store::{SegmentOf, Selection, Store};

use crate::cli::{
    args::{BaseArgs, GlobalArgs},
    database,
    format::table,
    pages,
    selection::select,
};

/// Arguments of `segments`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// List only the segments of this recording: its id, or its source [default: all]
    #[arg(value_name = "SOURCE|ID")]
    pub recording: Option<String>,
    #[command(flatten)]
    pub base: BaseArgs,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: &Args) -> anyhow::Result<()> {
    let store = database::connect_existing(global).await?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut printed = 0;
    for of in select(&store, args.recording.as_deref(), &args.base).await? {
        printed += print(&store, &of, args.json, printed == 0, &mut out).await?;
    }
    if printed == 0 && !args.json && !global.quiet {
        writeln!(out, "no segments")?;
    }
    Ok(out.flush()?)
}

/// Prints the segments of `of`, page by page, and returns their number. The first page has a header if `with_header`.
async fn print(
    store: &Store,
    of: &Selection,
    json: bool,
    mut with_header: bool,
    out: &mut impl Write,
) -> anyhow::Result<usize> {
    let mut printed = 0;
    let mut pages = pin!(pages::segments(store, of));
    while let Some(page) = pages.try_next().await? {
        printed += page.len();
        if json {
            for row in &page {
                serde_json::to_writer(&mut *out, row).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        } else {
            let text = as_table(&page);
            let body = if with_header { &text } else { text.split_once('\n').map_or("", |(_, body)| body) };
            out.write_all(body.as_bytes())?;
            with_header = false;
        }
    }
    Ok(printed)
}

fn as_table(page: &[SegmentOf]) -> String {
    let rows: Vec<Vec<String>> = page
        .iter()
        .map(|row| {
            let s = &row.segment;
            vec![
                row.recording_id.to_string(),
                row.recipe.chars().take(6).collect(),
                s.idx.to_string(),
                s.channel.map_or_else(String::new, |channel| channel.to_string()),
                format!("{:.3}", s.start_s),
                format!("{:.3}", s.end_s),
                format!("{:.3}", s.end_s - s.start_s),
                format!("{:.3}", s.mean_probability),
                s.path.clone().unwrap_or_default(),
            ]
        })
        .collect();
    table(&[">id", "recipe", ">segment", ">channel", ">start s", ">end s", ">length s", ">speech", "file"], &rows)
}
