//! The last part of a recording, as long as an open segment may need it. What does not fit into memory goes to the disk.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

use prepare_audio_media::Sample;

/// Samples that are read back from the disk at once.
const READ_LEN: usize = 1 << 16;

/// A queue of samples that can be read at any position. Positions count samples from the recording's beginning;
/// interleaved samples count one by one.
pub(crate) struct SampleBuffer<S> {
    samples: Vec<S>,
    /// Position of the first of `samples` in the recording.
    first: u64,
    /// Samples at the front of `samples` that are no longer needed. They are removed when they are the larger part, so
    /// that each sample is moved at most once on average.
    stale: usize,
    /// Samples before `first` that are still needed.
    spill: Option<SpillFile>,
    /// How many samples are kept in memory.
    in_memory: usize,
    /// Where a spill file is made.
    folder: PathBuf,
}

/// Samples on the disk, in an unnamed file that disappears with this value or with the process.
struct SpillFile {
    file: File,
    /// Position of its first sample in the recording.
    first: u64,
}

impl<S: Sample> SampleBuffer<S>
where
    [S]: ToOwned<Owned = Vec<S>>,
{
    /// A buffer that keeps about `bytes` bytes in memory and the rest in a file within `folder`.
    pub fn new(folder: PathBuf, bytes: usize) -> Self {
        let in_memory = (bytes / size_of::<S>()).max(1);
        Self { samples: Vec::new(), first: 0, stale: 0, spill: None, in_memory, folder }
    }

    /// Appends samples.
    pub fn push(&mut self, samples: impl Iterator<Item = S>) -> io::Result<()> {
        self.samples.extend(samples);
        if self.samples.len() - self.stale > self.in_memory { self.spill() } else { Ok(()) }
    }

    /// The samples from `start` to before `end`, in blocks.
    pub fn read(&self, start: u64, end: u64) -> impl Iterator<Item = io::Result<Cow<'_, [S]>>> {
        let on_disk = start.min(self.first)..end.min(self.first);
        let in_memory = start.max(self.first)..end.max(self.first);
        let blocks = on_disk.clone().step_by(READ_LEN).map(move |at| {
            let Some(spill) = &self.spill else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            spill.read(at, (on_disk.end - at).min(READ_LEN as u64) as usize).map(Cow::Owned)
        });
        let rest = &self.samples[(in_memory.start - self.first) as usize..(in_memory.end - self.first) as usize];
        blocks.chain((!rest.is_empty()).then_some(Ok(Cow::Borrowed(rest))))
    }

    /// Position of the sample that is appended next.
    pub fn end(&self) -> u64 {
        self.first + self.samples.len() as u64
    }

    /// Discards what lies before `position`; it is not read again.
    pub fn discard_before(&mut self, position: u64) {
        if position >= self.first {
            self.spill = None;
        }
        self.stale = (position.saturating_sub(self.first) as usize).min(self.samples.len());
        if self.stale * 2 > self.samples.len() {
            self.samples.drain(..self.stale);
            self.first += self.stale as u64;
            self.stale = 0;
        }
    }

    /// Moves the samples in memory that are still needed to the disk.
    fn spill(&mut self) -> io::Result<()> {
        let first = self.first + self.stale as u64;
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(SpillFile { file: tempfile::tempfile_in(&self.folder)?, first }),
        };
        spill.file.seek(SeekFrom::End(0))?;
        let mut file = io::BufWriter::with_capacity(1 << 16, &spill.file);
        self.samples[self.stale..].iter().try_for_each(|sample| file.write_all(sample.to_bytes().as_ref()))?;
        file.flush()?;
        drop(file);
        self.first += self.samples.len() as u64;
        self.samples.clear();
        self.stale = 0;
        Ok(())
    }
}

impl SpillFile {
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
        /// Wherever samples are kept, they are read as they were pushed, and memory stays bounded.
        #[test]
        fn reads_what_was_pushed(
            steps in prop::collection::vec((1u64..400, 0u64..3000, prop::bool::ANY), 1..60),
            in_memory in 100usize..2000,
        ) {
            let mut buffer = SampleBuffer::new(std::env::temp_dir(), 2 * in_memory);
            let (mut end, mut needed) = (0, 0);
            for (len, back, discard) in steps {
                buffer.push((end..end + len).map(value)).unwrap();
                end += len;
                prop_assert_eq!(buffer.end(), end);
                if discard {
                    needed = needed.max(end.saturating_sub(back));
                    buffer.discard_before(needed);
                }
                prop_assert!(buffer.samples.len() <= 2 * in_memory + 800);
                let start = needed + (end - needed) / 3;
                for (from, to) in [(needed, end), (start, end), (needed, start), (start, start)] {
                    let read: Vec<i16> = buffer.read(from, to).flat_map(|block| block.unwrap().into_owned()).collect();
                    prop_assert!(read.into_iter().eq((from..to).map(value)));
                }
            }
        }
    }
}
