//! Lists of recordings: plain text, CSV with a header, JSON lines.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use super::SourceError;

/// Columns or keys that hold the path, in the order they are looked for; the names that corpora and toolkits use.
const PATH_KEYS: [&str; 9] =
    ["source", "path", "audio_filepath", "audio_path", "file", "filename", "file_name", "audio", "wav"];

/// The kind of a list, told by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Csv,
    JsonLines,
}

impl Kind {
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" | "lst" => Some(Self::Text),
            "csv" | "tsv" => Some(Self::Csv),
            "json" | "jsonl" | "ndjson" => Some(Self::JsonLines), // NeMo calls its JSON lines .json
            _ => None,
        }
    }

    /// The paths in the list, as they are written there.
    pub fn read(self, path: &Path) -> Result<Vec<String>, SourceError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| SourceError::Read(name.clone(), e))?;
        let reader = BufReader::new(file);
        match self {
            Self::Text => lines(reader).map_err(|e| SourceError::Read(name, e)),
            Self::Csv => csv(reader, delimiter(path)).map_err(|why| SourceError::Manifest(name, why)),
            Self::JsonLines => json_lines(reader).map_err(|why| SourceError::Manifest(name, why)),
        }
    }
}

/// One path a line; empty lines and those that begin with `#` are passed over.
pub(super) fn lines(reader: impl BufRead) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    for line in reader.lines() {
        let line = line?;
        let line = line.trim_start_matches('\u{feff}').trim();
        if !line.is_empty() && !line.starts_with('#') {
            paths.push(line.to_owned());
        }
    }
    Ok(paths)
}

fn delimiter(path: &Path) -> u8 {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("tsv")) { b'\t' } else { b',' }
}

fn csv(reader: impl io::Read, delimiter: u8) -> Result<Vec<String>, String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(reader);
    let headers = reader.headers().map_err(|e| e.to_string())?.clone();
    let names: Vec<String> = headers.iter().map(|h| h.trim_start_matches('\u{feff}').to_ascii_lowercase()).collect();
    let column = PATH_KEYS.iter().find_map(|key| names.iter().position(|name| name == key));
    let column = column.ok_or_else(|| format!("no column {}; it has {}", expected(), names.join(", ")))?;
    let mut paths = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        match record.get(column) {
            Some(path) if !path.is_empty() => paths.push(path.to_owned()),
            _ => return Err(format!("line {line}: the column {} is empty", names[column])),
        }
    }
    Ok(paths)
}

fn json_lines(reader: impl BufRead) -> Result<Vec<String>, String> {
    let mut paths = Vec::new();
    for (index, line) in reader.lines().enumerate() {
        let (line, number) = (line.map_err(|e| e.to_string())?, index + 1);
        if line.trim().is_empty() {
            continue;
        }
        let value: serde_json::Value = serde_json::from_str(&line).map_err(|e| format!("line {number}: {e}"))?;
        let path = PATH_KEYS.iter().find_map(|key| value.get(key)?.as_str());
        let path = path.ok_or_else(|| format!("line {number}: no key {}", expected()))?;
        paths.push(path.to_owned());
    }
    Ok(paths)
}

fn expected() -> String {
    PATH_KEYS.map(|key| format!("\"{key}\"")).join(" or ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_path_column_is_found_by_its_usual_names() {
        let read = |text: &str| csv(text.as_bytes(), b',');
        assert_eq!(read("id,Path\n1,a.wav\n2,\"b, c.wav\"\n").unwrap(), ["a.wav", "b, c.wav"]);
        assert_eq!(read("\u{feff}audio_filepath,text\nx.flac,hello\n").unwrap(), ["x.flac"]);
        assert!(read("id,name\n1,a\n").unwrap_err().contains("it has id, name"));
        assert_eq!(read("path,x\n,1\n").unwrap_err(), "line 2: the column path is empty");
        assert!(read("path,x\na\n").unwrap_err().contains("record"));
    }

    #[test]
    fn json_lines_name_the_line_that_is_wrong() {
        let read = |text: &str| json_lines(text.as_bytes());
        assert_eq!(read("{\"audio_filepath\":\"a.wav\",\"duration\":1}\n\n{\"path\":\"b\"}").unwrap(), ["a.wav", "b"]);
        assert!(read("{\"path\":\"a\"}\n{oops").unwrap_err().starts_with("line 2: "));
        assert!(read("{\"text\":\"a\"}").unwrap_err().starts_with("line 1: no key \"source\""));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = lines(&bytes[..]);
            let _ = csv(&bytes[..], b',');
            let _ = json_lines(&bytes[..]);
        }
    }
}
