//! Lines in order of their bytes, for any number of lines.
//!
//! Lines are collected in memory. Each time they reach a limit, they are sorted and written to a temporary file, and at
//! the end these files are merged. The order is that of `LC_ALL=C sort`.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{self, BufRead, BufReader, BufWriter, Seek, Write},
};

/// Bytes of lines to sort in memory. A Kaldi folder has several such lists.
const LIMIT: usize = 4 << 20;

/// Collects lines and returns them in order.
#[derive(Debug, Default)]
pub(super) struct SortedLines {
    lines: Vec<String>,
    bytes: usize,
    /// Sorted lines, each file a run of them. They have no names, so that nothing is left if the process dies.
    runs: Vec<std::fs::File>,
}

impl SortedLines {
    /// Adds a line, without its line break.
    pub fn add(&mut self, line: String) -> io::Result<()> {
        self.add_with_limit(line, LIMIT)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.runs.is_empty()
    }

    fn add_with_limit(&mut self, line: String, limit: usize) -> io::Result<()> {
        self.bytes += line.len() + size_of::<String>();
        self.lines.push(line);
        if self.bytes >= limit { self.write_run() } else { Ok(()) }
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.lines.sort_unstable();
        let mut writer = BufWriter::new(tempfile::tempfile()?);
        for line in self.lines.drain(..) {
            writeln!(writer, "{line}")?;
        }
        self.bytes = 0;
        self.runs.push(writer.into_inner().map_err(io::IntoInnerError::into_error)?);
        Ok(())
    }

    /// Passes all lines in order to `each`.
    pub fn drain<E: From<io::Error>>(&mut self, mut each: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        self.lines.sort_unstable();
        let mut runs: Vec<Box<dyn Iterator<Item = io::Result<String>>>> =
            vec![Box::new(std::mem::take(&mut self.lines).into_iter().map(Ok))];
        for mut run in self.runs.drain(..) {
            run.rewind()?;
            runs.push(Box::new(BufReader::new(run).lines()));
        }
        let mut heads = BinaryHeap::new();
        for (index, run) in runs.iter_mut().enumerate() {
            if let Some(line) = run.next().transpose()? {
                heads.push(Reverse((line, index)));
            }
        }
        while let Some(Reverse((line, index))) = heads.pop() {
            each(&line)?;
            if let Some(next) = runs[index].next().transpose()? {
                heads.push(Reverse((next, index)));
            }
        }
        self.bytes = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_come_in_order_of_their_bytes(mut lines in prop::collection::vec("[a-c\u{e4}\u{1f600} -]{0,6}", 0..200)) {
            let mut sorted = SortedLines::default();
            for line in &lines {
                sorted.add_with_limit(line.clone(), 300).unwrap();
            }
            let mut got = Vec::new();
            sorted.drain(|line| { got.push(line.to_owned()); io::Result::Ok(()) }).unwrap();
            lines.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
            prop_assert_eq!(got, lines);
        }
    }
}
