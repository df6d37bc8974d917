//! The summary at the end of a run.

use prepare_audio::runner::Report;

use super::SummaryFormat;
use crate::cli::{
    format::{count, time},
    stdout::print_line,
};

/// What the summary is made from.
pub struct Summary<'a> {
    /// The run's counts.
    pub report: &'a Report,
    /// Whether a signal ended the run early.
    pub interrupted: bool,
    /// Recordings that stay pending.
    pub pending: u64,
}

impl Summary<'_> {
    /// Prints the summary to standard output.
    pub fn print(&self, format: SummaryFormat) -> anyhow::Result<()> {
        match format {
            SummaryFormat::None => {}
            SummaryFormat::Json => print_line(&serde_json::to_string(self.report)?)?,
            SummaryFormat::Text => print_line(&self.text())?,
        }
        Ok(())
    }

    fn text(&self) -> String {
        let Report { audio_s, wall_s, .. } = *self.report;
        let mut text = format!(
            "{} done: {} of audio, {} of speech in {}, in {}",
            count(self.report.done, "recording"),
            time(audio_s),
            time(self.report.speech_s),
            count(self.report.segments, "segment"),
            time(wall_s)
        );
        if audio_s > 0.0 && wall_s > 0.0 {
            text += &format!(" ({:.0} x real time)", audio_s / wall_s);
        }
        let dropped = &self.report.dropped_segments;
        if !dropped.is_empty() {
            let criteria: Vec<String> = dropped.iter().map(|(criterion, n)| format!("{criterion} {n}")).collect();
            text += &format!("\n{} dropped: {}", count(dropped.values().sum(), "segment"), criteria.join(", "));
        }
        text += &self.failures();
        if self.report.unavailable_folders > 0 {
            let folders = count(self.report.unavailable_folders, "folder");
            let recordings = count(self.pending, "recording");
            text +=
                &format!("\n{folders} of recordings not there: {recordings} stay pending; the log above says which");
        } else if self.pending > 0 {
            let recordings = count(self.pending, "recording");
            text += &format!("\n{recordings} stay pending: another row has their source with these parameters already");
        }
        if self.interrupted {
            let recordings = count(self.report.released, "recording");
            text += &format!("\ninterrupted: {recordings} given back; the same command again goes on");
        }
        text
    }

    /// Lines about recordings that failed; empty if none did.
    fn failures(&self) -> String {
        let Report { failed, quarantined, errors, .. } = self.report;
        if failed + quarantined == 0 {
            return String::new();
        }
        let codes: Vec<String> = errors.iter().map(|(code, n)| format!("{code} {n}")).collect();
        let states = if *quarantined > 0 { "failed or quarantined" } else { "failed" };
        format!(
            "\n{} {states}: {}\n`prepare-audio status` says why; `prepare-audio retry --all` puts them back for the next fetch",
            count(failed + quarantined, "recording"),
            codes.join(", ")
        )
    }
}
