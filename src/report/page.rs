//! The page as a whole. What is in a database is foreign input: maud escapes all of it, and the page's policy allows
//! neither requests nor scripts but its own.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::{
    Report,
    format::{count, foreign, percent, time},
    sample, sections,
};
use crate::store::State;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Renders a report as one HTML file.
pub fn page(report: &Report) -> String {
    let script_hash = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; media-src data:; img-src data:; script-src 'sha256-{script_hash}'; \
         base-uri 'none'; form-action 'none'"
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Without it, a browser asks the server for one.
                link rel="icon" href="data:,";
                title { "Report of " (foreign(&report.database)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { "Report of prepare-audio" }
                    p.quiet {
                        bdi.source { (foreign(&report.database)) } ", " (report.generated_at) ", version " (report.version)
                    }
                    (tiles(report))
                    (contents(report))
                }
                main {
                    (sections::states(report))
                    @if !report.groups.is_empty() { (sections::groups(report)) }
                    (sections::histograms(report))
                    (sample::section(report))
                    (sections::outliers(report))
                    (sections::errors(report))
                    (sections::speed(report))
                    (sections::recipes(report))
                }
                footer { "Written by prepare-audio " (report.version) ". This file requests nothing from any server." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn tiles(report: &Report) -> Markup {
    let (mut recordings, mut failed) = (0, 0);
    for state in &report.states {
        recordings += state.recordings.unsigned_abs();
        if matches!(state.state, State::Failed | State::Quarantined) {
            failed += state.recordings.unsigned_abs();
        }
    }
    let done = report.states.iter().find(|state| state.state == State::Done);
    let (audio, speech) = done.map_or((0.0, 0.0), |done| (done.duration_s, done.speech_s));
    html! {
        dl.tiles {
            div { dt { "Recordings" } dd { (count(recordings)) } }
            div { dt { "Audio, prepared" } dd { (time(audio)) } }
            div { dt { "Speech" } dd { (time(speech)) } }
            div { dt { "Share of speech" } dd { (percent(speech, audio)) } }
            div { dt { "Segments" } dd { (count(done.map_or(0, |done| done.segments.unsigned_abs()))) } }
            div { dt { "Failed" } dd.bad[failed > 0] { (count(failed)) } }
        }
    }
}

fn contents(report: &Report) -> Markup {
    html! {
        nav aria-label="Contents" {
            ul {
                li { a href="#states" { "States" } }
                @if !report.groups.is_empty() { li { a href="#groups" { "Groups" } } }
                li { a href="#distributions" { "Distributions" } }
                li { a href="#sample" { "Sample" } }
                li { a href="#outliers" { "Outliers" } }
                li { a href="#errors" { "Errors" } }
                li { a href="#speed" { "Speed" } }
                li { a href="#recipes" { "Recipes" } }
            }
        }
    }
}
