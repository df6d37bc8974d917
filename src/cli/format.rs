//! Figures and tables as people read them.

/// Seconds as `3.2 s`, `4 min 05 s` or `12.34 h`.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 60.0 => format!("{s:.1} s"),
        s if s < 3600.0 => format!("{} min {:02} s", s as u64 / 60, s as u64 % 60),
        s => format!("{:.2} h", s / 3600.0),
    }
}

/// Bytes as `512 B`, `3.4 MB`, in powers of ten.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

/// `1 recording`, `2 recordings`.
pub fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Text as one line that a terminal shows as it is. What would end the line, steer the terminal, or turn the direction of
/// writing around is spelled out: the names of files are other people's.
pub fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Rows under their headers, columns as wide as their widest cell. Columns whose header begins with `>` are numbers
/// and stand right.
pub fn table(headers: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| plain(cell)).collect()).collect();
    let width = |column: usize, header: &str| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.max().unwrap_or(0).max(header.trim_start_matches('>').len())
    };
    let widths: Vec<usize> = headers.iter().enumerate().map(|(i, h)| width(i, h)).collect();
    let titles: Vec<String> = headers.iter().map(|h| h.trim_start_matches('>').to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(&rows) {
        let mut line = String::new();
        for ((cell, width), header) in row.iter().zip(&widths).zip(headers) {
            let fill = " ".repeat(width.saturating_sub(cell.chars().count()));
            if header.starts_with('>') {
                line += &format!("{fill}{cell}  ");
            } else {
                line += &format!("{cell}{fill}  ");
            }
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!([0.0, 59.94, 245.0, 44_424.0].map(time), ["0.0 s", "59.9 s", "4 min 05 s", "12.34 h"]);
        assert_eq!([0, 999, 1500, 2_000_000_000].map(bytes), ["0 B", "999 B", "1.5 kB", "2.0 GB"]);
        assert_eq!([0, 1, 2].map(|n| count(n, "file")), ["0 files", "1 file", "2 files"]);
    }

    #[test]
    fn names_do_not_steer_the_terminal() {
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
    fn columns_line_up() {
        let rows = [vec!["7".into(), "Grüße".into()], vec!["123".into(), "b".into()]];
        assert_eq!(table(&[">id", "source"], &rows), " id  source\n  7  Grüße\n123  b\n");
    }
}
