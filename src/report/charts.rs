//! Charts as inline SVG. Colours come from the page's style sheet, so that they follow light and dark.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};

use super::{
    Excerpt, Histogram,
    format::{count, position, value, with_unit},
};

/// Width of a histogram, in units of the drawing.
const WIDTH: f64 = 360.0;
/// Height of its bars.
const HEIGHT: f64 = 110.0;
/// Space above the bars, for the greatest count.
const TOP: f64 = 14.0;

/// Width of the drawings of an excerpt.
const EXCERPT_WIDTH: f64 = 1000.0;
/// Height of the waveform.
const WAVE: f64 = 120.0;
/// Height of the probability curve.
const CURVE: f64 = 60.0;
/// Space between the two.
const GAP: f64 = 8.0;

/// Bars for the classes of a histogram.
pub(super) fn histogram(histogram: &Histogram) -> Markup {
    let greatest = histogram.counts.iter().copied().max().unwrap_or(0).max(1);
    let width = WIDTH / histogram.counts.len().max(1) as f64;
    let step = (histogram.high - histogram.low) / histogram.counts.len().max(1) as f64;
    let middle = f64::midpoint(histogram.low, histogram.high);
    let mut bars = String::new();
    for (class, &number) in histogram.counts.iter().enumerate().filter(|(_, number)| **number > 0) {
        // A class that has any value can be seen.
        let height = (number as f64 / greatest as f64 * HEIGHT).max(1.0);
        let (x, y) = (class as f64 * width, TOP + HEIGHT - height);
        let from = histogram.low + class as f64 * step;
        let (from, to) = (value(from), value(from + step));
        let title = format!("{from} to {to}: {}", count(number));
        // Writing to a String does not fail.
        let _ = write!(
            bars,
            r#"<rect class="bar" x="{x:.2}" y="{y:.2}" width="{:.2}" height="{height:.2}"><title>{title}</title></rect>"#,
            (width - 1.0).max(0.5)
        );
    }
    let label = match (histogram.mean, histogram.least, histogram.greatest) {
        (Some(mean), Some(least), Some(most)) => {
            let [mean, least, most] = [mean, least, most].map(|number| with_unit(number, histogram.unit));
            format!(
                "{}: histogram of {} values from {least} to {most}, mean {mean}",
                histogram.title,
                count(histogram.number)
            )
        }
        _ => format!("{}: no values", histogram.title),
    };
    let (bottom, height) = (TOP + HEIGHT, TOP + HEIGHT + 18.0);
    // The first and the last class have all that lies beyond, if anything does.
    let beyond =
        |is_beyond: bool, sign: &str, end: f64| if is_beyond { format!("{sign} {}", value(end)) } else { value(end) };
    let low = beyond(histogram.least.is_some_and(|least| least < histogram.low), "≤", histogram.low);
    let high = beyond(histogram.greatest.is_some_and(|most| most > histogram.high), "≥", histogram.high);
    html! {
        svg role="img" aria-label=(label) viewBox=(format!("0 0 {WIDTH} {height}")) {
            line class="grid" x1="0" x2=(WIDTH) y1=(TOP) y2=(TOP) {}
            (PreEscaped(bars))
            line class="axis" x1="0" x2=(WIDTH) y1=(bottom) y2=(bottom) {}
            text x="0" y="10" { (count(greatest)) }
            text x="0" y=(bottom + 14.0) { (low) }
            text x=(WIDTH / 2.0) y=(bottom + 14.0) text-anchor="middle" { (value(middle)) }
            text x=(WIDTH) y=(bottom + 14.0) text-anchor="end" { (high) }
        }
    }
}

/// A bar in a table's cell, whose number is beside it.
pub(super) fn share(part: f64, whole: f64) -> Markup {
    let width = if whole > 0.0 { (part / whole * 100.0).clamp(0.0, 100.0) } else { 0.0 };
    html! {
        svg.share aria-hidden="true" viewBox="0 0 100 8" preserveAspectRatio="none" {
            rect.track width="100" height="8" {}
            rect.bar width=(format!("{width:.2}")) height="8" {}
        }
    }
}

