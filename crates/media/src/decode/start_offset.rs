//! Computes by how much the audio track of a video begins later than its earliest track.
//!
//! Segment times count from the beginning of the audio. Subtitles are synchronised with the video, so they need this
//! difference. Like ffprobe's `start_time`, it comes from the container's time stamps and edit lists.

use std::collections::HashMap;

use super::{
    file_window::{Header, Window},
    mp4_boxes::{Boxes, Range},
    mp4_movie,
};
use crate::{MediaInput, MediaRead};

/// Maximum number of MP4 boxes that are read.
const MAX_BOXES: u32 = 100_000;

/// Maximum number of edit list entries that are read.
const MAX_ENTRIES: u32 = 64;

/// Maximum number of Matroska elements that are read. If the first block of a track is not among them, the track is ignored.
const MAX_ELEMENTS: u32 = 100_000;

/// Seconds by which the track `id` begins later than the earliest track of audio or video. `None` if the container has no
/// such times.
pub(super) fn start_offset(input: &dyn MediaInput, container: &str, id: u32) -> Option<f64> {
    let (file, len) = (input.open().ok()?, input.len().ok()?);
    let starts = match container {
        "isomp4" => mp4_starts(file, len, &mp4_movie::find(input)?)?,
        "matroska" => matroska_starts(Window::of(file, len), len)?,
        _ => return None,
    };
    let own = *starts.get(&id)?;
    let earliest = starts.values().copied().fold(own, f64::min);
    Some(own - earliest)
}

/// The start time in seconds of each audio or video track, by its id.
fn mp4_starts(file: Box<dyn MediaRead>, len: u64, movie: &Range) -> Option<HashMap<u32, f64>> {
    let mut boxes = Boxes::of(file, MAX_BOXES);
    let scale = boxes.timescale(movie.clone(), b"mvhd")?;
    let fragments = match boxes.find(movie.clone(), b"mvex") {
        Some(_) => fragment_times(&mut boxes, len),
        None => HashMap::new(),
    };
    let (mut at, mut starts) = (movie.start, HashMap::new());
    while let Some(track) = boxes.next(at, movie.end) {
        at = track.content.end;
        if &track.name == b"trak"
            && let Some((id, start)) = mp4_start(&mut boxes, track.content, scale, &fragments)
        {
            starts.insert(id, start);
        }
    }
    Some(starts)
}

/// A track's id and its start time in seconds: the length of its empty edits, plus the time by which the first sample is
/// later than the start of the first edit with media.
fn mp4_start(boxes: &mut Boxes, track: Range, scale: u32, fragments: &HashMap<u32, u64>) -> Option<(u32, f64)> {
    let id = boxes.track_id(track.clone())?;
    let media = boxes.find(track.clone(), b"mdia")?;
    let handler = boxes.find(media.clone(), b"hdlr")?;
    boxes.go_to(&handler, 8)?;
    if ![*b"soun", *b"vide"].contains(&boxes.bytes::<4>()?) {
        return None;
    }
    let ticks = boxes.timescale(media, b"mdhd")?;
    let (empty, from) = boxes.find(track, b"edts").and_then(|edits| empty_edits(boxes, edits)).unwrap_or((0, 0));
    let late = fragments.get(&id).map_or(0, |&first| first.saturating_sub(from));
    Some((id, empty as f64 / f64::from(scale) + late as f64 / f64::from(ticks)))
}

/// The length of the empty edits before the first one with media, and the media time at which that edit begins.
fn empty_edits(boxes: &mut Boxes, edits: Range) -> Option<(u64, u64)> {
    let list = boxes.find(edits, b"elst")?;
    boxes.go_to(&list, 0)?;
    let [version, ..] = boxes.bytes::<4>()?;
    let (count, mut empty) = (boxes.number()?.min(MAX_ENTRIES), 0u64);
    for _ in 0..count {
        let (duration, start) = match version {
            0 => (u64::from(boxes.number()?), i64::from(boxes.number()? as i32)),
            1 => (u64::from_be_bytes(boxes.bytes()?), i64::from_be_bytes(boxes.bytes()?)),
            _ => return None,
        };
        boxes.number()?;
        if let Ok(start) = u64::try_from(start) {
            return Some((empty, start));
        }
        empty = empty.saturating_add(duration);
    }
    None
}

/// The time of each track's first fragment.
fn fragment_times(boxes: &mut Boxes, len: u64) -> HashMap<u32, u64> {
    let (mut at, mut times) = (0, HashMap::new());
    while let Some(found) = boxes.next(at, len) {
        at = found.content.end;
        let mut part = found.content.start;
        while &found.name == b"moof"
            && let Some(track) = boxes.next(part, found.content.end)
        {
            part = track.content.end;
            if &track.name == b"traf"
                && let Some((id, time)) = fragment_time(boxes, track.content)
            {
                times.entry(id).or_insert(time);
            }
        }
    }
    times
}

