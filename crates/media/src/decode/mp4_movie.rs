//! Finds the movie box of an MP4 file, also in a file whose boxes are damaged or longer than the file.

use super::{
    mp4_boxes::{Boxes, Range},
    sanitize::{ByteOverrides, Layout},
};
use crate::MediaInput;

/// Maximum number of boxes before the movie that are read.
const MAX_BOXES: u32 = 1_000_000;

/// The content of the movie box in `input`.
pub(super) fn find(input: &dyn MediaInput) -> Option<Range> {
    let mut boxes = Boxes::of(input.open().ok()?, MAX_BOXES);
    let mut layout = Layout::of(input.open().ok()?, 0, input.len().ok()?);
    let mut overrides = ByteOverrides::default();
    while let Some(found) = layout.next(&mut boxes, &mut overrides) {
        if &found.name == b"moov" {
            return Some(found.content);
        }
    }
    None
}
