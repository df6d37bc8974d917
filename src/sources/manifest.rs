//! Lists of recordings: plain text, CSV with a header, JSON lines.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use super::{
    SourceError,
    list_row::{Row, expected, text},
};
use crate::store::NewRecording;

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

    /// The recordings in the list, their paths as they are written there.
    pub fn read(self, path: &Path) -> Result<Vec<NewRecording>, SourceError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| SourceError::Read(name.clone(), e))?;
        let reader = BufReader::new(file);
        match self {
            Self::Text => {
                let paths = lines(reader).map_err(|e| SourceError::Read(name, e))?;
                Ok(paths.into_iter().map(NewRecording::from).collect())
            }
            Self::Csv => csv(reader, delimiter(path)).map_err(|why| SourceError::Manifest(name, why)),
            Self::JsonLines => json_lines(reader).map_err(|why| SourceError::Manifest(name, why)),
        }
    }
}

/// Bytes of a line, at most: a device, or a recording that is called a list, may have no line's end for ever.
const LONGEST_LINE: u64 = 16 << 20;

/// The lines of a list, without their ends.
fn each_line(mut reader: impl BufRead) -> impl Iterator<Item = io::Result<String>> {
    std::iter::from_fn(move || {
        let mut line = String::new();
        match io::Read::take(&mut reader, LONGEST_LINE).read_line(&mut line) {
            Ok(0) => None,
            Ok(len) if len as u64 == LONGEST_LINE && !line.ends_with('\n') => {
                let told = format!("a line is longer than {} MB; is this a list?", LONGEST_LINE >> 20);
                Some(Err(io::Error::new(io::ErrorKind::InvalidData, told)))
            }
            Ok(_) => {
                let len = line.trim_end_matches('\n').trim_end_matches('\r').len();
                line.truncate(len);
                Some(Ok(line))
            }
            Err(error) => Some(Err(error)),
        }
    })
}

/// One path a line; empty lines and those that begin with `#` are passed over.
pub(super) fn lines(reader: impl BufRead) -> io::Result<Vec<String>> {
    let mut paths = Vec::new();
    for line in each_line(reader) {
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

fn csv(reader: impl io::Read, delimiter: u8) -> Result<Vec<NewRecording>, String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(reader);
    let headers = reader.headers().map_err(|e| e.to_string())?.clone();
    let titles: Vec<&str> = headers.iter().map(|title| title.trim_start_matches('\u{feff}')).collect();
    let empty = Row::of_texts(titles.iter().map(|&title| (title, ""))).map_err(|e| e.to_string())?;
    let column = empty.path_column(|_| true);
    let column = column.ok_or_else(|| format!("no column {}; it has {}", expected(), titles.join(", ")))?;
    let mut recordings = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| e.to_string())?;
        let mut row = Row::of_texts(titles.iter().copied().zip(&record)).map_err(|e| e.to_string())?;
        match row.take(column).and_then(|path| text(&path)).filter(|path| !path.is_empty()) {
            Some(path) => recordings.push(row.recording(path, 0)),
            None => {
                let line = record.position().map_or(0, csv::Position::line);
                return Err(format!("line {line}: the column {column} is empty"));
            }
        }
    }
    Ok(recordings)
}

fn json_lines(reader: impl BufRead) -> Result<Vec<NewRecording>, String> {
    let mut recordings = Vec::new();
    for (index, line) in each_line(reader).enumerate() {
        let (line, number) = (line.map_err(|e| e.to_string())?, index + 1);
        if line.trim().is_empty() {
            continue;
        }
        let mut row = Row::of_json(&line).map_err(|e| format!("line {number}: {e}"))?;
        let column = row.path_column(|value| text(value).is_some()).map(str::to_owned);
        let path = column.and_then(|column| text(&row.take(&column)?));
        let path = path.ok_or_else(|| format!("line {number}: no key {}", expected()))?;
        recordings.push(row.recording(path, 0));
    }
    Ok(recordings)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(recordings: &[NewRecording]) -> Vec<String> {
        recordings.iter().map(|r| format!("{} {}", r.source, r.metadata.as_deref().unwrap_or("-"))).collect()
    }

    #[test]
    fn the_path_column_is_found_by_its_usual_names() {
        let read = |text: &str| csv(text.as_bytes(), b',').map(|recordings| told(&recordings));
        assert_eq!(
            read("id,Path\n1,a.wav\n2,\"b, c.wav\"\n").unwrap(),
            [r#"a.wav {"id":"1"}"#, r#"b, c.wav {"id":"2"}"#]
        );
        assert_eq!(
            read("\u{feff}audio_filepath,Text\nx.flac,\"he said \"\"hi\"\"\"\n").unwrap(),
            [r#"x.flac {"Text":"he said \"hi\""}"#]
        );
        // The first column of pandas has no title.
        assert_eq!(read(",path,path\n0,a,b\n").unwrap(), ["a -"]);
        assert!(read("id,name\n1,a\n").unwrap_err().contains("it has id, name"));
        assert_eq!(read("path,x\n,1\n").unwrap_err(), "line 2: the column path is empty");
        assert!(read("path,x\na\n").unwrap_err().contains("record"));
    }

    #[test]
    fn json_lines_name_the_line_that_is_wrong() {
        let read = |text: &str| json_lines(text.as_bytes()).map(|recordings| told(&recordings));
        let list = "{\"audio_filepath\":\"a.wav\",\"duration\":1.50}\n\n{\"path\":\"b\"}";
        assert_eq!(read(list).unwrap(), [r#"a.wav {"duration":1.50}"#, "b -"]);
        assert!(read("{\"path\":\"a\"}\n{oops").unwrap_err().starts_with("line 2: "));
        assert!(read("{\"text\":\"a\"}").unwrap_err().starts_with("line 1: no key \"source\""));
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let endless = || BufReader::new(io::Read::take(io::repeat(b'a'), 3 * LONGEST_LINE));
        assert!(lines(endless()).unwrap_err().to_string().contains("longer than 16 MB"));
        assert!(json_lines(endless()).unwrap_err().contains("longer than 16 MB"));
        assert_eq!(lines(&b"a\r\n\nb"[..]).unwrap(), ["a", "b"]);
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
