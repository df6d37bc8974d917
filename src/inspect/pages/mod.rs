//! The pages as HTML. What is in a database is foreign input: maud escapes all of it.

mod list;
mod recording;

use maud::{DOCTYPE, Markup, html};

pub use self::{list::list, recording::recording};
use crate::{report::format::foreign, store::State};

/// A page that says what is wrong.
pub fn problem(message: &str) -> String {
    let body = html! {
        header { (home()) h1 { "Nothing to show" } }
        main { p { (foreign(message)) } }
    };
    frame("Nothing to show", &[], &body).into_string()
}

/// A page around its body.
fn frame(title: &str, scripts: &[&str], body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Without it, a browser asks the server for one.
                link rel="icon" href="data:,";
                title { (foreign(title)) " – prepare-audio" }
                link rel="stylesheet" href="/assets/page.css";
                link rel="stylesheet" href="/assets/inspect.css";
                @for script in scripts { script type="module" src=(script) {} }
            }
            body { (body) }
        }
    }
}

fn home() -> Markup {
    html! { p.home { a href="/" { "All recordings" } } }
}

/// A source. Its writing direction is its own.
fn source(text: &str) -> Markup {
    html! { bdi.source dir="auto" { (foreign(text)) } }
}

fn state_badge(state: State) -> Markup {
    html! { span class={ "state " (state.name()) } { (state.name()) } }
}

/// A list of texts in a column.
fn texts(json: Option<&str>) -> Vec<String> {
    json.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// A level or a ratio: `12.0 dB`.
fn decibels(value: f64) -> String {
    format!("{value:.1} dB").replace('-', "−")
}
