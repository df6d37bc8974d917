//! A buffer over the part of a source around the current frame.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::{MediaSource, MediaSourceStream, ReadBytes};

/// Bytes that are read at once.
const CHUNK: usize = 32 << 10;

/// A source, and the buffered bytes at the current position.
pub(super) struct Window<'s> {
    source: MediaSourceStream<'s>,
    buffer: Vec<u8>,
    /// The index of the current position in `buffer`.
    at: usize,
    /// The current position in the source.
    position: u64,
    is_at_end: bool,
}

impl<'s> Window<'s> {
    /// A window at the position of `source`.
    pub fn new(source: MediaSourceStream<'s>) -> Self {
        let position = source.pos();
        Self { source, buffer: Vec::new(), at: 0, position, is_at_end: false }
    }

    /// The buffered bytes from the current position on.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Whether the source ends after [`Window::bytes`].
    pub fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// Length of the source; `None` if it cannot seek.
    pub fn source_len(&self) -> Option<u64> {
        self.source.byte_len().filter(|_| self.source.is_seekable())
    }

    /// Reads until `len` bytes are buffered, or the source ends.
    #[inline]
    pub fn fill(&mut self, len: usize) -> io::Result<()> {
        if self.bytes().len() >= len || self.is_at_end { Ok(()) } else { self.read(len) }
    }

    #[cold]
    fn read(&mut self, len: usize) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        while self.buffer.len() < len {
            let old = self.buffer.len();
            self.buffer.resize(old + CHUNK, 0);
            let read = self.source.read(self.buffer.get_mut(old..).unwrap_or_default());
            self.buffer.truncate(old + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                self.is_at_end = true;
                break;
            }
        }
        Ok(())
    }

    /// Moves the current position forward within the buffer.
    #[inline]
    pub fn consume(&mut self, len: usize) {
        let len = len.min(self.bytes().len());
        self.at += len;
        self.position += len as u64;
    }

    /// Moves the current position to `position`, which must not lie behind it if the source cannot seek.
    pub fn jump(&mut self, position: u64) -> io::Result<()> {
        let ahead = position.checked_sub(self.position);
        match ahead {
            Some(ahead) if ahead <= self.bytes().len() as u64 => self.consume(ahead as usize),
            Some(ahead) if !self.source.is_seekable() => {
                self.source.ignore_bytes(ahead - self.bytes().len() as u64)?;
                self.restart(position);
            }
            _ => {
                self.source.seek(SeekFrom::Start(position))?;
                self.restart(position);
            }
        }
        Ok(())
    }

    fn restart(&mut self, position: u64) {
        self.buffer.clear();
        (self.at, self.position, self.is_at_end) = (0, position, false);
    }

    pub fn into_inner(self) -> MediaSourceStream<'s> {
        self.source
    }
}
