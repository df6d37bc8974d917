//! The page of a recording. Its script draws and plays; facts are here.

use std::time::{Duration, UNIX_EPOCH};

use maud::{Markup, html};
use serde_json::Value;

use super::{decibels, frame, home, source, state_badge, texts};
use crate::{
    inspect::{Settings, recording::Opened},
    report::format::{count, foreign, percent, position, time, value},
    store::{RecordingDetails, State},
};

/// What the keys do.
const KEYS: [(&str, &str); 8] = [
    ("Space", "play, pause"),
    ("j k", "next, previous segment"),
    ("Enter", "play the segment again"),
    ("← →", "one second back, on"),
    ("+ −", "zoom in, out"),
    ("0", "the whole recording"),
    ("g b", "tag the segment good, bad"),
    ("n", "note on the segment"),
];

/// Renders the page of a recording.
pub fn recording(settings: &Settings, opened: &Opened) -> String {
    let row = &opened.row;
    let is_done = row.state == State::Done && row.samples.is_some_and(|samples| samples > 0);
    let body = html! {
        header {
            (home())
            h1 { (source(&row.source)) }
            p.quiet { "Recording " (row.id) " of " bdi.source { (foreign(&settings.database)) } " " (state_badge(row.state)) }
            (channels(opened))
        }
        main data-recording=(row.id) data-channel=[opened.channel] {
            (failure(row))
            @if is_done {
                (player(opened))
                (parameters())
                (segments())
            }
            (facts(row))
            (details("Gaps", "silence stands for audio that is missing", &gaps(row)))
            (json_block("Metadata", row.metadata.as_deref()))
            (json_block("Audio tracks", row.tracks.as_deref()))
            (json_block("Recipe", row.parameters.as_deref()))
        }
    };
    let scripts: &[&str] = if is_done { &["/assets/recording.js"] } else { &[] };
    frame(&row.source, scripts, &body).into_string()
}

fn channels(opened: &Opened) -> Markup {
    html! {
        @if opened.channels.len() > 1 {
            nav aria-label="Channels" {
                ul {
                    @for channel in &opened.channels {
                        @let is_shown = Some(*channel) == opened.channel;
                        li { a href={ "?channel=" (channel) } aria-current=[is_shown.then_some("page")] { "Channel " (channel) } }
                    }
                }
            }
        }
    }
}

fn failure(row: &RecordingDetails) -> Markup {
    let warnings = texts(row.warnings.as_deref());
    html! {
        @if row.error_code.is_some() || row.error.is_some() {
            section.card aria-label="Error" {
                p { code.bad { (foreign(row.error_code.as_deref().unwrap_or("no code"))) } }
                p { bdi dir="auto" { (foreign(row.error.as_deref().unwrap_or_default())) } }
                p.quiet { (row.attempts) " of " (row.max_attempts) " attempts, " (row.crashes) " crashes" }
            }
        }
        @if !warnings.is_empty() {
            section.card aria-label="Warnings" {
                p.notice { "Warnings: " @for (n, warning) in warnings.iter().enumerate() { @if n > 0 { ", " } code { (foreign(warning)) } } }
            }
        }
        @if row.state != State::Done {
            p { "Only done recordings have a waveform and segments to show." }
        }
    }
}

fn player(opened: &Opened) -> Markup {
    let name = foreign(&opened.row.source);
    html! {
        section.card #player aria-label="Player" {
            div.tools role="toolbar" aria-label="Playback and zoom" {
                button #play type="button" { "▶ Play" }
                button #previous type="button" { "Previous" }
                button #next type="button" { "Next" }
                button #zoom-out type="button" aria-label="Zoom out" { "−" }
                button #zoom-in type="button" aria-label="Zoom in" { "+" }
                button #whole type="button" { "Whole" }
                output #time aria-live="off" { (position(0.0)) }
                label { input #repeat type="checkbox"; "Play on after a segment" }
            }
            div #timeline tabindex="0" role="group" aria-describedby="keys"
                aria-label=(format!("Timeline of {name}: waveform, spectrogram, speech probability and segments")) {
                canvas #overview role="img" aria-label="Overview of the whole recording" {}
                canvas #ruler aria-hidden="true" {}
                canvas #wave role="img" aria-label="Waveform" {}
                canvas #spectrum role="img" aria-label="Spectrogram, 0 to 8 kHz" {}
                canvas #curve role="img" aria-label="Speech probability, 0 to 1, with the thresholds" {}
                canvas #lanes role="img" aria-label="Segments: stored above, of other parameters below" {}
                div #playhead aria-hidden="true" {}
            }
            p.quiet aria-hidden="true" {
                span.key.wave {} "segment" span.key.good {} "tagged good" span.key.bad {} "tagged bad"
                span.key.curve {} "speech probability, and segments of other parameters"
            }
            p #problem role="alert" {}
            p #progress.quiet role="status" {}
            audio #audio preload="none" aria-label=(format!("Audio of {name}")) {}
            p #keys.quiet {
                @for (n, (key, meaning)) in KEYS.iter().enumerate() { @if n > 0 { " · " } kbd { (key) } " " (meaning) }
                " · click on a segment: play it · drag: move · Ctrl and wheel: zoom"
            }
        }
    }
}

/// A slider: its name in requests, its title, unit, least and greatest value, and step.
type Slider = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const SLIDERS: [Slider; 5] = [
    ("threshold", "Threshold", "", "0.01", "0.99", "0.01"),
    ("min_silence_ms", "Minimum silence", "ms", "0", "2000", "10"),
    ("min_speech_ms", "Minimum speech", "ms", "0", "2000", "10"),
    ("pad_ms", "Padding", "ms", "0", "1000", "10"),
    // The last position stands for no limit.
    ("max_speech_s", "Maximum speech", "s", "1", "61", "0.5"),
];

