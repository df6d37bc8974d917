//! The sections of the page.

use std::path::Path;

use maud::{Markup, html};
use serde_json::Value;
use url::Url;

use super::{
    ErrorGroup, ExtremeRows, Group, Groups, Names, Report, charts,
    format::{count, foreign, percent, position, time, value, with_unit},
};
use crate::{
    preview::locate,
    store::{Extreme, StateCount},
};

/// A table that scrolls where it is wider than the page.
fn table(caption: &str, headers: &[(&str, bool)], rows: &Markup) -> Markup {
    html! {
        div.card.scroll tabindex="0" role="region" aria-label=(caption) {
            table.wide[headers.len() > 5] {
                caption { (caption) }
                thead { tr {
                    @for (header, is_number) in headers {
                        th.number[*is_number].bar[header.is_empty()] scope="col" { (header) }
                    }
                } }
                tbody { (rows) }
            }
        }
    }
}

pub(super) fn nothing(text: &str) -> Markup {
    html! { p.quiet { (text) } }
}

/// The source of a recording. Its writing direction is its own.
/// A source; one below `audio_dir` without that folder.
pub(super) fn source(text: &str, audio_dir: &Path) -> Markup {
    let short = Path::new(text).strip_prefix(audio_dir).ok().and_then(Path::to_str);
    html! { bdi.source dir="auto" title=[short.map(|_| foreign(text))] { (foreign(short.unwrap_or(text))) } }
}

pub(super) fn states(report: &Report) -> Markup {
    let all: u64 = report.states.iter().map(|state| state.recordings.unsigned_abs()).sum();
    let known = |state: &StateCount, text: String| if state.duration_s > 0.0 { text } else { "–".into() };
    let headers = [
        ("State", false),
        ("Recordings", true),
        ("", false),
        ("Audio", true),
        ("Speech", true),
        ("Segments", true),
        ("With warnings", true),
    ];
    let rows = html! {
        @for state in &report.states {
            @let recordings = state.recordings.unsigned_abs();
            tr {
                th scope="row" { (state.state.name()) }
                td.number { (count(recordings)) }
                td.bar { (charts::share(recordings as f64, all as f64)) }
                td.number { (known(state, time(state.duration_s))) }
                td.number { (known(state, time(state.speech_s))) }
                td.number { (known(state, count(state.segments.unsigned_abs()))) }
                td.number { (known(state, count(state.warned.unsigned_abs()))) }
            }
        }
    };
    html! {
        section id="states" aria-labelledby="states-title" {
            h2 id="states-title" { "States" }
            @if report.states.is_empty() {
                (nothing("No recordings yet. Add some with prepare-audio add, or prepare-audio fetch SOURCES."))
            } @else { (table("Recordings by state", &headers, &rows)) }
        }
    }
}

fn group_table(groups: &Groups) -> Markup {
    let all: f64 = groups.groups.iter().chain(&groups.others).map(|group| group.duration_s).sum();
    let headers = [
        ("Value", false),
        ("Recordings", true),
        ("Done", true),
        ("Failed", true),
        ("Audio", true),
        ("", false),
        ("Speech", true),
        ("Segments", true),
    ];
    let row = |name: Markup, group: &Group| {
        html! {
            tr {
                th scope="row" { (name) }
                td.number { (count(group.recordings)) }
                td.number { (count(group.done)) }
                td.number { (count(group.failed)) }
                td.number { (time(group.duration_s)) }
                td.bar { (charts::share(group.duration_s, all)) }
                td.number { (time(group.speech_s)) }
                td.number { (count(group.segments)) }
            }
        }
    };
    let rows = html! {
        @for group in &groups.groups {
            @match &group.value {
                Some(value) => (row(html! { bdi dir="auto" { (foreign(value)) } }, group)),
                None => (row(html! { span.quiet { "none" } }, group)),
            }
        }
        @if let Some(others) = &groups.others { (row(html! { span.quiet { "all others" } }, others)) }
    };
    table(&format!("By {}", foreign(&groups.by)), &headers, &rows)
}

pub(super) fn groups(report: &Report) -> Markup {
    html! {
        section id="groups" aria-labelledby="groups-title" {
            h2 id="groups-title" { "Groups" }
            div.stack {
                @for groups in &report.groups {
                    @if groups.groups.is_empty() { (nothing("No recordings.")) } @else { (group_table(groups)) }
                }
            }
        }
    }
}

