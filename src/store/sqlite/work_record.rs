//! The content of a worker's lock file: its name, and which recordings it is working on.
//!
//! A process that dies leaves the file as it is, and whoever takes its recordings back reads there which of them it had
//! begun. Only these can have caused its death. Nothing is synced: if the machine itself goes down, it is not known what
//! was begun, and no recording caused that.
//!
//! The first line is the name. Each line after it is a slot: id and token of a claim, in 20 digits each, or zeros.

use std::{
    fmt::Write as _,
    fs::File,
    io::{Seek, SeekFrom, Write},
    sync::{Arc, Mutex, PoisonError},
};

use crate::store::{ClaimKey, WorkRecord};

/// Length of a slot's line in bytes.
const LINE: usize = 42;

/// The slots of a worker's file.
pub struct SlotFile {
    file: Mutex<Arc<File>>,
    /// Length of the first line.
    head: u64,
}

/// The first line of the file of `worker`.
pub fn head(worker: &str) -> String {
    format!("{worker}\n")
}

/// The worker's name, and id and token of each recording that it was working on. `None` stands for a file without
/// slots, as earlier versions wrote it.
pub fn parse(content: &[u8]) -> (String, Option<Vec<(i64, i64)>>) {
    let end = content.iter().position(|&byte| byte == b'\n');
    let name = String::from_utf8_lossy(&content[..end.unwrap_or(content.len())]).into_owned();
    let slots = end.map(|end| content[end + 1..].chunks(LINE).filter_map(slot).collect());
    (name, slots)
}

fn slot(line: &[u8]) -> Option<(i64, i64)> {
    let mut numbers = std::str::from_utf8(line).ok()?.split_ascii_whitespace().map(|number| number.parse().ok());
    let (id, token) = (numbers.next()??, numbers.next()??);
    (id != 0).then_some((id, token))
}

impl SlotFile {
    pub fn new(file: Arc<File>, worker: &str) -> Self {
        Self { file: Mutex::new(file), head: head(worker).len() as u64 }
    }

    fn write(&self, slot: usize, id: i64, token: i64) {
        let mut line = String::with_capacity(LINE);
        let _ = writeln!(line, "{id:020} {token:020}"); // writing to a String does not fail
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = &**file;
        let position = SeekFrom::Start(self.head + (slot * LINE) as u64);
        if let Err(error) = file.seek(position).and_then(|_| file.write_all(line.as_bytes())) {
            tracing::debug!(%error, "not recorded which recording is begun");
        }
    }
}

impl WorkRecord for SlotFile {
    fn begin(&self, slot: usize, key: &ClaimKey) {
        self.write(slot, key.id, key.token);
    }

    fn end(&self, slot: usize) {
        self.write(slot, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_workers_slots_are_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host-1.lock");
        let mut file = File::create_new(&path).unwrap();
        file.write_all(head("host-1").as_bytes()).unwrap();
        let slots = SlotFile::new(Arc::new(file), "host-1");
        let read = || parse(&std::fs::read(&path).unwrap());
        assert_eq!(read(), ("host-1".to_owned(), Some(vec![])));
        let key = |id| ClaimKey { id, token: 7, claim_id: String::new() };
        slots.begin(2, &key(i64::MAX)); // slots 0 and 1 are a hole in the file
        assert_eq!(read().1, Some(vec![(i64::MAX, 7)]));
        slots.begin(0, &key(5));
        slots.begin(2, &key(6));
        assert_eq!(read().1, Some(vec![(5, 7), (6, 7)]));
        slots.end(0);
        assert_eq!(read().1, Some(vec![(6, 7)]));
    }

    #[test]
    fn a_file_of_an_earlier_version_says_nothing_about_its_work() {
        assert_eq!(parse(b"host-1"), ("host-1".to_owned(), None));
        assert_eq!(parse(b"").1, None);
        assert_eq!(parse(b"host-1\n12 nonsense"), ("host-1".to_owned(), Some(vec![])));
    }
}
