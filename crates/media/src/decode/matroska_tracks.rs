//! The audio tracks in a Matroska file's `Tracks` element.

use std::{
    io::{Read, Seek, SeekFrom},
    ops::Range,
};

use super::{
    file_window::Window,
    tracks::{TrackDetails, determined},
};
use crate::MediaRead;

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1F43_B675;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const TRACK_TYPE: u32 = 0x83;
const FLAG_DEFAULT: u32 = 0x88;
const NAME: u32 = 0x536E;
const LANGUAGE: u32 = 0x22_B59C;
const LANGUAGE_BCP47: u32 = 0x22_B59D;
const CODEC_ID: u32 = 0x86;
const CONTENT_ENCODINGS: u32 = 0x6D80;
const CONTENT_ENCODING: u32 = 0x6240;
const CONTENT_ENCRYPTION: u32 = 0x5035;

/// The track type of audio.
const AUDIO: u64 = 2;

/// The maximum of elements that are read, and of bytes of a text.
const MOST_ELEMENTS: u32 = 100_000;
const MOST_TEXT: usize = 1_000;

/// The audio tracks of `file`; `None` if it has no `Tracks` before its first Cluster.
pub(super) fn details(mut file: Box<dyn MediaRead>) -> Option<Vec<TrackDetails>> {
    let len = file.seek(SeekFrom::End(0)).ok()?;
    read(&mut Window::of(file, len), 0, len)
}

fn read(window: &mut Window<impl Read + Seek>, mut at: u64, len: u64) -> Option<Vec<TrackDetails>> {
    for _ in 0..MOST_ELEMENTS {
        let header = window.header(at).filter(|_| at < len)?;
        at = match (header.id, header.stop()) {
            (TRACKS, Some(stop)) => return Some(entries(window, header.content..stop)),
            (SEGMENT, _) => header.content,
            (CLUSTER, _) => return None,
            (id, Some(stop)) if id != EBML || at == 0 => stop,
            _ => return None,
        };
    }
    None
}

fn entries(window: &mut Window<impl Read + Seek>, tracks: Range<u64>) -> Vec<TrackDetails> {
    let (mut at, mut found) = (tracks.start, Vec::new());
    let mut left = MOST_ELEMENTS;
    while let Some((id, content)) = child(window, at, tracks.end, &mut left) {
        at = content.end;
        if id == TRACK_ENTRY {
            found.extend(entry(window, content, &mut left));
        }
    }
    found
}

/// An audio track. Missing elements have the defaults of the specification: English, flagged as default.
fn entry(window: &mut Window<impl Read + Seek>, entry: Range<u64>, left: &mut u32) -> Option<TrackDetails> {
    let mut track = TrackDetails { language: Some("eng".into()), is_default: true, ..TrackDetails::default() };
    let (mut at, mut kind, mut tag) = (entry.start, 0, None);
    while let Some((id, content)) = child(window, at, entry.end, left) {
        at = content.end;
        match id {
            TRACK_NUMBER => track.id = u32::try_from(window.unsigned(&content)?).ok()?,
            TRACK_TYPE => kind = window.unsigned(&content)?,
            FLAG_DEFAULT => track.is_default = window.unsigned(&content)? != 0,
            NAME => track.title = text(window, &content),
            LANGUAGE => track.language = text(window, &content).and_then(determined),
            LANGUAGE_BCP47 => tag = text(window, &content).and_then(determined),
            CODEC_ID => track.codec = text(window, &content).unwrap_or_default(),
            CONTENT_ENCODINGS => track.is_encrypted = is_encrypted(window, content, left),
            _ => {}
        }
    }
    track.language = tag.or(track.language);
    Some(track).filter(|_| kind == AUDIO)
}

fn is_encrypted(window: &mut Window<impl Read + Seek>, encodings: Range<u64>, left: &mut u32) -> bool {
    let mut at = encodings.start;
    while let Some((id, content)) = child(window, at, encodings.end, left) {
        at = if id == CONTENT_ENCODING { content.start } else { content.end };
        if id == CONTENT_ENCRYPTION {
            return true;
        }
    }
    false
}

/// The element at `at`, if it ends before `end`.
fn child(window: &mut Window<impl Read + Seek>, at: u64, end: u64, left: &mut u32) -> Option<(u32, Range<u64>)> {
    *left = left.checked_sub(1)?;
    let header = window.header(at).filter(|_| at < end)?;
    let stop = header.stop().filter(|&stop| stop <= end)?;
    Some((header.id, header.content..stop))
}

fn text(window: &mut Window<impl Read + Seek>, content: &Range<u64>) -> Option<String> {
    let bytes = window.content(content, MOST_TEXT)?;
    let text = bytes.split(|&byte| byte == 0).next().map(|text| String::from_utf8_lossy(text).into_owned());
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn element(id: &[u8], content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        [id, &[0x40 | (content.len() >> 8) as u8, content.len() as u8], &content].concat()
    }

    fn file() -> Vec<u8> {
        let number = |n: u8| element(&[0xD7], &[&[n]]);
        let kind = |n: u8| element(&[0x83], &[&[n]]);
        let video = element(&[0xAE], &[&number(1), &kind(1)]);
        let plain = element(&[0xAE], &[&number(2), &kind(2), &element(&[0x86], &[b"A_AAC"])]);
        let tags = [element(&[0x22, 0xB5, 0x9C], &[b"ger\0"]), element(&[0x22, 0xB5, 0x9D], &[b"de-CH"])].concat();
        let encryption = element(&[0x6D, 0x80], &[&element(&[0x62, 0x40], &[&element(&[0x50, 0x35], &[])])]);
        let title = element(&[0x53, 0x6E], &[b"Director"]);
        let full = element(&[0xAE], &[&tags, &element(&[0x88], &[&[0]]), &title, &kind(2), &number(7), &encryption]);
        let tracks = element(&[0x16, 0x54, 0xAE, 0x6B], &[&video, &plain, &full]);
        [element(&[0x1A, 0x45, 0xDF, 0xA3], &[&[0]]), element(&[0x18, 0x53, 0x80, 0x67], &[&tracks])].concat()
    }

    fn tracks(bytes: &[u8]) -> Option<Vec<TrackDetails>> {
        let len = bytes.len() as u64;
        read(&mut Window::of(Cursor::new(bytes.to_vec()), len), 0, len)
    }

    #[test]
    fn audio_tracks_are_listed() {
        let plain = TrackDetails {
            id: 2,
            codec: "A_AAC".into(),
            language: Some("eng".into()),
            is_default: true,
            ..TrackDetails::default()
        };
        let full = TrackDetails {
            id: 7,
            language: Some("de-CH".into()),
            title: Some("Director".into()),
            is_encrypted: true,
            ..TrackDetails::default()
        };
        assert_eq!(tracks(&file()), Some(vec![plain, full]));
    }

    #[test]
    fn damaged_files_are_read_without_a_panic() {
        let bytes = file();
        for at in 0..bytes.len() {
            tracks(&bytes[..at]);
            let mut changed = bytes.clone();
            changed[at] ^= 0xFF;
            tracks(&changed);
        }
    }
}
