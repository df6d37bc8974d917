//! A file as symphonia reads it: without what it is not to see, seekable for as long as that is wanted, and never read in
//! pieces that no packet has.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use symphonia::core::io::MediaSource;

use super::{matroska_resync::MatroskaResync, sanitize::ByteOverrides};
use crate::MediaRead;

/// Bytes that are asked for at once, at most. Packets are read in pieces that double from 4 MB on, so that one of 28 MB
/// passes; a header may claim any length, and a file may even hold it.
const LONGEST_READ: usize = 16 << 20;

/// Bytes beyond the end that a reader may go to: it may pass over a chunk's last, missing byte, and see then that this is the
/// end.
const BEYOND: u64 = 1 << 20;

/// A file that can be switched to behave as a stream.
pub(super) struct Source {
    input: Box<dyn MediaRead>,
    len: u64,
    /// Where the next byte is read.
    at: u64,
    overrides: ByteOverrides,
    /// Masks damaged regions of a Matroska file.
    resync: Option<MatroskaResync<Box<dyn MediaRead>>>,
    is_stream: Arc<AtomicBool>,
}

impl Source {
    /// A file as `overrides` have it, and what turns it into a stream.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn of(
        mut input: Box<dyn MediaRead>,
        len: u64,
        overrides: ByteOverrides,
    ) -> io::Result<(Self, Arc<AtomicBool>)> {
        let is_stream = Arc::new(AtomicBool::new(false));
        let at = input.seek(SeekFrom::Start(overrides.start))?;
        Ok((Self { input, len, at, overrides, resync: None, is_stream: is_stream.clone() }, is_stream))
    }

    /// Masks the damaged regions that `resync` finds.
    pub fn mask(&mut self, resync: Option<MatroskaResync<Box<dyn MediaRead>>>) {
        self.resync = resync;
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.len() > LONGEST_READ {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a packet, or a header, of an absurd length"));
        }
        let len = self.resync.as_mut().map_or(buf.len(), |resync| resync.check(self.at, buf.len()));
        let read = self.input.read(&mut buf[..len])?;
        self.overrides.apply(self.at, &mut buf[..read]);
        if let Some(resync) = &self.resync {
            resync.apply(self.at, &mut buf[..read]);
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Source {
    /// Places are counted from where the file begins for its reader.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let start = self.overrides.start;
        let place = match to {
            SeekFrom::Start(place) => start.checked_add(place),
            SeekFrom::Current(delta) => self.at.checked_add_signed(delta),
            SeekFrom::End(delta) => self.len.checked_add_signed(delta),
        };
        // Far beyond the end is where a header leads that lies. The system would call it an error of the disk's.
        let place = place.filter(|&place| (start..=self.len.saturating_add(BEYOND)).contains(&place));
        let place = place.ok_or(io::ErrorKind::InvalidInput)?;
        self.at = self.input.seek(SeekFrom::Start(place))?;
        Ok(self.at - start)
    }
}

impl MediaSource for Source {
    fn is_seekable(&self) -> bool {
        !self.is_stream.load(Relaxed)
    }

    fn byte_len(&self) -> Option<u64> {
        self.is_seekable().then(|| self.len.saturating_sub(self.overrides.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_becomes_a_stream_and_is_read_in_pieces() {
        let input = Box::new(io::Cursor::new(b"a sound"));
        let overrides = ByteOverrides { start: 2, ..ByteOverrides::default() };
        let (mut source, is_stream) = Source::of(input, 7, overrides).unwrap();
        assert_eq!((source.is_seekable(), source.byte_len()), (true, Some(5)));
        is_stream.store(true, Relaxed);
        assert_eq!((source.is_seekable(), source.byte_len()), (false, None));
        assert!(source.read(&mut vec![0; LONGEST_READ + 1]).is_err());
        let mut bytes = [0; 9];
        assert_eq!(source.read(&mut bytes).unwrap(), 5);
        assert!(bytes.starts_with(b"sound"));
        assert_eq!(source.seek(SeekFrom::Current(-4)).unwrap(), 1);
        assert_eq!(source.seek(SeekFrom::End(-5)).unwrap(), 0);
        assert!(source.seek(SeekFrom::End(-6)).is_err(), "before its beginning");
    }
}