fn parameters() -> Markup {
    html! {
        section.card #parameters hidden aria-labelledby="parameters-title" {
            h2 #parameters-title { "Other parameters" }
            p.quiet { "Cuts from the stored probabilities, as " code { "resegment" } " would make them. Nothing is changed here." }
            div.sliders {
                @for (name, title, unit, least, greatest, step) in SLIDERS {
                    label {
                        span { (title) }
                        input type="range" name=(name) min=(least) max=(greatest) step=(step) data-unit=(unit);
                        output {}
                    }
                }
            }
            p {
                button #reset type="button" { "Reset to the recipe" }
                output #cuts-status role="status" {}
            }
            div.command {
                label for="command" { "The command that makes it so" }
                input #command type="text" readonly spellcheck="false";
                button #copy type="button" { "Copy" }
            }
            label { input #only-this type="checkbox"; "For this recording alone" }
            ul #remarks.quiet {}
        }
    }
}

fn segments() -> Markup {
    html! {
        section.card.scroll tabindex="0" aria-labelledby="segments-title" {
            h2 #segments-title { "Segments in view" }
            p #segments-status.quiet {}
            table.wide {
                thead { tr {
                    th.number scope="col" { "Segment" }
                    th scope="col" { "Time" }
                    th.number scope="col" { "Length" }
                    th.number scope="col" { "Speech" }
                    th.number scope="col" { "SNR" }
                    th.number scope="col" { "Level" }
                    th scope="col" { "Ends by" }
                    th scope="col" { "Tag" }
                    th scope="col" { "Note" }
                } }
                tbody #segments {}
            }
        }
    }
}

fn facts(row: &RecordingDetails) -> Markup {
    let number =
        |number: Option<i64>, unit: &str| number.map(|number| format!("{}{unit}", count(number.unsigned_abs())));
    let speech =
        row.speech_s.zip(row.duration_s).map(|(speech, all)| format!("{}, {}", time(speech), percent(speech, all)));
    let speed = row.total_ms.zip(row.duration_s).filter(|(ms, _)| *ms > 0.0);
    let facts = [
        ("Length", row.duration_s.map(time)),
        ("Speech", speech),
        ("Segments", row.segments.map(count)),
        ("Signal-to-noise ratio", row.snr_db.map(decibels)),
        ("Loudness", row.loudness_lufs.map(|loudness| value(loudness) + " LUFS")),
        (
            "Container, codec",
            row.container.clone().map(|name| format!("{name}, {}", row.codec.as_deref().unwrap_or("-"))),
        ),
        ("Sample rate", number(row.sample_rate, " Hz")),
        ("Channels", number(row.channels, "")),
        ("File", number(row.bytes, " bytes")),
        ("Audio track", number(row.track, "")),
        (
            "Begins after the video",
            row.start_offset_s.filter(|&offset| offset != 0.0).map(|offset| value(offset) + " s"),
        ),
        ("Packets not decoded", Some(row.decode_errors).filter(|&errors| errors > 0).map(|errors| errors.to_string())),
        ("Lost", Some(row.gaps.lost_s()).filter(|&lost| lost > 0.0).map(time)),
        ("Model", row.model.clone()),
        ("Recipe", Some(row.recipe.clone()).filter(|recipe| !recipe.is_empty())),
        ("Added", date(Some(row.created_at))),
        ("Prepared", date(row.finished_at)),
        ("Speed", speed.map(|(ms, length)| value(length * 1000.0 / ms) + " times real time")),
        ("Worker", row.worker.clone()),
    ];
    html! {
        section.card aria-labelledby="facts-title" {
            h2 #facts-title { "Facts" }
            dl.facts {
                @for (name, fact) in facts {
                    @if let Some(fact) = fact { div { dt { (name) } dd { bdi dir="auto" { (foreign(&fact)) } } } }
                }
            }
        }
    }
}

/// A time of the database's clock.
fn date(milliseconds: Option<i64>) -> Option<String> {
    let since = Duration::from_millis(u64::try_from(milliseconds?).ok()?);
    let time = UNIX_EPOCH.checked_add(since)?;
    // The formatter refuses years after 9999.
    (since.as_secs() < 253_402_300_800).then(|| humantime::format_rfc3339_seconds(time).to_string())
}

fn gaps(row: &RecordingDetails) -> Vec<String> {
    let spans: Vec<(f64, f64)> =
        row.gap_spans.as_deref().and_then(|spans| serde_json::from_str(spans).ok()).unwrap_or_default();
    spans.into_iter().map(|(start, end)| format!("{} – {}", position(start), position(end))).collect()
}

fn details(title: &str, meaning: &str, lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            details.card {
                summary { (title) ": " (lines.len()) ", " (meaning) }
                ul { @for line in lines { li { (foreign(line)) } } }
            }
        }
    }
}

fn json_block(title: &str, json: Option<&str>) -> Markup {
    let pretty = |json: &str| {
        let parsed = serde_json::from_str::<Value>(json).and_then(|value| serde_json::to_string_pretty(&value));
        parsed.unwrap_or_else(|_| json.to_owned()).chars().take(20_000).collect::<String>()
    };
    html! {
        @if let Some(json) = json {
            details.card { summary { (title) } pre { bdi dir="auto" { (pretty(json)) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_clock() {
        assert_eq!(date(Some(1_700_000_000_000)).as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!([None, Some(-1), Some(i64::MAX)].map(date), [None, None, None]);
    }
}