pub(super) fn histograms(report: &Report) -> Markup {
    html! {
        section id="distributions" aria-labelledby="distributions-title" {
            h2 id="distributions-title" { "Distributions" }
            p.quiet { "Of done recordings and their segments. Where an axis ends with ≤ or ≥, the bar there also counts what lies beyond." }
            div.grid {
                @for histogram in report.histograms.iter().filter(|histogram| histogram.number > 0) {
                    figure.card {
                        figcaption {
                            h3 {
                                (histogram.title)
                                @if !histogram.unit.is_empty() { span.quiet { " (" (histogram.unit) ")" } }
                            }
                            p.quiet {
                                @match (histogram.mean, histogram.least, histogram.greatest) {
                                    (Some(mean), Some(least), Some(greatest)) => {
                                        "mean " (value(mean)) ", from " (value(least)) " to " (value(greatest)) ", "
                                        (count(histogram.number)) " values"
                                    }
                                    _ => "no values",
                                }
                            }
                        }
                        (charts::histogram(histogram))
                    }
                }
                @for names in &report.categories { (category(names)) }
            }
        }
    }
}

/// What a value of the column `cut` means.
fn end_of_segment(cut: &str) -> Option<&'static str> {
    Some(match cut {
        "silence" => "a pause follows",
        "longest_pause" => "too long, cut at its longest pause",
        "last_pause" => "too long, cut at its last pause",
        "quietest" => "too long, cut where speech is least probable",
        "forced" => "too long, without a pause",
        "end" => "the recording ends",
        _ => return None,
    })
}

fn category(names: &Names) -> Markup {
    let all: u64 = names.names.iter().map(|name| name.number).sum();
    let rows = html! {
        @for name in &names.names {
            tr {
                th scope="row" {
                    @if name.name.is_empty() { "unknown" } @else { bdi { (foreign(&name.name)) } }
                    @if let Some(meaning) = (names.name == "cut").then(|| end_of_segment(&name.name)).flatten() {
                        span.quiet.place { (meaning) }
                    }
                }
                td.bar { (charts::share(name.number as f64, all as f64)) }
                td.number { (count(name.number)) }
                td.number { (percent(name.number as f64, all as f64)) }
            }
        }
    };
    table(names.title, &[("Name", false), ("", false), ("Number", true), ("Share", true)], &rows)
}

pub(super) fn outliers(report: &Report) -> Markup {
    html! {
        section id="outliers" aria-labelledby="outliers-title" {
            h2 id="outliers-title" { "Outliers" }
            p.quiet {
                "The rows with the minimum and the maximum values: worth a look, not necessarily wrong. A name that is a link opens the recording "
                "at that place, if this page is on the machine that has it; " code { "prepare-audio inspect" } " shows more."
            }
            div.grid { @for outliers in report.outliers.iter().filter(|outliers| !outliers.rows.is_empty()) { (extremes(outliers, &report.audio_dir)) } }
        }
    }
}

fn extremes(outliers: &ExtremeRows, audio_dir: &Path) -> Markup {
    let title = format!("{}: {}", outliers.title, if outliers.greatest { "maximum" } else { "minimum" });
    let place = |row: &Extreme| match (row.idx, row.start_s, row.end_s) {
        (Some(idx), Some(start), Some(end)) => {
            html! { span.quiet.place { "segment " (idx) ", " (position(start)) " to " (position(end)) } }
        }
        _ => html! {},
    };
    let rows = html! {
        @for row in &outliers.rows {
            tr {
                td.number { (with_unit(row.value, outliers.unit)) }
                td { span.quiet { (row.recording_id) " " } (linked(row, audio_dir)) " " (place(row)) }
            }
        }
    };
    table(&title, &[("Value", true), ("Recording", false)], &rows)
}

/// The source, as a link to its file if that exists. The fragment is the time that the browser plays (W3C Media Fragments).
fn linked(row: &Extreme, audio_dir: &Path) -> Markup {
    let (path, part) = locate(audio_dir, &row.source);
    let Some(mut link) = path.is_file().then(|| Url::from_file_path(path).ok()).flatten() else {
        return source(&row.source, audio_dir);
    };
    // A recording that is a part begins there.
    let time = row.start_s.zip(row.end_s).or_else(|| part.map(|part| (part.start_s, part.end_s.unwrap_or(f64::MAX))));
    if let Some((start, end)) = time {
        let end = if end < f64::MAX { format!(",{end:.2}") } else { String::new() };
        link.set_fragment(Some(&format!("t={start:.2}{end}")));
    }
    html! { a href=(link) { (source(&row.source, audio_dir)) } }
}