fn fragment_time(boxes: &mut Boxes, track: Range) -> Option<(u32, u64)> {
    let header = boxes.find(track.clone(), b"tfhd")?;
    boxes.go_to(&header, 4)?;
    let id = boxes.number()?;
    let time = boxes.find(track, b"tfdt")?;
    boxes.go_to(&time, 0)?;
    let time = match boxes.bytes::<4>()? {
        [0, ..] => u64::from(boxes.number()?),
        _ => u64::from_be_bytes(boxes.bytes()?),
    };
    Some((id, time))
}

const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const TRACK_TYPE: u32 = 0x83;
const CODEC_DELAY: u32 = 0x56AA;
const CLUSTER: u32 = 0x1F43_B675;
const TIMESTAMP: u32 = 0xE7;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCKS: [u32; 2] = [0xA1, 0xA3];

/// The tracks that were found in a Matroska file so far.
#[derive(Default)]
struct Tracks {
    /// Nanoseconds of a tick.
    scale: Option<u64>,
    /// The latest Cluster's time.
    cluster: u64,
    /// Audio and video: each track's number, and its codec delay in nanoseconds.
    delays: HashMap<u64, u64>,
    entry: (u64, u64, u64),
    starts: HashMap<u32, f64>,
}

/// The start time in seconds of each audio or video track: that of its first block.
fn matroska_starts(mut window: Window<Box<dyn MediaRead>>, len: u64) -> Option<HashMap<u32, f64>> {
    let (mut at, mut found) = (0, Tracks::default());
    for _ in 0..MAX_ELEMENTS {
        let Some(header) = window.header(at).filter(|_| at < len) else { break };
        let descends = [SEGMENT, INFO, TRACKS, TRACK_ENTRY, CLUSTER, BLOCK_GROUP].contains(&header.id);
        found.read(&mut window, &header);
        if found.is_complete() {
            break;
        }
        at = match header.stop() {
            Some(stop) if !descends => stop,
            _ => header.content,
        };
    }
    Some(found.starts)
}

impl Tracks {
    fn read(&mut self, window: &mut Window<Box<dyn MediaRead>>, header: &Header) {
        let mut value = || header.stop().and_then(|stop| window.unsigned(&(header.content..stop))).unwrap_or(0);
        match header.id {
            TIMESTAMP_SCALE => self.scale = Some(value()),
            TRACK_ENTRY => self.entry = (0, 0, 0),
            TRACK_NUMBER => self.entry.0 = value(),
            TRACK_TYPE => self.entry.1 = value(),
            CODEC_DELAY => self.entry.2 = value(),
            TIMESTAMP => self.cluster = value(),
            id if BLOCKS.contains(&id) => {
                self.block(window, header.content);
            }
            _ => {}
        }
        // The fields of a track entry may come in any order.
        if let (number @ 1.., 1 | 2, delay) = self.entry {
            self.delays.insert(number, delay);
        }
    }

    fn block(&mut self, window: &mut Window<Box<dyn MediaRead>>, at: u64) -> Option<()> {
        let (track, at) = window.number(at)?;
        let delay = *self.delays.get(&track)?;
        let relative = i16::from_be_bytes(window.array(at)?);
        let scale = self.scale.unwrap_or(1_000_000) as f64;
        let start = (self.cluster as f64 + f64::from(relative)) * scale - delay as f64;
        self.starts.entry(u32::try_from(track).ok()?).or_insert(start / 1e9);
        Some(())
    }

