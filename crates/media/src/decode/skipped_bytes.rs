//! Counts the bytes that a demuxer skipped because they are neither audio nor a known header or tag.
//!
//! symphonia's probe creates the demuxers, so no counter can be passed to them. They report it as an attachment.

use symphonia::core::formats::{Attachment, FormatReader, VendorDataAttachment};

/// Identifies the attachment.
const IDENT: &str = "prepare-audio: skipped bytes";

/// The counter of one demuxer, as the attachments that it returns.
pub(super) struct SkippedBytes {
    count: u64,
    attachments: [Attachment; 1],
}

impl SkippedBytes {
    /// A count of zero.
    pub fn new() -> Self {
        Self { count: 0, attachments: [attachment(0)] }
    }

    /// Counts `bytes` more.
    pub fn add(&mut self, bytes: u64) {
        self.set(self.count.saturating_add(bytes));
    }

    /// Sets the count.
    pub fn set(&mut self, count: u64) {
        if count != self.count {
            self.count = count;
            self.attachments = [attachment(count)];
        }
    }

    /// What the demuxer returns from [`FormatReader::attachments`].
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }
}

fn attachment(count: u64) -> Attachment {
    Attachment::VendorData(VendorDataAttachment { ident: IDENT.to_owned(), data: count.to_le_bytes().into() })
}

/// The number of bytes that `reader` has skipped so far; 0 for demuxers that do not count them.
pub(super) fn skipped_bytes(reader: &dyn FormatReader) -> u64 {
    let count = |attachment: &Attachment| match attachment {
        Attachment::VendorData(data) if data.ident == IDENT => data.data.first_chunk().copied().map(u64::from_le_bytes),
        _ => None,
    };
    reader.attachments().iter().find_map(count).unwrap_or(0)
}
