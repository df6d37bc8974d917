//! `export --query`: a SELECT of the user's that names segments or recordings.

use anyhow::bail;
use prepare_audio::{
    export::Queried,
    store::{DatabaseUrl, ForeignRows, Problem, StoreError},
};
use serde::Deserialize;

use crate::cli::exit;

/// A row of the query. Other columns are ignored.
#[derive(Deserialize)]
struct Row {
    recording_id: Option<i64>,
    idx: Option<u64>,
}

/// Runs the query on the program's own database, which it cannot change.
pub async fn run(database: &DatabaseUrl, query: &str) -> anyhow::Result<Queried> {
    let mut rows = ForeignRows::of(database.clone(), query);
    let mut queried = Queried::default();
    loop {
        let page = match rows.page().await {
            Ok(Some(page)) => page,
            Ok(None) => return Ok(queried),
            Err(StoreError::Database { problem: Problem::Statement | Problem::ReadOnly, cause, .. }) => {
                bail!(exit::Usage(format!("--query: {cause} (it must be one SELECT)")))
            }
            Err(error) => return Err(error.into()),
        };
        for row in page {
            match serde_json::from_str(&row) {
                Ok(Row { recording_id: Some(recording), idx: Some(idx) }) => queried.add_segment(recording, idx),
                Ok(Row { recording_id: Some(recording), idx: None }) => queried.add_recording(recording),
                _ => bail!(exit::Usage(format!(
                    "--query: the row {row} names no segment; the columns recording_id and idx do, and recording_id alone \
                     names all segments of a recording, as in SELECT recording_id, idx FROM segment WHERE cut = 'silence'"
                ))),
            }
        }
    }
}
