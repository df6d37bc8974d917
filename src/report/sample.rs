//! The section with recordings that were drawn by chance.

use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{Markup, html};

use super::{
    Drawn, Report, charts,
    format::{foreign, position},
    sections::{nothing, source},
};

/// Segments of an excerpt that have a button, at most.
const BUTTONS: usize = 24;

pub(super) fn section(report: &Report) -> Markup {
    html! {
        section id="sample" aria-labelledby="sample-title" {
            h2 id="sample-title" { "Sample" }
            @if report.sample.is_empty() {
                (nothing("No recording is done, or none was asked for."))
            } @else {
                p.quiet {
                    "Drawn by chance: some seconds around a segment of each recording, scaled to full height."
                    span.key.segment {} "segment" span.key.curve {} "speech probability, from 0 to 1"
                }
            }
            div.stack { @for drawn in &report.sample { (drawn_recording(drawn, &report.audio_dir)) } }
        }
    }
}

fn drawn_recording(drawn: &Drawn, audio_dir: &Path) -> Markup {
    let excerpt = &drawn.excerpt;
    let has_audio = !excerpt.opus.is_empty();
    html! {
        article.card data-start=(excerpt.start_s) data-length=(excerpt.length_s) {
            h3 { span.quiet { "Recording " (drawn.id) " " } (source(&drawn.source, audio_dir)) }
            p.quiet {
                (position(excerpt.start_s)) " to " (position(excerpt.start_s + excerpt.length_s)) " of "
                (position(drawn.duration_s))
                @if let Some(container) = &drawn.container { ", " (foreign(container)) }
                @if excerpt.segments.is_empty() { ", no segments here" }
            }
            @if !excerpt.peaks.is_empty() || !excerpt.probabilities.is_empty() { (charts::excerpt(excerpt)) }
            @if !excerpt.overview.is_empty() && drawn.duration_s > 2.0 * excerpt.length_s {
                (charts::overview(excerpt, drawn.duration_s))
            }
            @if has_audio {
                audio controls preload="metadata" aria-label=(format!("Excerpt of {}", foreign(&drawn.source)))
                    src=(format!("data:audio/ogg;base64,{}", STANDARD.encode(&excerpt.opus))) {}
            }
            @if let Some(problem) = &excerpt.problem {
                p { span.bad { "No audio: " } bdi dir="auto" { (foreign(problem)) } }
            }
            @if !excerpt.segments.is_empty() {
                ul.plays aria-label="Segments of the excerpt" {
                    @for (index, &(start, end, probability)) in excerpt.segments.iter().take(BUTTONS).enumerate() {
                        li {
                            // A segment may begin before the excerpt, or end after it.
                            @let shown = (start.max(excerpt.start_s), end.min(excerpt.start_s + excerpt.length_s));
                            @let title = format!("segment from {} to {}, mean speech probability {probability:.2}", position(start), position(end));
                            @if has_audio {
                                button type="button" data-from=(start) data-to=(end) title=(title) {
                                    span aria-hidden="true" { "▶ " } (position(shown.0)) " – " (position(shown.1))
                                }
                            } @else { span.quiet title=(title) { @if index > 0 { ", " } (position(shown.0)) " – " (position(shown.1)) } }
                        }
                    }
                }
            }
        }
    }
}
