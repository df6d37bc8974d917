//! Numbers and names as the page shows them.

/// Characters of a name or a message, at most. A table that others write may have any.
const LENGTH: usize = 300;

/// A count with separators: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length of time: `3.2 s`, `4:05 min`, `12.3 h`, `1,234 h`.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{}:{:02} min", s as u64 / 60, s as u64 % 60),
        s if s < 3_600_000.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{} h", count((s / 3600.0) as u64)),
    }
}

/// A position: `1:02:03.4` or `2:03.4`.
pub(crate) fn position(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (hours, minutes, seconds) = (tenths / 36_000, tenths / 600 % 60, (tenths % 600) as f64 / 10.0);
    match hours {
        0 => format!("{minutes}:{seconds:04.1}"),
        _ => format!("{hours}:{minutes:02}:{seconds:04.1}"),
    }
}

/// A value with as many decimals as its size needs.
pub(crate) fn value(value: f64) -> String {
    match value.abs() {
        v if !v.is_finite() => "-".into(),
        v if v >= 10_000.0 => (if value < 0.0 { "−" } else { "" }).to_owned() + &count(v as u64),
        v if v >= 100.0 => format!("{value:.0}").replace('-', "−"),
        v => {
            let text = if v >= 10.0 { format!("{value:.1}") } else { format!("{value:.2}") };
            let short = text.trim_end_matches('0').trim_end_matches('.');
            if short == "-0" { "0".into() } else { short.replace('-', "−") }
        }
    }
}

/// A value with its unit. Decibels have one decimal, so that they stand in line.
pub(crate) fn with_unit(number: f64, unit: &str) -> String {
    let is_level = ["dB", "dBFS", "LUFS"].contains(&unit) && number.is_finite();
    let text = if is_level { format!("{number:.1}").replace('-', "−") } else { value(number) };
    if unit.is_empty() { text } else { format!("{text} {unit}") }
}

/// A share: `12.3%`.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    if whole > 0.0 { format!("{:.1}%", part / whole * 100.0) } else { "-".into() }
}

/// Foreign text in one line: control characters and marks of writing direction are replaced, and the middle of a long one is
/// left out.
pub(crate) fn foreign(text: &str) -> String {
    let is_mark =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if c.is_control() || is_mark(c) { '\u{fffd}' } else { c };
    let length = text.chars().count();
    if length <= LENGTH {
        return text.chars().map(shown).collect();
    }
    let half = LENGTH / 2;
    let (start, end) = (text.chars().take(half), text.chars().skip(length - half));
    start.chain(std::iter::once('…')).chain(end).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([3.21, 245.0, 44_424.0, 7.2e6].map(time), ["3.2 s", "4:05 min", "12.3 h", "2,000 h"]);
        assert_eq!([0.0, 65.32, 3723.4].map(position), ["0:00.0", "1:05.3", "1:02:03.4"]);
        assert_eq!(with_unit(-28.0, "dBFS"), "−28.0 dBFS");
        assert_eq!(
            [-23.456, 0.5, 123.4, 12_345.6, -0.001, 30.0].map(value),
            ["−23.5", "0.5", "123", "12,345", "0", "30"]
        );
        assert_eq!((percent(1.0, 8.0), percent(1.0, 0.0)), ("12.5%".into(), "-".into()));
    }

    #[test]
    fn foreign_text_is_one_short_line() {
        assert_eq!(foreign("Grüße\n\u{202e}gpj.wav"), "Grüße\u{fffd}\u{fffd}gpj.wav");
        let long = foreign(&"ü".repeat(4096));
        assert_eq!(long.chars().count(), 301);
        assert!(long.contains('…'));
    }
}
