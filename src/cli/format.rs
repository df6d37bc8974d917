//! Formats numbers, names and tables for the terminal.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Seconds as `3.2 s`, `4 min 05 s` or `12.34 h`.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{} min {:02} s", s as u64 / 60, s as u64 % 60),
        s => format!("{:.2} h", s / 3600.0),
    }
}

/// `1 recording`, `2 recordings`.
pub fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Text as one line without control characters. File names are foreign input, so characters that would end the line,
/// control the terminal, or change the writing direction are escaped.
pub fn plain(text: &str) -> String {
    let is_control = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if is_control(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Rows under their headers. A column whose header begins with `>` holds numbers and is aligned to the right.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headers.iter().map(|header| header.trim_start_matches('>')))
        .add_rows(rows.iter().map(|row| row.iter().map(|cell| plain(cell))));
    for (column, header) in table.column_iter_mut().zip(headers) {
        column.set_padding((0, 2));
        if header.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_counts_have_nouns() {
        assert_eq!([0.0, 59.94, 245.0, 44_424.0].map(time), ["0.0 s", "59.9 s", "4 min 05 s", "12.34 h"]);
        assert_eq!([0, 1, 2].map(|n| count(n, "file")), ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn control_characters_are_escaped() {
        for (text, shown) in [
            ("Grüße 音声 a\u{301}.wav", "Grüße 音声 a\u{301}.wav"),
            ("two\nlines\t\0", "two\\nlines\\t\\u{0}"),
            ("\u{1b}[2J\u{9b}31m", "\\u{1b}[2J\\u{9b}31m"),
            ("\u{202e}vaw.exe", "\\u{202e}vaw.exe"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["7".into(), "Grüße".into()], vec!["123".into(), "b".into()]];
        assert_eq!(table(&[">id", "source"], &rows), " id  source\n  7  Grüße\n123  b\n");
        // Wide characters take two columns.
        let rows = [vec!["音声".into(), "7".into()], vec!["b".into(), "8".into()]];
        assert_eq!(table(&["source", "id"], &rows), "source  id\n音声    7\nb       8\n");
    }
}
