//! A page about everything in a database, to look at and to listen to.
//!
//! [`gather()`] collects the figures, which the database computes, so that memory does not grow with the number of rows.
//! `excerpt.rs` reads the audio of a few recordings drawn by chance, and [`page()`] renders all of it as one HTML file that
//! requests nothing.

mod charts;
mod excerpt;
pub(crate) mod format;
mod gather;
mod groups;
mod page;
mod sample;
mod sections;

use std::path::PathBuf;

use prepare_audio_types::ErrorCode;
use serde::Serialize;

pub use self::{
    gather::gather,
    groups::{Group, Groups},
    page::page,
};
use crate::store::{Extreme, Failure, GroupKey, NameCount, RecipeCount, StageTotals, StateCount};

/// What a report contains.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database's name, for the heading; without a password.
    pub database: String,
    /// What hours are counted by.
    pub groups: Vec<GroupKey>,
    /// Number of recordings that are drawn, at most [`Settings::MAX_SAMPLE`].
    pub sample: usize,
    /// The same seed draws the same recordings.
    pub seed: u64,
    /// Whether the audio of drawn recordings is read.
    pub audio: bool,
    /// The folder that relative sources are relative to.
    pub audio_dir: PathBuf,
    /// What helps against an error, besides what its code says.
    pub advice: fn(ErrorCode) -> Option<&'static str>,
}

impl Settings {
    /// Recordings that are drawn, at most: more would leave too little audio for each.
    pub const MAX_SAMPLE: usize = 100;
}

/// The figures of a database.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The program's version.
    pub version: &'static str,
    /// Base of relative sources.
    #[serde(skip)]
    pub audio_dir: PathBuf,
    /// When the figures were collected, RFC 3339.
    pub generated_at: String,
    /// The database, without a password.
    pub database: String,
    /// Counts and sums by state.
    pub states: Vec<StateCount>,
    /// Hours by container, or what else was asked for.
    pub groups: Vec<Groups>,
    /// The distribution of each measure.
    pub histograms: Vec<Histogram>,
    /// How often each name occurs.
    pub categories: Vec<Names>,
    /// Rows with extreme values.
    pub outliers: Vec<ExtremeRows>,
    /// Failures by error code.
    pub errors: Vec<ErrorGroup>,
    /// Time by stage.
    pub stages: StageTotals,
    /// The recipes of done recordings.
    pub recipes: Vec<RecipeCount>,
    /// Recordings that were drawn by chance.
    pub sample: Vec<Drawn>,
}

/// The distribution of a measure.
#[derive(Clone, Debug, Serialize)]
pub struct Histogram {
    /// The measure's name.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Start of the first class, which also counts all lower values.
    pub low: f64,
    /// End of the last class, which also counts all higher values.
    pub high: f64,
    /// How many values each class has.
    pub counts: Vec<u64>,
    /// Number of values.
    pub number: u64,
    /// Their mean; `None` if there are none.
    pub mean: Option<f64>,
    /// The least value.
    pub least: Option<f64>,
    /// The greatest value.
    pub greatest: Option<f64>,
}

/// How often each name of a category occurs.
#[derive(Clone, Debug, Serialize)]
pub struct Names {
    /// The category's name.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// The names, the most frequent first.
    pub names: Vec<NameCount>,
}

/// The rows with extreme values of a measure.
#[derive(Clone, Debug, Serialize)]
pub struct ExtremeRows {
    /// The measure's name.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Whether the values are the greatest; otherwise the least.
    pub greatest: bool,
    /// The rows, the most extreme first.
    pub rows: Vec<Extreme>,
}

/// The failures of one error code.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorGroup {
    /// The code.
    pub code: String,
    /// Number of recordings.
    pub recordings: u64,
    /// What the code means.
    pub meaning: &'static str,
    /// What helps, if it is known.
    pub advice: Option<&'static str>,
    /// Its newest failures.
    pub newest: Vec<Failure>,
}

/// A recording that was drawn by chance.
#[derive(Clone, Debug, Serialize)]
pub struct Drawn {
    /// Its id.
    pub id: i64,
    /// Its source.
    pub source: String,
    /// Its length in seconds.
    pub duration_s: f64,
    /// Its container.
    pub container: Option<String>,
    /// What can be seen and heard of it.
    #[serde(skip)]
    pub excerpt: Excerpt,
}

/// What can be seen and heard of a recording.
#[derive(Clone, Debug, Default)]
pub struct Excerpt {
    /// Where the recording begins in its file, seconds; 0 unless it is a part.
    pub first_s: f64,
    /// Start in seconds.
    pub start_s: f64,
    /// Length in seconds.
    pub length_s: f64,
    /// The segments in it: start and end in seconds, and mean probability.
    pub segments: Vec<(f64, f64, f64)>,
    /// The least and greatest sample of each column of the waveform, full scale 1.
    pub peaks: Vec<(f32, f32)>,
    /// The mean speech probability of each column; empty if no probabilities are stored.
    pub probabilities: Vec<f32>,
    /// The mean speech probability of each column of the whole recording.
    pub overview: Vec<f32>,
    /// The audio, Opus in Ogg; empty if there is none.
    pub opus: Vec<u8>,
    /// Why there is no audio.
    pub problem: Option<String>,
}
