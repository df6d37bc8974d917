//! Lists of recordings: plain text, CSV with a header, JSON lines.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use super::{
    SourceError, delimiter,
    error::End,
    list_row::{Row, expected, text},
};
use crate::store::NewRecording;

/// Takes the recordings of a list one by one, their paths as they are written there. It may end the reading.
pub(super) type Receiver<'a> = dyn FnMut(NewRecording) -> Result<(), End> + 'a;

/// The kind of a list, which its name shows.
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

    /// Reads the list and passes on its recordings.
    pub fn read(self, path: &Path, receive: &mut Receiver) -> Result<(), End> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| SourceError::Read(name.clone(), e))?;
        let reader = BufReader::new(file);
        match self {
            Self::Text => lines(reader, &name, receive),
            Self::Csv => csv(reader, path, &name, receive),
            Self::JsonLines => json_lines(reader, &name, receive),
        }
    }
}

/// Most bytes of a line: a device, or a recording with a list's name, may have no end of a line at all.
const LONGEST_LINE: u64 = 16 << 20;

/// What some editors and spreadsheets write in front of UTF-8 text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Reads a line with its end; `None` after the last.
fn line(mut reader: impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    match Read::take(&mut reader, LONGEST_LINE).read_line(&mut line)? {
        0 => Ok(None),
        len if len as u64 == LONGEST_LINE && !line.ends_with('\n') => {
            let cause = format!("a line is longer than {} MB; is this a list?", LONGEST_LINE >> 20);
            Err(io::Error::new(io::ErrorKind::InvalidData, cause))
        }
        _ => Ok(Some(line)),
    }
}

/// The lines of a list, without their ends and without a byte order mark.
fn each_line(mut reader: impl BufRead) -> impl Iterator<Item = io::Result<String>> {
    let mut is_first = true;
    std::iter::from_fn(move || {
        let line = line(&mut reader).transpose()?;
        let mark = std::mem::take(&mut is_first);
        Some(line.map(|line| {
            let text = line.trim_end_matches('\n').trim_end_matches('\r');
            if mark { text.trim_start_matches(BYTE_ORDER_MARK) } else { text }.to_owned()
        }))
    })
}

/// One path a line. Empty lines and those that begin with `#` are skipped.
pub(super) fn lines(reader: impl BufRead, name: &str, receive: &mut Receiver) -> Result<(), End> {
    for line in each_line(reader) {
        let line = line.map_err(|e| SourceError::Read(name.to_owned(), e))?;
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            receive(line.into())?;
        }
    }
    Ok(())
}

/// A table with a header.
fn csv(mut reader: impl BufRead, path: &Path, name: &str, receive: &mut Receiver) -> Result<(), End> {
    let wrong = |cause: String| SourceError::List(name.to_owned(), cause);
    let unreadable = |e| SourceError::Read(name.to_owned(), e);
    let first = line(&mut reader).map_err(unreadable)?.unwrap_or_default();
    let first = first.trim_start_matches(BYTE_ORDER_MARK);
    let (delimiter, first, lines_before) = match delimiter::stated(first) {
        Some(delimiter) => (delimiter, "", 1),
        None => (delimiter::of(path, first), first, 0),
    };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(first.as_bytes().chain(reader));
    let titles = reader.headers().map_err(|e| wrong(e.to_string()))?.clone();
    let empty = Row::of_texts(titles.iter().map(|title| (title, ""))).map_err(|e| wrong(e.to_string()))?;
    let Some(column) = empty.path_column(|_| true) else {
        let titles: Vec<&str> = titles.iter().collect();
        return Err(wrong(format!("no column {}; it has {}", expected(), titles.join(", "))).into());
    };
    for record in reader.records() {
        let record = record.map_err(|e| wrong(e.to_string()))?;
        let mut row = Row::of_texts(titles.iter().zip(&record)).map_err(|e| wrong(e.to_string()))?;
        match row.take(column).and_then(|path| text(&path)).filter(|path| !path.is_empty()) {
            Some(path) => receive(row.recording(path, 0))?,
            None => {
                let line = record.position().map_or(0, csv::Position::line) + lines_before;
                return Err(wrong(format!("line {line}: the column {column} is empty")).into());
            }
        }
    }
    Ok(())
}