/// The waveform and the probabilities of an excerpt, with its segments behind them.
pub(super) fn excerpt(excerpt: &Excerpt) -> Markup {
    let height = WAVE + GAP + CURVE;
    let number = excerpt.segments.len();
    let label = format!(
        "Waveform and speech probability from {} to {}, with {number} segment{}",
        position(excerpt.start_s),
        position(excerpt.start_s + excerpt.length_s),
        if number == 1 { "" } else { "s" }
    );
    let x = |seconds: f64| ((seconds - excerpt.start_s) / excerpt.length_s.max(0.001)).clamp(0.0, 1.0) * EXCERPT_WIDTH;
    let top = WAVE + GAP;
    html! {
        svg.excerpt role="img" aria-label=(label) viewBox=(format!("0 0 {EXCERPT_WIDTH} {height}")) preserveAspectRatio="none" {
            @for &(start, end, _) in &excerpt.segments {
                rect.segment x=(format!("{:.1}", x(start))) width=(format!("{:.1}", x(end) - x(start))) y="0" height=(height) {}
            }
            line.axis x1="0" x2=(EXCERPT_WIDTH) y1=(WAVE / 2.0) y2=(WAVE / 2.0) {}
            path.wave d=(wave(&excerpt.peaks)) {}
            line.axis x1="0" x2=(EXCERPT_WIDTH) y1=(height) y2=(height) {}
            line.grid x1="0" x2=(EXCERPT_WIDTH) y1=(top + CURVE / 2.0) y2=(top + CURVE / 2.0) {}
            line.grid x1="0" x2=(EXCERPT_WIDTH) y1=(top) y2=(top) {}
            path.curve d=(curve(&excerpt.probabilities, EXCERPT_WIDTH, top, CURVE)) {}
            line.playhead x1="0" x2="0" y1="0" y2=(height) {}
        }
    }
}

/// The probabilities of the whole recording, and where the excerpt is.
pub(super) fn overview(excerpt: &Excerpt, duration_s: f64) -> Markup {
    let (width, height) = (1000.0, 24.0);
    let x = |seconds: f64| ((seconds - excerpt.first_s) / duration_s.max(0.001)).clamp(0.0, 1.0) * width;
    let (from, to) = (x(excerpt.start_s), x(excerpt.start_s + excerpt.length_s));
    let mut area = curve(&excerpt.overview, width, 0.0, height);
    if !area.is_empty() {
        area = format!("M0 {height}L{}L{width} {height}Z", &area[1..]);
    }
    html! {
        svg.overview role="img" aria-label="Speech probability of the whole recording, with the excerpt marked"
            viewBox=(format!("0 0 {width} {height}")) preserveAspectRatio="none" {
            path.area d=(area) {}
            rect.window x=(format!("{from:.1}")) width=(format!("{:.1}", (to - from).max(2.0))) y="0" height=(height) {}
        }
    }
}

/// One line up and down for each column, scaled so that the loudest one fills the height.
fn wave(peaks: &[(f32, f32)]) -> String {
    let loudest = peaks.iter().map(|(low, high)| high.max(-low)).fold(0.0_f32, f32::max).max(0.01);
    let (scale, step) = (WAVE / 2.0 / f64::from(loudest), EXCERPT_WIDTH / peaks.len().max(1) as f64);
    let mut path = String::with_capacity(peaks.len() * 16);
    for (column, &(low, high)) in peaks.iter().enumerate() {
        let x = (column as f64 + 0.5) * step;
        let (top, bottom) = (WAVE / 2.0 - f64::from(high) * scale, WAVE / 2.0 - f64::from(low) * scale);
        let _ = write!(path, "M{x:.1} {top:.1}V{:.1}", bottom.max(top + 0.5));
    }
    path
}

/// A line through values from 0 to 1.
fn curve(values: &[f32], width: f64, top: f64, height: f64) -> String {
    let step = width / values.len().max(1) as f64;
    let mut path = String::with_capacity(values.len() * 12);
    for (column, &value) in values.iter().enumerate() {
        let (x, y) = ((column as f64 + 0.5) * step, top + height * (1.0 - f64::from(value).clamp(0.0, 1.0)));
        let _ = write!(path, "{}{x:.1} {y:.1}", if column == 0 { "M" } else { "L" });
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_class_fills_the_height() {
        let classes = Histogram {
            name: "x",
            title: "<Length>",
            unit: "s",
            low: 0.0,
            high: 2.0,
            counts: vec![4, 1],
            number: 5,
            mean: Some(0.7),
            least: Some(0.1),
            greatest: Some(1.9),
        };
        let svg = histogram(&classes).into_string();
        assert!(svg.contains(r#"height="110.00"><title>0 to 1: 4</title>"#), "{svg}");
        assert!(svg.contains(r#"height="27.50"><title>1 to 2: 1</title>"#), "{svg}");
        assert!(svg.contains("&lt;Length&gt;: histogram of 5 values from 0.1 s to 1.9 s, mean 0.7 s"), "{svg}");
    }

    #[test]
    fn drawings_stay_in_their_box() {
        assert_eq!(wave(&[(-0.5, 0.5)]), "M500.0 0.0V120.0");
        assert_eq!(curve(&[0.0, 1.0, 7.0], 300.0, 10.0, 20.0), "M50.0 30.0L150.0 10.0L250.0 10.0");
        assert_eq!((wave(&[]), curve(&[], 1.0, 0.0, 1.0)), (String::new(), String::new()));
    }
}
