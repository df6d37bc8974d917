//! `prepare-audio segments`: the segment rows.

use std::io::{self, BufWriter, Write};

use anyhow::bail;
use prepare_audio::{
    sources::Resolver,
    store::{SegmentOf, Selection, Store},
};

use super::{
    args::{BaseArgs, GlobalArgs, SegmentsArgs},
    connect_existing, exit,
    format::table,
};

/// Rows read and printed at once.
const PAGE: usize = 1000;

pub async fn run(global: &GlobalArgs, args: &SegmentsArgs) -> anyhow::Result<()> {
    let store = connect_existing(global).await?;
    let of = select(&*store, args.recording.as_deref(), &args.base).await?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut after = None;
    loop {
        let page = store.segments(&of, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        let next = (last.recording_id, last.segment.idx);
        if args.json {
            for row in &page {
                serde_json::to_writer(&mut out, row).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        } else {
            let text = as_table(&page);
            // The title stands above the first page alone.
            let body = if after.is_none() { &text } else { text.split_once('\n').map_or("", |(_, body)| body) };
            out.write_all(body.as_bytes())?;
        }
        after = Some(next);
    }
    out.flush()?;
    if after.is_none() && !args.json && !global.quiet {
        writeln!(out, "no segments")?;
        out.flush()?;
    }
    Ok(())
}

/// An id, or a source as the row has it, or a path that resolves to one.
pub async fn select(store: &dyn Store, named: Option<&str>, base: &BaseArgs) -> anyhow::Result<Selection> {
    let Some(name) = named else { return Ok(Selection::All) };
    let mut candidates = vec![Selection::Source(name.to_owned())];
    if let Ok(found) =
        Resolver::new(base.audio_dir.as_deref(), &base.output)?.find(&[name.to_owned()], &mut io::empty())
    {
        candidates.extend(found.sources.into_iter().map(Selection::Source));
    }
    candidates.extend(name.parse().ok().map(Selection::Id));
    for candidate in candidates {
        if store.matching(&candidate).await? > 0 {
            return Ok(candidate);
        }
    }
    bail!(exit::Usage(format!("{name}: no recording has this id or source")))
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
                format!("{:.3}", s.start_s),
                format!("{:.3}", s.end_s),
                format!("{:.3}", s.end_s - s.start_s),
                format!("{:.3}", s.mean_probability),
                s.path.clone(),
            ]
        })
        .collect();
    table(&[">id", "recipe", ">segment", ">start s", ">end s", ">length s", ">speech", "file"], &rows)
}
