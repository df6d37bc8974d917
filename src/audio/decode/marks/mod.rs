//! What symphonia is not to see of a file.
//!
//! It reads pictures, attachments, comments and the tables of films whole before the first sample, whatever they weigh.
//! Nobody asks for them here. So their marks (a chunk's name, an element's number) are seen as those of something that every
//! reader passes by; no byte moves. What has to be read, and would take more time or memory than a recording may, is refused.

mod chunks;
mod elements;
mod movie;
mod tags;

use std::{fs::File, io, path::Path};

use super::read_at;
use crate::audio::AudioError;

/// Bytes that are seen as others, at most: each costs time before the first sample.
const MOST: usize = 20_000;

/// Places in a file, and the bytes that are seen there.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    /// Where the file begins, after the tags before it.
    pub start: u64,
    /// Whether its sound ends before its header has it.
    pub is_cut_off: bool,
    /// In order.
    pub places: Vec<(u64, u8)>,
}

impl Marks {
    /// Looks through the file at `path`.
    ///
    /// # Errors
    /// [`AudioError::ImplausibleHeader`] for what no recorder writes.
    pub fn of(path: &Path) -> Result<Self, AudioError> {
        let unreadable = |error| AudioError::from_io(error, path);
        let file = File::open(path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        let mut marks = Self { start: tags::end(&file, len).map_err(unreadable)?, ..Self::default() };
        let mut head = [0; 12];
        let read = read_at(&file, marks.start, &mut head).map_err(unreadable)?;
        match &head[..read] {
            [b'f', b'L', b'a', b'C', ..] => chunks::flac(&file, &mut marks).map_err(unreadable)?,
            [b'R', b'I', b'F', b'F', ..] => chunks::all(&file, len, chunks::Kind::Riff, &mut marks)?,
            [b'F', b'O', b'R', b'M', ..] => chunks::all(&file, len, chunks::Kind::Iff, &mut marks)?,
            [b'c', b'a', b'f', b'f', ..] => chunks::all(&file, len, chunks::Kind::Caf, &mut marks)?,
            [0x1A, 0x45, 0xDF, 0xA3, ..] => elements::all(file, len, &mut marks)?,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => movie::all(file, len, &mut marks)?,
            _ => {}
        }
        if marks.places.len() > MOST {
            return Err(AudioError::ImplausibleHeader("thousands of chunks that are no sound".into()));
        }
        marks.places.sort_unstable();
        Ok(marks)
    }

    /// Lets `seen` be seen from `at` on; `false` where that is enough.
    fn put(&mut self, at: u64, seen: &[u8]) -> bool {
        self.places.extend((at..).zip(seen.iter().copied()));
        self.places.len() <= MOST
    }

    /// Puts the marks into `bytes`, which were read from `at` on.
    pub fn apply(&self, at: u64, bytes: &mut [u8]) {
        let from = self.places.partition_point(|&(place, _)| place < at);
        for &(place, seen) in &self.places[from..] {
            match bytes.get_mut((place - at) as usize) {
                Some(byte) => *byte = seen,
                None => break,
            }
        }
    }
}

/// A header that is refused.
fn implausible<T>(what: String) -> Result<T, AudioError> {
    Err(AudioError::ImplausibleHeader(what))
}

/// Reads `N` bytes at `at`; none beyond the end.
fn bytes<const N: usize>(file: &File, at: u64) -> io::Result<Option<[u8; N]>> {
    let mut bytes = [0; N];
    Ok((read_at(file, at, &mut bytes)? == N).then_some(bytes))
}
