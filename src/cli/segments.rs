//! `prepare-audio segments`: the segment rows.

use std::io::{self, BufWriter, Write};

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
    let mut out = BufWriter::new(io::stdout().lock());
    let mut printed = 0;
    for of in select(&*store, args.recording.as_deref(), &args.base).await? {
        printed += print(&*store, &of, args.json, printed == 0, &mut out).await?;
    }
    if printed == 0 && !args.json && !global.quiet {
        writeln!(out, "no segments")?;
    }
    Ok(out.flush()?)
}

/// Prints the segments of `of`, page by page; returns how many. The title stands above the first table alone.
async fn print(
    store: &dyn Store,
    of: &Selection,
    json: bool,
    mut titled: bool,
    out: &mut impl Write,
) -> anyhow::Result<usize> {
    let (mut after, mut printed) = (None, 0);
    loop {
        let page = store.segments(of, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(printed) };
        after = Some((last.recording_id, last.segment.idx));
        printed += page.len();
        if json {
            for row in &page {
                serde_json::to_writer(&mut *out, row).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        } else {
            let text = as_table(&page);
            let body = if titled { &text } else { text.split_once('\n').map_or("", |(_, body)| body) };
            out.write_all(body.as_bytes())?;
            titled = false;
        }
    }
}

/// The recordings that a name stands for, at least one; without a name all.
pub async fn select(store: &dyn Store, named: Option<&str>, base: &BaseArgs) -> anyhow::Result<Vec<Selection>> {
    let Some(name) = named else { return Ok(vec![Selection::All]) };
    let found = lookup(store, name, base).await?;
    if found.is_empty() {
        anyhow::bail!(exit::Usage(format!("{name}: no recording has this id or source")));
    }
    Ok(found)
}

/// The recordings that a name stands for: a source as the row has it, or what it resolves to (several, where it is a
/// folder or a list), or an id.
pub async fn lookup(store: &dyn Store, name: &str, base: &BaseArgs) -> anyhow::Result<Vec<Selection>> {
    let resolver = Resolver::new(base.audio_dir.as_deref(), &base.output)?;
    let resolved = resolver.find(&[name.to_owned()], &mut io::empty()).unwrap_or_default().sources();
    let resolved = resolved.into_iter().map(Selection::Source).collect();
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
