//! Pages on the loopback address to look through recordings, to listen to them, and to try other parameters.
//!
//! [`router`] has the routes. The pages are HTML (`pages/`), which `assets/` draws and plays in the browser. What it draws
//! comes from rows (`recording.rs`, `cuts.rs`) and from the decoded source (`sources.rs`), which lies in a temporary file
//! without a name as long as it is used. A request names a recording by its id, never a file: only files that a row of the
//! database names are read. `guard.rs` refuses requests that other pages in the browser have made.

mod annotations;
mod audio;
mod cuts;
mod failure;
mod files;
mod guard;
mod list;
mod pages;
mod query;
mod recent;
mod recording;
mod sources;
mod spectrogram;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::header,
    middleware,
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use prepare_audio_vad::Parameters;
use serde::Serialize;
use serde_json::Value;

use self::{failure::Failure, guard::Hosts, query::Query, recent::Recent, recording::Probabilities, sources::Sources};
use crate::store::Store;

/// Bytes of unpacked probabilities that are kept: 40 hours.
const PROBABILITY_BYTES: u64 = 18 << 20;

/// The command that segments recordings by these parameters, all other options of it being those of this recipe. It takes the
/// id of the only recording that it is for, or none.
pub type ResegmentCommand = fn(recipe: &Value, parameters: &Parameters, recording: Option<i64>) -> Command;

/// A command for the user to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The command line.
    pub line: String,
    /// What it leaves to the user, in words.
    pub remarks: Vec<String>,
}

/// What the pages show.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database's name, for headings; without a password.
    pub database: String,
    /// The option that names the database in commands; `None` where it is the default.
    pub database_option: Option<String>,
    /// The folder that relative sources are relative to.
    pub audio_dir: PathBuf,
    /// Makes the commands.
    pub command: ResegmentCommand,
}

/// What requests share.
struct Inspector {
    store: Arc<Store>,
    settings: Settings,
    sources: Sources,
    probabilities: Recent<Arc<Probabilities>>,
    counts: list::Counts,
}

type Shared = State<Arc<Inspector>>;

/// The routes, for a server at this port of the loopback address.
pub fn router(store: Arc<Store>, settings: Settings, port: u16) -> Router {
    let probabilities = Recent::new(PROBABILITY_BYTES, |probabilities: &Arc<Probabilities>| probabilities.bytes());
    let inspector = Arc::new(Inspector {
        store,
        settings,
        sources: Sources::default(),
        probabilities,
        counts: list::Counts::default(),
    });
    Router::new()
        .route("/", get(list))
        .route("/assets/{name}", get(asset))
        .route("/recording/{id}", get(page))
        .route("/recording/{id}/data", get(recording::data))
        .route("/recording/{id}/peaks", get(recording::peaks))
        .route("/recording/{id}/spectrogram", get(recording::spectrogram))
        .route("/recording/{id}/probabilities", get(recording::probabilities))
        .route("/recording/{id}/cuts", get(cuts::cuts))
        .route("/recording/{id}/audio.wav", get(recording::wav))
        .route("/recording/{id}/segment/{idx}", get(recording::segment_file))
        .route("/recording/{id}/segment/{idx}/annotation", post(annotations::annotate))
        .fallback(|| async { Failure::NotFound("There is no such page.".into()).page() })
        .layer(middleware::from_fn_with_state(Arc::new(Hosts::new(port)), guard::guard))
        .with_state(inspector)
}

/// An answer in JSON.
fn json_response(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => Failure::Unavailable(error.to_string()).into_response(), // only maps with keys that are no texts
    }
}

/// The files of the pages. They are part of the program.
async fn asset(Path(name): Path<String>) -> Response {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    const STYLE: &str = "text/css; charset=utf-8";
    let (kind, text) = match name.as_str() {
        "page.css" => (STYLE, include_str!("../report/page.css")),
        "inspect.css" => (STYLE, include_str!("assets/inspect.css")),
        "annotations.js" => (SCRIPT, include_str!("assets/annotations.js")),
        "request.js" => (SCRIPT, include_str!("assets/request.js")),
        "recording.js" => (SCRIPT, include_str!("assets/recording.js")),
        "timeline.js" => (SCRIPT, include_str!("assets/timeline.js")),
        "drawing.js" => (SCRIPT, include_str!("assets/drawing.js")),
        "segments.js" => (SCRIPT, include_str!("assets/segments.js")),
        "parameters.js" => (SCRIPT, include_str!("assets/parameters.js")),
        _ => return Failure::NotFound("no such file".into()).into_response(),
    };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// The page of all recordings.
async fn list(State(inspector): Shared, query: Query) -> Response {
    match list::search(&inspector.store, &inspector.counts, &query).await {
        Ok(found) => Html(pages::list(&inspector.settings, &found)).into_response(),
        Err(failure) => failure.page(),
    }
}

/// The page of a recording.
async fn page(State(inspector): Shared, Path(id): Path<String>, query: Query) -> Response {
    match recording::Opened::new(&inspector, &id, &query).await {
        Ok(opened) => Html(pages::recording(&inspector.settings, &opened)).into_response(),
        Err(failure) => failure.page(),
    }
}
