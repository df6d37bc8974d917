//! The delimiter of a table in a text file. Spreadsheets in countries with a decimal comma write semicolons.

use std::path::Path;

use super::list_row::is_path_key;

/// The delimiter of the file at `path` whose first line is `header`.
///
/// A .tsv file has tabs. In any other, it is the character that makes the most columns, one of which has a name for
/// paths; a comma where no character does.
pub fn of(path: &Path, header: &str) -> u8 {
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv")) {
        return b'\t';
    }
    let columns = |delimiter: u8| {
        let titles = titles(header, delimiter);
        if titles.iter().any(|title| is_path_key(title)) { titles.len() } else { 0 }
    };
    // Of equals, `max_by_key` returns the last.
    [b'\t', b';', b','].into_iter().max_by_key(|delimiter| columns(*delimiter)).unwrap_or(b',')
}

/// The delimiter that the first line states, as Excel reads and writes it: `sep=;`.
pub fn stated(line: &str) -> Option<u8> {
    match line.trim_end_matches(['\r', '\n']).strip_prefix("sep=")?.as_bytes() {
        [delimiter] => Some(*delimiter),
        _ => None,
    }
}

/// The titles of a header, without quotation marks.
fn titles(header: &str, delimiter: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(header.as_bytes());
    let first = reader.records().next().and_then(Result::ok).unwrap_or_default();
    first.iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_shows_the_delimiter() {
        for (name, header, delimiter) in [
            ("a.csv", "id,path,text", b','),
            ("a.csv", "id;path;text", b';'),
            ("a.csv", "id\tpath\ttext", b'\t'),
            ("a.csv", "path", b','),
            ("a.csv", "path;a,b,c", b';'),         // commas in a title
            ("a.csv", "\"path\",\"a;b;c\"", b','), // semicolons in a quoted one
            ("a.csv", "id;name", b','),            // no column for paths: the message lists the columns
            ("a.TSV", "path;x,y", b'\t'),
        ] {
            assert_eq!(of(Path::new(name), header), delimiter, "{header}");
        }
        assert_eq!(
            (stated("sep=;\r\n"), stated("sep=\t"), stated("separator"), stated("sep=")),
            (Some(b';'), Some(b'\t'), None, None)
        );
    }
}
