//! The content of a worker's lock file: its name, and which recordings it is working on.
//!
//! A process that dies leaves the file as it is. The process that takes its recordings back reads there which of them it
//! had begun. Only these can have caused its death. Nothing is synced: if the machine itself goes down, it is not known what
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

/// The worker's name, and id and token of each recording that it was working on. `None` stands for a file without slots:
/// its worker does not record what it works on.
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
    /// Begins to record in the file of `worker`, which holds its name so far.
    pub fn begin(file: Arc<File>, worker: &str) -> Self {
        let slots = Self { file: Mutex::new(file), head: worker.len() as u64 + 1 };
        slots.write(worker.len() as u64, "\n");
        slots
    }

    fn write_slot(&self, slot: usize, id: i64, token: i64) {
        let mut line = String::with_capacity(LINE);
        let _ = writeln!(line, "{id:020} {token:020}"); // writing to a String does not fail
        self.write(self.head + (slot * LINE) as u64, &line);
    }

    fn write(&self, position: u64, text: &str) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = &**file;
        if let Err(error) = file.seek(SeekFrom::Start(position)).and_then(|_| file.write_all(text.as_bytes())) {
            tracing::debug!(%error, "not recorded which recording is begun");
        }
    }
}

impl WorkRecord for SlotFile {
    fn begin(&self, slot: usize, key: &ClaimKey) {
        self.write_slot(slot, key.id, key.token);
    }

    fn end(&self, slot: usize) {
        self.write_slot(slot, 0, 0);
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
        file.write_all(b"host-1").unwrap();
        let read = || parse(&std::fs::read(&path).unwrap());
        assert_eq!(read(), ("host-1".to_owned(), None));
        let slots = SlotFile::begin(Arc::new(file), "host-1");
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
    fn damaged_slots_are_empty() {
        assert_eq!(parse(b"").1, None);
        assert_eq!(parse(b"host-1\n12 nonsense"), ("host-1".to_owned(), Some(vec![])));
    }
}
