//! symphonia's Matroska reader, made to continue after blocks that it cannot read.

use std::{
    io,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use symphonia::core::{
    errors::{Error, Result},
    formats::{Attachment, FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track},
    io::MediaSourceStream,
    meta::{ChapterGroup, Metadata},
    packet::Packet,
};

use super::{matroska_resync::ResyncReport, skipped_bytes::SkippedBytes};

/// The maximum of consecutive blocks that fail. Each is skipped, and only its own audio is lost.
const MOST_FAILURES: u32 = 1_000;

/// A reader that continues after a block that cannot be read.
pub(super) struct MatroskaReader {
    inner: Box<dyn FormatReader>,
    report: Arc<ResyncReport>,
    skipped_bytes: SkippedBytes,
}

impl MatroskaReader {
    /// Wraps `inner`; `report` is that of the walk that masks the file.
    pub fn of(inner: Box<dyn FormatReader>, report: Arc<ResyncReport>) -> Self {
        Self { inner, report, skipped_bytes: SkippedBytes::new() }
    }

    /// The next packet that can be read.
    fn next_readable(&mut self) -> Result<Option<Packet>> {
        for _ in 0..MOST_FAILURES {
            match self.inner.next_packet() {
                Err(error) if is_of_block(&error) => {
                    tracing::debug!(%error, "skipped a Matroska block");
                    // Its length is unknown.
                    self.report.bytes.fetch_add(1, Relaxed);
                }
                // A Segment of unknown size ends with the file.
                Err(Error::IoError(e))
                    if e.kind() == io::ErrorKind::UnexpectedEof && self.report.is_whole.load(Relaxed) =>
                {
                    return Ok(None);
                }
                other => return other,
            }
        }
        self.inner.next_packet()
    }
}

/// Whether an error concerns a single block. One that ends early, such as in the sizes of its laced frames, is reported like
/// the end of the file, but with this message.
fn is_of_block(error: &Error) -> bool {
    match error {
        Error::DecodeError(_) => true,
        Error::IoError(error) => error.kind() == io::ErrorKind::UnexpectedEof && error.to_string() == "buffer underrun",
        _ => false,
    }
}

impl FormatReader for MatroskaReader {
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        let packet = self.next_readable();
        self.skipped_bytes.set(self.report.bytes.load(Relaxed));
        packet
    }

    fn format_info(&self) -> &FormatInfo {
        self.inner.format_info()
    }

    fn media_info(&self) -> &MediaInfo {
        self.inner.media_info()
    }

    fn attachments(&self) -> &[Attachment] {
        self.skipped_bytes.attachments()
    }

    fn chapters(&self) -> Option<&ChapterGroup> {
        self.inner.chapters()
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.inner.metadata()
    }

    fn seek(&mut self, mode: SeekMode, to: SeekTo) -> Result<SeekedTo> {
        self.inner.seek(mode, to)
    }

    fn tracks(&self) -> &[Track] {
        self.inner.tracks()
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.inner.into_inner()
    }
}