pub(super) fn errors(report: &Report) -> Markup {
    html! {
        section id="errors" aria-labelledby="errors-title" {
            h2 id="errors-title" { "Errors" }
            @if report.errors.is_empty() { (nothing("No recording has failed.")) }
            div.stack { @for error in &report.errors { (error_group(error, &report.audio_dir)) } }
        }
    }
}

fn error_group(error: &ErrorGroup, audio_dir: &Path) -> Markup {
    // A code that an editor of the table has made up is not put into a command.
    let is_known = !error.meaning.is_empty();
    html! {
        article.card {
            h3 {
                code { @if error.code.is_empty() { "no code" } @else { (foreign(&error.code)) } } " "
                span.quiet { (count(error.recordings)) @if error.recordings == 1 { " recording" } @else { " recordings" } }
            }
            @if is_known {
                p { (error.meaning) @if let Some(advice) = error.advice { " What helps: " (advice) "." } }
                p.quiet {
                    "Once the cause is fixed: "
                    code { "prepare-audio requeue --where-error " (error.code) " && prepare-audio fetch" }
                }
            }
            @if !error.newest.is_empty() {
                p.quiet { "The newest:" }
                ul {
                    @for failure in &error.newest {
                        li {
                            span.quiet { (failure.id) " " } (source(&failure.source, audio_dir)) br;
                            bdi dir="auto" { (foreign(&failure.error)) }
                            span.quiet {
                                " " (failure.state) " after " (failure.attempts) @if failure.attempts == 1 { " attempt" } @else { " attempts" }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn speed(report: &Report) -> Markup {
    let stages = &report.stages;
    let named = stages.decode_ms + stages.resample_ms + stages.vad_ms + stages.write_ms;
    let list = [
        ("decode", stages.decode_ms),
        ("downmix and resample", stages.resample_ms),
        ("detect speech", stages.vad_ms),
        ("write segments", stages.write_ms),
        // Of long recordings, stages run at the same time, so that their sum may be greater than the time that passed.
        ("other", (stages.total_ms - named).max(0.0)),
    ];
    let sum: f64 = list.iter().map(|(_, ms)| ms).sum();
    let rows = html! {
        @for (name, ms) in list {
            tr {
                th scope="row" { (name) }
                td.bar { (charts::share(ms, sum)) }
                td.number { (percent(ms, sum)) }
                td.number { (time(ms / 1000.0)) }
                td.number { @if ms > 0.0 { (value(stages.duration_s * 1000.0 / ms)) "×" } @else { "–" } }
            }
        }
    };
    let headers = [("Stage", false), ("", false), ("Share", true), ("Time", true), ("Times real time", true)];
    html! {
        section id="speed" aria-labelledby="speed-title" {
            h2 id="speed-title" { "Speed" }
            @if stages.total_ms > 0.0 {
                p {
                    "One worker prepared " (count(stages.recordings)) " recordings with " (time(stages.duration_s)) " of audio in "
                    (time(stages.total_ms / 1000.0)) " of its time: "
                    strong { (value(stages.duration_s * 1000.0 / stages.total_ms)) " times real time" } "."
                }
                (table("Time by stage", &headers, &rows))
            } @else { (nothing("No recording is done.")) }
        }
    }
}

pub(super) fn recipes(report: &Report) -> Markup {
    html! {
        section id="recipes" aria-labelledby="recipes-title" {
            h2 id="recipes-title" { "Recipes" }
            @if report.recipes.is_empty() { (nothing("No recording is done.")) }
            div.stack {
                @for recipe in &report.recipes {
                    article.card {
                        h3 { code { (foreign(&recipe.recipe)) } }
                        p.quiet {
                            (count(recipe.recordings)) " recordings"
                            @if let Some(model) = &recipe.model { ", model " (foreign(model)) }
                        }
                        @if let Some(parameters) = &recipe.parameters {
                            details { summary { "Parameters" } pre { (pretty(parameters)) } }
                        }
                    }
                }
            }
        }
    }
}

/// JSON with line breaks, at most some pages of it.
fn pretty(json: &str) -> String {
    let parsed = serde_json::from_str::<Value>(json).and_then(|value| serde_json::to_string_pretty(&value));
    parsed.unwrap_or_else(|_| json.to_owned()).chars().take(4_000).collect()
}
