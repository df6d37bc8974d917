//! The settings of a run, made from the arguments once. Nothing behind them refers to arguments.

use std::sync::Arc;

use prepare_audio::{
    runner::{Preparer, Settings},
    store::Scope,
};

use crate::cli::{
    args::{PreparationArgs, RunArgs},
    metrics::MetricsAddress,
};

/// The settings of a run.
pub struct RunSettings {
    /// Those of the library's runner.
    pub runner: Settings,
    /// Prepares one recording.
    pub preparer: Arc<Preparer>,
    /// Address of the metrics' server.
    pub metrics: Option<MetricsAddress>,
    /// Format of the summary.
    pub summary: SummaryFormat,
}

/// Format of the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SummaryFormat {
    /// No summary.
    None,
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
}

impl RunSettings {
    /// Checks the arguments and loads the model.
    pub async fn new(run: &RunArgs, preparation: PreparationArgs, scope: Scope, quiet: bool) -> anyhow::Result<Self> {
        let runner = run.settings(scope)?;
        let output = run.base.output.clone();
        let preparer = tokio::task::spawn_blocking(move || preparation.preparer(&output)).await??;
        let summary = match (run.json, quiet) {
            (true, _) => SummaryFormat::Json,
            (false, true) => SummaryFormat::None,
            (false, false) => SummaryFormat::Text,
        };
        Ok(Self { runner, preparer: Arc::new(preparer), metrics: run.metrics, summary })
    }
}
