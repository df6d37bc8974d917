//! Limits the packets that a demuxer may return to what a file of its length can hold.
//!
//! The sample tables of a small MP4 file may name the same bytes a million times, or four billion empty packets. A chain of
//! Ogg streams may have thousands of headers without audio. The reader would run for days. In a well-formed file each byte
//! is in one packet.

use std::io;

use symphonia::core::{
    errors::{Error, Result},
    formats::{Attachment, FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track},
    io::MediaSourceStream,
    meta::{ChapterGroup, Metadata},
    packet::Packet,
};

use super::{panic_guard::guard, sanitize::End};

/// Packets that every file may have, even a short one.
const PACKETS_AT_LEAST: u64 = 10_000;

/// Chained streams that every file may have, and the mean bytes of each further one: its headers alone have some hundred.
const STREAMS_AT_LEAST: u64 = 100;
const BYTES_OF_A_STREAM: u64 = 2_000;

/// A reader, and the packets that it may still return.
pub(super) struct PacketLimitedReader {
    inner: Box<dyn FormatReader>,
    full: Left,
    left: Left,
    streams: u64,
    end: End,
}

#[derive(Clone, Copy)]
struct Left {
    packets: u64,
    bytes: u64,
}

impl PacketLimitedReader {
    /// The reader of a file of `len` bytes.
    pub fn of(inner: Box<dyn FormatReader>, len: u64, end: End) -> Self {
        let full = Left { packets: len.saturating_add(PACKETS_AT_LEAST), bytes: len.saturating_mul(2) };
        Self { inner, full, left: full, streams: STREAMS_AT_LEAST + len / BYTES_OF_A_STREAM, end }
    }

    fn count(&mut self, bytes: u64) -> Result<()> {
        let Left { packets, bytes: all } = self.left;
        let left = packets.checked_sub(1).zip(all.checked_sub(bytes));
        let (packets, bytes) = left.ok_or(Error::DecodeError("its packets have more bytes than the file"))?;
        self.left = Left { packets, bytes };
        Ok(())
    }
}

impl FormatReader for PacketLimitedReader {
    fn format_info(&self) -> &FormatInfo {
        self.inner.format_info()
    }

    fn media_info(&self) -> &MediaInfo {
        self.inner.media_info()
    }

    fn attachments(&self) -> &[Attachment] {
        self.inner.attachments()
    }

    fn chapters(&self) -> Option<&ChapterGroup> {
        self.inner.chapters()
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.inner.metadata()
    }

    fn seek(&mut self, mode: SeekMode, to: SeekTo) -> Result<SeekedTo> {
        self.left = self.full;
        guard(|| self.inner.seek(mode, to))
    }

    fn tracks(&self) -> &[Track] {
        self.inner.tracks()
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        // A reader is not used again after a panic: the error ends the recording.
        match guard(|| self.inner.next_packet()) {
            Ok(Some(packet)) => self.count(packet.data.len() as u64).map(|()| Some(packet)),
            Err(Error::ResetRequired) => {
                let cause = "it has more streams than bytes for their heads";
                self.streams = self.streams.checked_sub(1).ok_or(Error::DecodeError(cause))?;
                Err(Error::ResetRequired)
            }
            Ok(None) if self.end == End::CutOff => Err(Error::DecodeError("its data ends early")),
            Err(Error::IoError(e)) if self.end == End::Whole && e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            other => other,
        }
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.inner.into_inner()
    }
}
