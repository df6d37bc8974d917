//! The page of all recordings.

use maud::{Markup, html};

use super::{decibels, frame, source, state_badge, texts};
use crate::{
    inspect::{
        Query, Settings,
        list::{Found, PARAMETERS},
    },
    report::format::{count, foreign, percent, time},
    store::{ListedRecording, State},
};

const STATES: [State; 6] =
    [State::Pending, State::Running, State::Done, State::Failed, State::Quarantined, State::Cancelled];

/// Renders a page of recordings.
pub fn list(settings: &Settings, found: &Found) -> String {
    let body = html! {
        header {
            h1 { "Recordings" }
            p.quiet { bdi.source { (foreign(&settings.database)) } }
            (counts(found))
        }
        main {
            (search(&found.query))
            @if found.ended_early {
                p.notice role="status" { "The search has not gone through all recordings yet. “Older” and “Newer” go on." }
            }
            @if found.rows.is_empty() { p { (nothing(found)) } } @else { (table(found)) }
            (pager(found))
        }
    };
    frame("Recordings", &[], &body).into_string()
}

fn counts(found: &Found) -> Markup {
    html! {
        dl.tiles {
            @for state in &found.states {
                @let name = state.state.name();
                div {
                    dt { a href=(found.query.address(&PARAMETERS, &[("state", name)])) { (name) } }
                    dd.bad[matches!(state.state, State::Failed | State::Quarantined)] { (count(state.recordings.unsigned_abs())) }
                    @if state.state == State::Done {
                        dd.quiet { (time(state.duration_s)) ", " (count(state.segments.unsigned_abs())) " segments" }
                    }
                }
            }
        }
    }
}

fn search(query: &Query) -> Markup {
    let wanted = query.text("state").unwrap_or_default();
    html! {
        form.search role="search" method="get" action="/" {
            label { "Source contains" input type="search" name="q" value=(query.text("q").unwrap_or_default()); }
            label {
                "State"
                select name="state" {
                    option value="" { "any" }
                    @for state in STATES.map(State::name) {
                        option value=(state) selected[state == wanted] { (state) }
                    }
                }
            }
            label {
                "Metadata"
                input type="search" name="metadata" placeholder="text, or language=de"
                    value=(query.text("metadata").unwrap_or_default());
            }
            button type="submit" { "Search" }
            @if PARAMETERS.iter().any(|name| query.text(name).is_some()) { a href="/" { "Show all" } }
        }
    }
}

fn nothing(found: &Found) -> &'static str {
    match (found.states.is_empty(), found.ended_early) {
        (true, _) => "No recordings yet. Add some with prepare-audio add, or prepare-audio fetch SOURCES.",
        (false, true) => "Nothing found so far.",
        (false, false) => "No recording meets the search.",
    }
}

fn table(found: &Found) -> Markup {
    html! {
        div.card.scroll tabindex="0" role="region" aria-label="Recordings" {
            table.wide {
                thead { tr {
                    th.number scope="col" { "Id" }
                    th scope="col" { "Source" }
                    th scope="col" { "State" }
                    th.number scope="col" { "Length" }
                    th.number scope="col" { "Speech" }
                    th.number scope="col" { "Segments" }
                    th.number scope="col" { "SNR" }
                } }
                tbody { @for recording in &found.rows { (row(recording)) } }
            }
        }
    }
}

fn row(recording: &ListedRecording) -> Markup {
    let warnings = texts(recording.warnings.as_deref());
    let speech = recording.speech_s.zip(recording.duration_s).map(|(speech, duration)| percent(speech, duration));
    html! {
        tr {
            td.number { (recording.id) }
            td {
                a href={ "/recording/" (recording.id) } { (source(&recording.source)) }
                @if let Some(metadata) = &recording.metadata { bdi.place.quiet dir="auto" { (foreign(metadata)) } }
            }
            td {
                (state_badge(recording.state))
                @if let Some(code) = &recording.error_code { code.place.bad { (foreign(code)) } }
                @if !warnings.is_empty() { span.place.quiet { (foreign(&warnings.join(", "))) } }
            }
            td.number { (recording.duration_s.map_or_else(String::new, time)) }
            td.number { (speech.unwrap_or_default()) }
            td.number { (recording.segments.map_or_else(String::new, count)) }
            td.number { (recording.snr_db.map_or_else(String::new, decibels)) }
        }
    }
}

fn pager(found: &Found) -> Markup {
    let link = |name: &str, id: Option<i64>| id.map(|id| found.query.address(&PARAMETERS, &[(name, &id.to_string())]));
    html! {
        nav aria-label="Pages" {
            ul {
                @if let Some(address) = link("after", found.newer) { li { a rel="prev" href=(address) { "← Newer" } } }
                @if let Some(address) = link("before", found.older) { li { a rel="next" href=(address) { "Older →" } } }
            }
        }
    }
}
