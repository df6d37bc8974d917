//! Lists the audio tracks of an MP4 file.

use super::{
    mp4_boxes::{Boxes, Range},
    mp4_movie,
    tracks::{TrackDetails, determined},
};
use crate::MediaInput;

/// Maximum number of boxes that are read.
const MAX_BOXES: u32 = 100_000;

/// Maximum length of a title in bytes.
const MAX_TITLE: u64 = 1_000;

/// Names that common muxers give to every audio track. They are not titles.
const HANDLERS: [&str; 4] = ["SoundHandler", "Apple Sound Media Handler", "Core Media Audio", "ISO Media file"];

/// The audio tracks of `input`; `None` if it has no movie box.
pub(super) fn details(input: &dyn MediaInput) -> Option<Vec<TrackDetails>> {
    let mut boxes = Boxes::of(input.open().ok()?, MAX_BOXES);
    let movie = mp4_movie::find(input)?;
    let (mut at, mut found) = (movie.start, Vec::new());
    while let Some(track) = boxes.next(at, movie.end) {
        at = track.content.end;
        if &track.name == b"trak" {
            found.extend(details_of(&mut boxes, track.content));
        }
    }
    Some(found)
}

fn details_of(boxes: &mut Boxes, track: Range) -> Option<TrackDetails> {
    let media = boxes.find(track.clone(), b"mdia")?;
    let handler = boxes.find(media.clone(), b"hdlr")?;
    boxes.go_to(&handler, 8)?;
    if &boxes.bytes::<4>()? != b"soun" {
        return None;
    }
    let header = boxes.find(track.clone(), b"tkhd")?;
    boxes.go_to(&header, 0)?;
    let [.., flags] = boxes.bytes::<4>()?;
    let entry = sample_entry(boxes, media.clone()).unwrap_or_default();
    Some(TrackDetails {
        id: boxes.track_id(track.clone())?,
        codec: entry.escape_ascii().to_string(),
        language: language(boxes, media).and_then(determined),
        title: title(boxes, track, &handler),
        is_default: flags & 1 != 0, // enabled
        is_encrypted: [*b"enca", *b"drms", *b"aavd"].contains(&entry),
    })
}

fn sample_entry(boxes: &mut Boxes, media: Range) -> Option<[u8; 4]> {
    let info = boxes.find(media, b"minf")?;
    let table = boxes.find(info, b"stbl")?;
    let entries = boxes.find(table, b"stsd")?;
    boxes.next(entries.start.checked_add(8)?, entries.end).map(|entry| entry.name)
}

/// The language in the media's header: three letters of five bits each. Smaller numbers are QuickTime's own codes, which are
/// ignored.
fn language(boxes: &mut Boxes, media: Range) -> Option<String> {
    let header = boxes.find(media, b"mdhd")?;
    boxes.go_to(&header, 0)?;
    let [version, ..] = boxes.bytes::<4>()?;
    boxes.go_to(&header, if version == 0 { 20 } else { 32 })?;
    let packed = u16::from_be_bytes(boxes.bytes()?);
    let letters = [10, 5, 0].map(|shift| (packed >> shift & 0x1F) as u8 + 0x60);
    let text = String::from_utf8(letters.to_vec()).ok()?;
    Some(text).filter(|text| text.bytes().all(|letter| letter.is_ascii_lowercase()))
}

/// The title in the track's user data, or else the handler's name, unless it is one of [`HANDLERS`].
fn title(boxes: &mut Boxes, track: Range, handler: &Range) -> Option<String> {
    let own = boxes.find(track, b"udta").and_then(|data| boxes.find(data, b"name"));
    let own = own.and_then(|name| text(boxes, name));
    let handler = || text(boxes, handler.start.checked_add(24)?..handler.end);
    own.or_else(handler).filter(|title| !HANDLERS.iter().any(|handler| title.starts_with(handler)))
}

fn text(boxes: &mut Boxes, range: Range) -> Option<String> {
    boxes.go_to(&range, 0)?;
    let mut bytes = Vec::new();
    for _ in 0..(range.end - range.start).min(MAX_TITLE) {
        let [byte] = boxes.bytes()?;
        bytes.push(byte);
    }
    let text = bytes.split(|&byte| byte == 0).next().map(|text| String::from_utf8_lossy(text).into_owned());
    text.filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(name: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        [&(content.len() as u32 + 8).to_be_bytes(), &name[..], &content].concat()
    }

    fn track(id: u8, kind: &[u8; 4], flags: u8, language: u16, name: &[u8]) -> Vec<u8> {
        let header = framed(b"tkhd", &[&[0, 0, 0, flags], &[0; 11], &[id], &[0; 8]]);
        let media_header = framed(b"mdhd", &[&[0; 20], &language.to_be_bytes(), &[0; 2]]);
        let handler = framed(b"hdlr", &[&[0; 8], kind, &[0; 12], name]);
        let entries = framed(b"stsd", &[&[0; 8], &framed(b"mp4a", &[&[0; 20]])]);
        let info = framed(b"minf", &[&framed(b"stbl", &[&entries])]);
        framed(b"trak", &[&header, &framed(b"mdia", &[&media_header, &handler, &info])])
    }

    #[test]
    fn audio_tracks_are_listed() {
        let tracks = [
            track(1, b"vide", 3, 0x55C4, b"VideoHandler\0"),
            track(2, b"soun", 3, 0x55C4, b"SoundHandler\0"),
            track(3, b"soun", 2, 0x10B5, b"Commentary\0"),
        ];
        let movie = [framed(b"ftyp", &[b"isom"]), framed(b"moov", &[&tracks.concat()])].concat();
        let read = |bytes: &[u8]| details(&crate::MemoryInput::new("", bytes));
        let common = TrackDetails { id: 2, codec: "mp4a".into(), is_default: true, ..TrackDetails::default() };
        let other = TrackDetails {
            id: 3,
            language: Some("deu".into()),
            title: Some("Commentary".into()),
            is_default: false,
            ..common.clone()
        };
        assert_eq!(read(&movie), Some(vec![common, other]));
        for at in 0..movie.len() {
            read(&movie[..at]);
            let mut changed = movie.clone();
            changed[at] ^= 0xFF;
            read(&changed);
        }
    }
}
