//! The part of a recording that a segment may still need, as it will be written.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use crate::audio::Sample;

/// Samples that are read back from the disk at once.
const READ: usize = 1 << 16;

/// The last part of the recording. Positions count samples, interleaved ones each by itself.
pub(super) struct Tape<S> {
    samples: Vec<S>,
    /// Position of the first of them in the recording.
    first: u64,
    /// How many samples at the front are no longer needed. They go when they are the larger part, so that each sample
    /// is moved at most once on average.
    stale: usize,
    /// What comes before them and is needed still.
    spool: Option<Spool>,
    /// Samples that are kept in memory.
    in_memory: usize,
    /// Where a spool is made.
    folder: PathBuf,
}

/// Samples on the disk, in a file that has no name and goes with this value or with the process.
struct Spool {
    file: File,
    /// Position of its first sample in the recording.
    first: u64,
}

impl<S: Sample> Tape<S>
where
    [S]: ToOwned<Owned = Vec<S>>,
{
    /// A tape that keeps about so many bytes in memory, and what does not fit in a file within `folder`.
    pub fn new(folder: PathBuf, bytes: usize) -> Self {
        let in_memory = (bytes / size_of::<S>()).max(1);
        Self { samples: Vec::new(), first: 0, stale: 0, spool: None, in_memory, folder }
    }

    /// Records the next samples.
    pub fn record(&mut self, samples: impl Iterator<Item = S>) -> io::Result<()> {
        self.samples.extend(samples);
        if self.samples.len() - self.stale > self.in_memory { self.spill() } else { Ok(()) }
    }

    /// The samples from `start` to before `end`, in blocks.
    pub fn play(&self, start: u64, end: u64) -> impl Iterator<Item = io::Result<Cow<'_, [S]>>> {
        let from_disk = start.min(self.first)..end.min(self.first);
        let in_memory = start.max(self.first)..end.max(self.first);
        let blocks = from_disk.clone().step_by(READ).map(move |at| {
            let Some(spool) = &self.spool else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            spool.read(at, (from_disk.end - at).min(READ as u64) as usize).map(Cow::Owned)
        });
        let rest = &self.samples[(in_memory.start - self.first) as usize..(in_memory.end - self.first) as usize];
        blocks.chain((!rest.is_empty()).then_some(Ok(Cow::Borrowed(rest))))
    }

    /// Position of what comes next.
    pub fn end(&self) -> u64 {
        self.first + self.samples.len() as u64
    }

    /// Nothing before `position` is asked for any more.
    pub fn forget_before(&mut self, position: u64) {
        if position >= self.first {
            self.spool = None;
        }
        self.stale = (position.saturating_sub(self.first) as usize).min(self.samples.len());
        if self.stale * 2 > self.samples.len() {
            self.samples.drain(..self.stale);
            self.first += self.stale as u64;
            self.stale = 0;
        }
    }

    /// Moves what is in memory and still needed to the disk.
    fn spill(&mut self) -> io::Result<()> {
        let first = self.first + self.stale as u64;
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none => none.insert(Spool { file: tempfile::tempfile_in(&self.folder)?, first }),
        };
        spool.file.seek(SeekFrom::End(0))?;
        let mut file = io::BufWriter::with_capacity(1 << 16, &spool.file);
        self.samples[self.stale..].iter().try_for_each(|sample| file.write_all(sample.to_bytes().as_ref()))?;
        file.flush()?;
        drop(file);
        self.first += self.samples.len() as u64;
        self.samples.clear();
        self.stale = 0;
        Ok(())
    }
}

impl Spool {
    fn read<S: Sample>(&self, at: u64, len: usize) -> io::Result<Vec<S>> {
        let mut bytes = vec![0; size_of::<S>() * len];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(size_of::<S>() as u64 * (at - self.first)))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes.chunks_exact(size_of::<S>()).map(S::from_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(n: u64) -> i16 {
        (n * 7919 % 60_000) as i16
    }

    proptest! {
        /// Whatever is kept where, the tape plays what was recorded, and stays short in memory.
        #[test]
        fn the_tape_plays_what_was_recorded(
            steps in prop::collection::vec((1u64..400, 0u64..3000, prop::bool::ANY), 1..60),
            in_memory in 100usize..2000,
        ) {
            let mut tape = Tape::new(std::env::temp_dir(), 2 * in_memory);
            let (mut end, mut needed) = (0, 0);
            for (len, back, forget) in steps {
                tape.record((end..end + len).map(value)).unwrap();
                end += len;
                prop_assert_eq!(tape.end(), end);
                if forget {
                    needed = needed.max(end.saturating_sub(back));
                    tape.forget_before(needed);
                }
                prop_assert!(tape.samples.len() <= 2 * in_memory + 800);
                let start = needed + (end - needed) / 3;
                for (from, to) in [(needed, end), (start, end), (needed, start), (start, start)] {
                    let played: Vec<i16> = tape.play(from, to).flat_map(|block| block.unwrap().into_owned()).collect();
                    prop_assert!(played.into_iter().eq((from..to).map(value)));
                }
            }
        }
    }
}