fn json_lines(reader: impl BufRead, name: &str, receive: &mut Receiver) -> Result<(), End> {
    let wrong = |cause: String| SourceError::List(name.to_owned(), cause);
    for (index, line) in each_line(reader).enumerate() {
        let (line, number) = (line.map_err(|e| wrong(e.to_string()))?, index + 1);
        if line.trim().is_empty() {
            continue;
        }
        let mut row = Row::of_json(&line).map_err(|e| wrong(format!("line {number}: {e}")))?;
        let column = row.path_column(|value| text(value).is_some()).map(str::to_owned);
        let path = column.and_then(|column| text(&row.take(&column)?));
        let path = path.ok_or_else(|| wrong(format!("line {number}: no key {}", expected())))?;
        let part = row.part().map_err(|cause| wrong(format!("line {number}: {cause}")))?;
        let path = part.map_or(path.clone(), |part| part.source(&path));
        receive(row.recording(path, 0))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Read<'a> = &'a dyn Fn(&mut Receiver) -> Result<(), End>;

    /// Each recording's source and metadata.
    fn recordings(read: Read) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let mut receive = |r: NewRecording| {
            found.push(format!("{} {}", r.source, r.metadata.as_deref().unwrap_or("-")));
            Ok(())
        };
        read(&mut receive).map_err(|end| match end {
            End::Failed(error) => error.to_string(),
            End::Received => "ended".to_owned(),
        })?;
        Ok(found)
    }

    fn read_csv(text: &str) -> Result<Vec<String>, String> {
        recordings(&|receive| csv(text.as_bytes(), Path::new("list.csv"), "list.csv", receive))
    }

    fn read_json_lines(text: &str) -> Result<Vec<String>, String> {
        recordings(&|receive| json_lines(text.as_bytes(), "list.jsonl", receive))
    }

    fn read_lines(reader: impl BufRead + Clone) -> Result<Vec<String>, String> {
        recordings(&|receive| lines(reader.clone(), "list.txt", receive))
    }

    #[test]
    fn the_path_column_is_found_by_its_usual_names() {
        assert_eq!(
            read_csv("id,Path\n1,a.wav\n2,\"b, c.wav\"\n").unwrap(),
            [r#"a.wav {"id":"1"}"#, r#"b, c.wav {"id":"2"}"#]
        );
        assert_eq!(
            read_csv("\u{feff}audio_filepath,Text\nx.flac,\"he said \"\"hi\"\"\"\n").unwrap(),
            [r#"x.flac {"Text":"he said \"hi\""}"#]
        );
        // The first column of pandas has no title.
        assert_eq!(read_csv(",path,path\n0,a,b\n").unwrap(), ["a -"]);
        assert!(read_csv("id,name\n1,a\n").unwrap_err().contains("it has id, name"));
        assert_eq!(read_csv("path,x\n,1\n").unwrap_err(), "list.csv: line 2: the column path is empty");
        assert!(read_csv("path,x\na\n").unwrap_err().contains("record"));
        assert!(read_csv("").unwrap_err().contains("no column"));
    }

    #[test]
    fn tables_of_spreadsheets_are_read() {
        let rows = [r#"a.wav {"Text":"1,5"}"#];
        for text in [
            "path;Text\na.wav;1,5\n",
            "\u{feff}path;Text\r\na.wav;1,5\r\n",
            "sep=;\npath;Text\na.wav;1,5\n",
            "\u{feff}sep=;\r\n\"path\";\"Text\"\r\n\"a.wav\";\"1,5\"\r\n",
            "path\tText\na.wav\t1,5\n",
        ] {
            assert_eq!(read_csv(text).unwrap(), rows, "{text:?}");
        }
        assert_eq!(read_csv("sep=;\npath;x\n;1\n").unwrap_err(), "list.csv: line 3: the column path is empty");
    }

    #[test]
    fn json_lines_name_the_line_that_is_wrong() {
        let list = "\u{feff}{\"audio_filepath\":\"a.wav\",\"duration\":1.50}\n\n{\"path\":\"b\"}";
        assert_eq!(read_json_lines(list).unwrap(), [r#"a.wav {"duration":1.50}"#, "b -"]);
        assert!(read_json_lines("{\"path\":\"a\"}\n{oops").unwrap_err().starts_with("list.jsonl: line 2: "));
        let of_nemo = "{\"audio_filepath\":\"a\",\"offset\":12.5,\"duration\":4.75}\n{\"path\":\"b\",\"offset\":0}";
        assert_eq!(
            read_json_lines(of_nemo).unwrap(),
            [r#"a#t=12.5,17.25 {"duration":4.75,"offset":12.5}"#, r#"b#t=0 {"offset":0}"#]
        );
        for (row, cause) in [
            (r#"{"path":"a","offset":-1}"#, "line 1: offset -1 are no span"),
            (r#"{"path":"a","offset":1,"duration":0}"#, "line 1: offset 1 and duration 0 are no span"),
            (r#"{"path":"a","offset":"x"}"#, "line 1: offset holds \"x\", which is no number"),
        ] {
            assert!(read_json_lines(row).unwrap_err().contains(cause), "{row}");
        }
        assert!(read_json_lines("{\"text\":\"a\"}").unwrap_err().contains("line 1: no key \"source\""));
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let endless = vec![b'a'; 3 * LONGEST_LINE as usize];
        for read in [
            read_lines(&endless[..]),
            recordings(&|receive| json_lines(&endless[..], "list", receive)),
            recordings(&|receive| csv(&endless[..], Path::new("a.csv"), "list", receive)),
        ] {
            assert!(read.unwrap_err().contains("longer than 16 MB"));
        }
        assert_eq!(read_lines(&b"\xef\xbb\xbfa\r\n\n# no\nb"[..]).unwrap(), ["a -", "b -"]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut receive = |_| Ok(());
            let _ = lines(&bytes[..], "list", &mut receive);
            let _ = csv(&bytes[..], Path::new("list.csv"), "list", &mut receive);
            let _ = json_lines(&bytes[..], "list", &mut receive);
        }
    }
}
