//! Tags and notes on segments.

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{Failure, Query, Shared, recording::Opened};
use crate::store::{Annotation, Problem, StoreError};

/// Characters of a tag or a note, at most.
const LONGEST: usize = 4_000;

/// What a person says of a segment.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    /// The boundaries that the person saw: the recording may have been segmented again since.
    start: u64,
    end: u64,
    tag: Option<String>,
    note: Option<String>,
}

/// Stores what is said of a segment, instead of what was said before.
pub async fn annotate(
    State(inspector): Shared,
    Path((id, idx)): Path<(String, String)>,
    query: Query,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let opened = Opened::new(&inspector, &id, &query).await?;
    let said: Said = serde_json::from_slice(&body).map_err(|error| Failure::Invalid(error.to_string()))?;
    let missing =
        || Failure::NotFound("There is no such segment. Was the recording segmented again? Load the page anew.".into());
    let segment = inspector.store.segment(opened.row.id, idx.parse().map_err(|_| missing())?).await?;
    let is_same = |start, end| (start, end) == (said.start, said.end);
    let segment = segment.filter(|segment| is_same(segment.start_sample, segment.end_sample)).ok_or_else(missing)?;
    let annotation = Annotation {
        source: opened.row.source,
        channel: segment.channel,
        start_sample: segment.start_sample,
        end_sample: segment.end_sample,
        tag: text(said.tag)?,
        note: text(said.note)?,
    };
    inspector.store.annotate(&annotation).await.map_err(|error| match error {
        StoreError::Database { problem: Problem::ReadOnly, .. } => {
            Failure::Unavailable(format!("Tags and notes cannot be kept: {error}"))
        }
        other => other.into(),
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// The text without spaces around it; `None` where it is empty.
fn text(said: Option<String>) -> Result<Option<String>, Failure> {
    let said = said.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match said {
        Some(text) if text.chars().count() > LONGEST => {
            Err(Failure::Invalid(format!("a note has at most {LONGEST} characters")))
        }
        // PostgreSQL has no texts with it.
        Some(text) if text.contains('\0') => Err(Failure::Invalid("a note cannot have the character NUL".into())),
        said => Ok(said),
    }
}
