//! Detects encrypted audio in MP4.

use crate::{
    AudioError,
    decode::mp4_boxes::{Boxes, Range},
};

/// Sample entries of encrypted audio, and their scheme.
const ENCRYPTED: [(&[u8; 4], &str); 3] =
    [(b"enca", "common encryption"), (b"drms", "iTunes FairPlay"), (b"aavd", "Audible")];

/// Refuses a movie all of whose audio tracks are encrypted.
///
/// # Errors
/// [`AudioError::Encrypted`].
pub(super) fn check(boxes: &mut Boxes, movie: &Range) -> Result<(), AudioError> {
    let (mut at, mut scheme) = (movie.start, None);
    while let Some(track) = boxes.next(at, movie.end) {
        at = track.content.end;
        match (&track.name == b"trak").then(|| sample_entry(boxes, track.content)).flatten() {
            None => {}
            Some(entry) => match ENCRYPTED.iter().find(|(name, _)| **name == entry) {
                Some((_, found)) => scheme = Some(*found),
                None => return Ok(()),
            },
        }
    }
    scheme.map_or(Ok(()), |scheme| Err(AudioError::Encrypted(scheme)))
}

/// The name of an audio track's first sample entry.
fn sample_entry(boxes: &mut Boxes, track: Range) -> Option<[u8; 4]> {
    let media = boxes.find(track, b"mdia")?;
    let handler = boxes.find(media.clone(), b"hdlr")?;
    boxes.go_to(&handler, 8)?;
    if &boxes.bytes::<4>()? != b"soun" {
        return None;
    }
    let info = boxes.find(media, b"minf")?;
    let table = boxes.find(info, b"stbl")?;
    let entries = boxes.find(table, b"stsd")?;
    boxes.next(entries.start.checked_add(8)?, entries.end).map(|entry| entry.name)
}
