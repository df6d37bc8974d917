//! The edit list of an MP4 file (ISO/IEC 14496-12, 8.6.6), which symphonia reads over.
//!
//! Its first entry that is not empty says from which moment on the media is to be played: that leaves out the encoder's
//! delay. Empty entries before it put the sound after a picture's beginning; like ffmpeg we count from the sound's.

use super::mp4_boxes::{Boxes, Range};
use crate::MediaInput;

/// Boxes that are looked at, at most: files have hundreds, or one for each fragment.
const MOST_BOXES: u32 = 100_000;

/// Entries of an edit list that are read, at most.
const MOST_ENTRIES: u32 = 64;

/// The part of the media that is played, in its own time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Where it begins.
    pub start: i64,
    /// Where it ends, if the list says so.
    pub end: Option<i64>,
    /// Ticks of the media's time in a second.
    pub timescale: u32,
}

impl Edit {
    /// How many frames at `rate` lie between a packet that begins at `pts` and the beginning.
    pub fn frames_before(&self, pts: i64, rate: u32) -> u64 {
        let ticks = u128::from(self.start.saturating_sub(pts).max(0) as u64);
        let scale = u128::from(self.timescale.max(1));
        ((ticks * u128::from(rate) + scale / 2) / scale).min(u128::from(u64::MAX)) as u64
    }
}

/// The edit of the track `id`; `None` where there is none, or the file is not as it should be.
pub(super) fn edit(input: &dyn MediaInput, id: u32) -> Option<Edit> {
    let len = input.len().ok()?;
    let mut file = Boxes::of(input.open().ok()?, MOST_BOXES);
    let movie = file.find(0..len, b"moov")?;
    let movie_scale = file.timescale(movie.clone(), b"mvhd")?;
    let mut from = movie.start;
    while let Some(track) = file.find(from..movie.end, b"trak") {
        from = track.end;
        if file.track_id(track.clone()) == Some(id) {
            return file.edit_of(track, movie_scale);
        }
    }
    None
}

impl Boxes {
    fn edit_of(&mut self, track: Range, movie_scale: u32) -> Option<Edit> {
        let media = self.find(track.clone(), b"mdia")?;
        let timescale = self.timescale(media, b"mdhd")?;
        let edits = self.find(track, b"edts")?;
        let list = self.find(edits, b"elst")?;
        let (duration, start) = self.first_entry(list)?;
        let ticks = u128::from(duration) * u128::from(timescale) / u128::from(movie_scale.max(1));
        // Without a duration the edit lasts for ever, as in files that were written while they were recorded.
        let end = i64::try_from(ticks).ok().filter(|&ticks| ticks > 0).and_then(|ticks| start.checked_add(ticks));
        Some(Edit { start, end, timescale })
    }

    /// Duration (in the movie's time) and beginning (in the media's) of the first entry that is not empty.
    fn first_entry(&mut self, list: Range) -> Option<(u64, i64)> {
        self.go_to(&list, 0)?;
        let [version, ..] = self.bytes::<4>()?;
        let count = self.number()?.min(MOST_ENTRIES);
        for _ in 0..count {
            let (duration, start) = match version {
                0 => (u64::from(self.number()?), i64::from(self.number()? as i32)),
                1 => (u64::from_be_bytes(self.bytes()?), i64::from_be_bytes(self.bytes()?)),
                _ => return None,
            };
            self.number()?;
            if start >= 0 {
                return Some((duration, start));
            }
        }
        None
    }

    /// The track's id.
    pub fn track_id(&mut self, track: Range) -> Option<u32> {
        let header = self.find(track, b"tkhd")?;
        let version = self.version(&header)?;
        self.go_to(&header, if version == 0 { 12 } else { 20 })?;
        self.number()
    }

    /// The timescale in the header box `name` within `range`.
    pub fn timescale(&mut self, range: Range, name: &[u8; 4]) -> Option<u32> {
        let header = self.find(range, name)?;
        let version = self.version(&header)?;
        self.go_to(&header, if version == 0 { 12 } else { 20 })?;
        self.number().filter(|&scale| scale > 0)
    }

    fn version(&mut self, header: &Range) -> Option<u8> {
        self.go_to(header, 0)?;
        self.bytes::<1>().map(|[version]| version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryInput;

    fn framed(name: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
        let content = content.concat();
        [&(content.len() as u32 + 8).to_be_bytes(), &name[..], &content].concat()
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    /// A file of one track, with an empty edit of a second before that of the sound.
    fn film() -> Vec<u8> {
        let list = framed(b"elst", &[&numbers(&[0, 2, 1_000, u32::MAX, 0x10000, 2_500, 1_024, 0x10000])]);
        let media = framed(b"mdia", &[&framed(b"mdhd", &[&numbers(&[0, 0, 0, 44_100, 0, 0])])]);
        let header = framed(b"tkhd", &[&numbers(&[0, 0, 0, 7, 0, 0])]);
        let track = framed(b"trak", &[&header, &framed(b"edts", &[&list]), &media]);
        let movie = framed(b"moov", &[&framed(b"mvhd", &[&numbers(&[0, 0, 0, 1_000, 0])]), &track]);
        [framed(b"ftyp", &[b"isom"]), framed(b"mdat", &[&[0; 100]]), movie].concat()
    }

    fn edit_in(bytes: &[u8], id: u32) -> Option<Edit> {
        edit(&MemoryInput::new("", bytes), id)
    }

    #[test]
    fn the_first_edit_with_sound_counts() {
        let want = Edit { start: 1_024, end: Some(1_024 + 110_250), timescale: 44_100 };
        assert_eq!(edit_in(&film(), 7), Some(want.clone()));
        assert_eq!(edit_in(&film(), 8), None);
        assert_eq!((want.frames_before(0, 44_100), want.frames_before(0, 22_050)), (1_024, 512));
        assert_eq!(want.frames_before(2_000, 44_100), 0);
    }

    #[test]
    fn damaged_files_do_not_panic() {
        let film = film();
        for at in 0..film.len() {
            assert_eq!(edit_in(&film[..at], 8), None);
            let mut changed = film.clone();
            changed[at] ^= 0xff;
            edit_in(&changed, 7);
            changed[at] = 0;
            edit_in(&changed, 7);
        }
    }
}