    /// Whether the first block of each track was found.
    fn is_complete(&self) -> bool {
        !self.starts.is_empty() && self.starts.len() == self.delays.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(name: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        [&(content.len() as u32 + 8).to_be_bytes(), &name[..], &content].concat()
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    fn track(id: u32, kind: &[u8; 4], edits: &[u32]) -> Vec<u8> {
        let header = framed(b"tkhd", &[&numbers(&[0, 0, 0, id, 0, 0])]);
        let handler = framed(b"hdlr", &[&[0; 8], kind, &[0; 13]]);
        let media = framed(b"mdia", &[&framed(b"mdhd", &[&numbers(&[0, 0, 0, 16_000, 0, 0])]), &handler]);
        let count = edits.len() as u32 / 3;
        let list = framed(b"elst", &[&numbers(&[0, count]), &numbers(edits)]);
        framed(b"trak", &[&header, &framed(b"edts", &[&list]), &media])
    }

    fn movie(tracks: &[&[u8]]) -> Vec<u8> {
        let header = framed(b"mvhd", &[&numbers(&[0, 0, 0, 1_000, 0])]);
        [framed(b"ftyp", &[b"isom"]), framed(b"moov", &[&header, &tracks.concat()])].concat()
    }

    fn offset(bytes: &[u8], container: &str, id: u32) -> Option<f64> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        start_offset(&crate::LocalFile::new(file.path()), container, id)
    }

    /// The edit lists of a film that ffmpeg wrote with `-itsoffset 2`; ffprobe has 1.936 s.
    #[test]
    fn an_empty_edit_is_an_offset() {
        let video = track(1, b"vide", &[14_000, 2_048, 0x10000]);
        let audio = track(2, b"soun", &[1_936, u32::MAX, 0x10000, 11_064, 0, 0x10000]);
        assert_eq!(offset(&movie(&[&video, &audio]), "isomp4", 2), Some(1.936));
        assert_eq!(offset(&movie(&[&audio]), "isomp4", 2), Some(0.0), "no track begins earlier");
        let late_text = track(3, b"text", &[14_000, 0, 0x10000]);
        assert_eq!(offset(&movie(&[&audio, &late_text]), "isomp4", 2), Some(0.0));
        assert_eq!(offset(&movie(&[&video, &audio]), "isomp4", 9), None);
        assert_eq!(offset(&movie(&[&video, &audio]), "wave", 2), None);
    }

    #[test]
    fn the_first_fragment_has_the_start_time() {
        let extends = framed(b"mvex", &[]);
        let tracks = [track(1, b"vide", &[0, 0, 0x10000]), track(2, b"soun", &[0, 1_600, 0x10000])].concat();
        let part = |id: u32, time: u32| {
            framed(b"traf", &[&framed(b"tfhd", &[&numbers(&[0, id])]), &framed(b"tfdt", &[&numbers(&[0, time])])])
        };
        let fragment = framed(b"moof", &[&part(1, 16_000), &part(2, 25_600)]);
        assert_eq!(offset(&[movie(&[&tracks, &extends]), fragment].concat(), "isomp4", 2), Some(0.5));
    }

    fn element(id: &[u8], content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        [id, &[0x40 | (content.len() >> 8) as u8, content.len() as u8], &content].concat()
    }

    fn matroska() -> Vec<u8> {
        let entry = |number: u8, kind: u8, delay: &[u8]| {
            let fields =
                [element(&[0xD7], &[&[number]]), element(&[0x83], &[&[kind]]), element(&[0x56, 0xAA], &[delay])];
            element(&[0xAE], &[&fields.concat()])
        };
        let tracks = [entry(1, 1, &[0]), entry(2, 2, &[0x00, 0x63, 0x2E, 0xA0])].concat(); // 6.5 ms
        let cluster = |time: &[u8], blocks: &[&[u8]]| {
            element(&[0x1F, 0x43, 0xB6, 0x75], &[&element(&[0xE7], &[time]), &blocks.concat()])
        };
        let picture = element(&[0xA3], &[&[0x81, 0, 40, 0, 9]]);
        let audio = element(&[0xA0], &[&element(&[0xA1], &[&[0x82, 0xFF, 0xFF, 0, 9]])]);
        let body = [
            element(&[0x16, 0x54, 0xAE, 0x6B], &[&tracks]),
            cluster(&[0], &[&picture, &picture]),
            cluster(&[7, 0xD0], &[&picture, &audio]),
        ];
        [element(&[0x1A, 0x45, 0xDF, 0xA3], &[&[0]]), element(&[0x18, 0x53, 0x80, 0x67], &[&body.concat()])].concat()
    }

    #[test]
    fn the_first_block_has_the_start_time() {
        let seconds = offset(&matroska(), "matroska", 2).unwrap();
        assert!((seconds - (2.0 - 0.001 - 0.0065 - 0.04)).abs() < 1e-9, "{seconds}");
        assert_eq!(offset(&matroska(), "matroska", 1).map(|seconds| seconds > 1.9), Some(false));
    }

    #[test]
    fn damaged_files_do_not_panic() {
        let film = movie(&[&track(1, b"vide", &[1, 0, 0]), &track(2, b"soun", &[9, u32::MAX, 0, 1, 0, 0])]);
        for (bytes, container) in [(film, "isomp4"), (matroska(), "matroska")] {
            for at in 0..bytes.len() {
                offset(&bytes[..at], container, 2);
                let mut changed = bytes.clone();
                changed[at] ^= 0xFF;
                offset(&changed, container, 2);
            }
        }
    }
}
