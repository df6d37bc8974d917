//! A buffer over a stream that grows on request.

use std::io::{self, Read};

use symphonia::core::io::MediaSourceStream;

/// Bytes that are read at once.
const STEP: usize = 32 << 10;

/// A part of a stream in memory. [`ByteWindow::fill`] extends it.
pub(super) struct ByteWindow<'s> {
    source: MediaSourceStream<'s>,
    buffer: Vec<u8>,
    /// The index of the window's first byte in the buffer.
    head: usize,
    has_ended: bool,
}

impl<'s> ByteWindow<'s> {
    /// An empty window at the position of `source`.
    pub fn new(source: MediaSourceStream<'s>) -> Self {
        Self { source, buffer: Vec::new(), head: 0, has_ended: false }
    }

    /// Reads until the window has `len` bytes, or the stream ends.
    pub fn fill(&mut self, len: usize) -> io::Result<()> {
        while self.bytes().len() < len && !self.has_ended {
            if self.head >= STEP.max(self.buffer.len() / 2) {
                self.buffer.drain(..std::mem::take(&mut self.head));
            }
            let filled = self.buffer.len();
            self.buffer.resize(filled + STEP, 0);
            let read = self.source.read(&mut self.buffer[filled..]);
            self.buffer.truncate(filled + read.as_ref().map_or(0, |&read| read));
            match read {
                Ok(0) => self.has_ended = true,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.has_ended = true,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The bytes in the window.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.head..]
    }

    /// Whether the stream ends with the window.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Removes `len` bytes from the beginning of the window.
    pub fn consume(&mut self, len: usize) {
        self.head = (self.head + len).min(self.buffer.len());
    }

    /// The stream. Its position is undefined.
    pub fn into_inner(self) -> MediaSourceStream<'s> {
        self.source
    }
}
