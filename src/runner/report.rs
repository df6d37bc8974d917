//! The figures of a run: counted while it goes on, reported at its end.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::Serialize;

use prepare_audio_types::PreparedRecording;

use crate::store::{Reaped, State};

/// The figures of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Recordings prepared.
    pub done: u64,
    /// Recordings that failed for good.
    pub failed: u64,
    /// Recordings quarantined, because their workers died too often.
    pub quarantined: u64,
    /// Failed and quarantined ones by error code.
    pub errors: BTreeMap<String, u64>,
    /// Attempts that failed and will be retried.
    pub retried: u64,
    /// Recordings given back because the run was ended.
    pub released: u64,
    /// Claims that other workers took over.
    pub lost: u64,
    /// Folders of recordings that were away at the end of the run. Their recordings stay pending.
    pub unavailable_folders: u64,
    /// Segments written.
    pub segments: u64,
    /// Segments that were dropped, by the criterion that they do not meet.
    pub dropped_segments: BTreeMap<String, u64>,
    /// Audio prepared, seconds.
    pub audio_s: f64,
    /// Speech found, seconds.
    pub speech_s: f64,
    /// Time spent on containers and codecs, seconds summed over the workers.
    pub decode_s: f64,
    /// ... on mixing and resampling.
    pub resample_s: f64,
    /// ... on finding the speech.
    pub vad_s: f64,
    /// ... on writing, syncing and naming files.
    pub write_s: f64,
    /// Duration of the run, seconds.
    pub wall_s: f64,
}

/// The counters behind a report.
pub struct Tally {
    report: Mutex<Report>,
    started: Instant,
}

impl Default for Tally {
    fn default() -> Self {
        Self { report: Mutex::default(), started: Instant::now() }
    }
}

impl Tally {
    pub(super) fn count(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Counts a recording that is done.
    pub(super) fn done(&self, outcome: &PreparedRecording) {
        self.count(|r| {
            r.done += 1;
            r.segments += outcome.segments.len() as u64;
            for (criterion, segments) in &outcome.dropped_segments {
                *r.dropped_segments.entry(criterion.clone()).or_default() += segments;
            }
            r.audio_s += outcome.duration_s;
            r.speech_s += outcome.speech_s;
            r.decode_s += outcome.times.decode_ms / 1000.0;
            r.resample_s += outcome.times.resample_ms / 1000.0;
            r.vad_s += outcome.times.vad_ms / 1000.0;
            r.write_s += outcome.times.write_ms / 1000.0;
        });
    }

    /// Counts recordings that were taken back from dead workers.
    pub(super) fn reaped(&self, lost: &[Reaped]) {
        let (unbegun, begun): (Vec<_>, Vec<_>) = lost.iter().partition(|lost| lost.error.is_empty());
        if !unbegun.is_empty() {
            tracing::info!("taken back from a dead worker, which had not begun them: {} recordings", unbegun.len());
        }
        for lost in begun {
            if lost.state != State::Quarantined {
                tracing::warn!(source = lost.source, "taken back: {}", lost.error);
                continue;
            }
            tracing::error!(source = lost.source, code = "crashed", "quarantined: {}", lost.error);
            self.count(|r| {
                r.quarantined += 1;
                *r.errors.entry("crashed".to_owned()).or_default() += 1;
            });
        }
    }

    /// The figures so far.
    pub fn report(&self) -> Report {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Report { wall_s: self.started.elapsed().as_secs_f64(), ..report }
    }
}
