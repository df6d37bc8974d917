//! Reads the edit list of an MP4 track (ISO/IEC 14496-12, 8.6.6), and the encoder's delay that iTunes stores. symphonia
//! ignores both.
//!
//! The entries of an edit list are the parts of the media that are played, one after the other. The first one usually skips
//! the encoder's delay. Empty entries before it delay the audio against the video. As in ffmpeg, times here count from the
//! beginning of the audio, so these are ignored. An empty entry between others is a pause.

use super::{
    mp4_boxes::{Boxes, Range},
    mp4_movie,
};
use crate::MediaInput;

/// Maximum number of boxes that are read: files have hundreds, or one for each fragment.
const MAX_BOXES: u32 = 100_000;

/// Maximum number of entries of an edit list.
const MAX_ENTRIES: u32 = 64;

/// Maximum delay of an encoder in frames. ffmpeg ignores larger values of iTunes, too.
const MAX_PRIMING: u64 = 16_384;

/// Maximum length in bytes of iTunes's text that is read. It has twelve numbers.
const MAX_ITUNES_TEXT: u64 = 200;

/// A part of the media that is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Its first tick.
    pub start: i64,
    /// The tick after its last one; `None` stands for the end of the media.
    pub end: Option<i64>,
    /// Ticks between the media's time and the time of the recording. It is 0 for the first edit.
    pub shift: i64,
}

/// The edits of a track, in the order in which they are played. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EditList {
    pub edits: Vec<Edit>,
    /// Ticks of the media's time in a second.
    pub timescale: u32,
    /// The delay in frames that iTunes's metadata declares, at the sample rate of the decoder's output. It replaces the start
    /// of the first edit.
    pub priming: Option<u64>,
}

impl EditList {
    /// The number of frames at `rate` in `ticks`, rounded.
    pub fn frames(&self, ticks: i64, rate: u32) -> u64 {
        let (ticks, scale) = (u128::from(ticks.max(0).unsigned_abs()), u128::from(self.timescale.max(1)));
        u64::try_from((ticks * u128::from(rate) + scale / 2) / scale).unwrap_or(u64::MAX)
    }

    /// The number of frames at `rate` between a packet that begins at `pts` and the beginning of the recording.
    pub fn frames_before(&self, pts: i64, rate: u32) -> u64 {
        match self.priming {
            Some(priming) => priming.saturating_sub(self.frames(pts, rate)),
            None => self.frames(self.start().saturating_sub(pts), rate),
        }
    }

    /// The tick at which the first edit begins.
    pub fn start(&self) -> i64 {
        self.edits.first().map_or(0, |edit| edit.start)
    }

    /// The number of frames at `rate` that are played of media with `media` frames.
    pub fn declared_frames(&self, media: u64, rate: u32) -> u64 {
        let each = self.edits.iter().map(|edit| {
            let start = self.frames(edit.start, rate).min(media);
            edit.end.map_or(media, |end| self.frames(end, rate).min(media)).saturating_sub(start)
        });
        each.fold(0, u64::saturating_add)
    }
}

/// The edit list of the track `id`; `None` if it has none, or if the file is malformed.
pub(super) fn edit_list(input: &dyn MediaInput, id: u32) -> Option<EditList> {
    let mut file = Boxes::of(input.open().ok()?, MAX_BOXES);
    let movie = mp4_movie::find(input)?;
    let movie_scale = file.timescale(movie.clone(), b"mvhd")?;
    let (mut at, mut track, mut priming, mut last) = (movie.start, None, None, None);
    while let Some(found) = file.next(at, movie.end) {
        at = found.content.end;
        match &found.name {
            b"trak" => {
                last = file.track_id(found.content.clone());
                track = track.or((last == Some(id)).then_some(found.content));
            }
            // iTunes's metadata does not name a track. Like ffmpeg, this assumes the one before the metadata.
            b"udta" if last == Some(id) => priming = file.itunes_priming(found.content),
            _ => {}
        }
    }
    let track = track?;
    let media = file.find(track.clone(), b"mdia")?;
    let timescale = file.timescale(media, b"mdhd")?;
    let edits = file.edits(track, timescale, movie_scale).unwrap_or_default();
    match (edits.is_empty(), priming) {
        (true, None) => None,
        (true, _) => Some(EditList { edits: vec![Edit { start: 0, end: None, shift: 0 }], timescale, priming }),
        (false, _) => Some(EditList { priming: priming.filter(|_| edits.len() == 1), edits, timescale }),
    }
}

impl Boxes {
    /// The edits of a track.
    fn edits(&mut self, track: Range, timescale: u32, movie_scale: u32) -> Option<Vec<Edit>> {
        let list = self.find(track, b"edts").and_then(|edits| self.find(edits, b"elst"))?;
        self.go_to(&list, 0)?;
        let [version, ..] = self.bytes::<4>()?;
        let count = self.number()?.min(MAX_ENTRIES);
        // Durations have the movie's time scale. Their sum is converted, so that rounding errors do not add up.
        let in_ticks =
            |duration: u128| i64::try_from(duration * u128::from(timescale) / u128::from(movie_scale.max(1))).ok();
        let (mut edits, mut played): (Vec<Edit>, u128) = (Vec::new(), 0);
        for _ in 0..count {
            let (duration, start) = match version {
                0 => (u64::from(self.number()?), i64::from(self.number()? as i32)),
                1 => (u64::from_be_bytes(self.bytes()?), i64::from_be_bytes(self.bytes()?)),
                _ => return None,
            };
            self.number()?; // the rate
            if start < 0 && edits.is_empty() {
                continue;
            }
            let begin = in_ticks(played)?;
            played += u128::from(duration);
            if start < 0 {
                continue;
            }
            let length = in_ticks(played)?.saturating_sub(begin);
            // Files that were written while they were recorded have the duration 0, which means "until the end".
            let end = (length > 0).then(|| start.saturating_add(length));
            let origin = edits.first().map_or(start, |first| first.start);
            let shift = origin.saturating_add(begin).saturating_sub(start);
            match edits.last_mut() {
                // The media goes on where the previous edit ends, but for rounding.
                Some(last) if last.shift.abs_diff(shift) <= u64::from(timescale / movie_scale.max(1)) + 1 => {
                    last.end = end
                }
                _ => edits.push(Edit { start, end, shift }),
            }
            if end.is_none() {
                break;
            }
        }
        Some(edits)
    }

    /// The delay in frames that iTunes's metadata, the value `iTunSMPB`, declares.
    fn itunes_priming(&mut self, user_data: Range) -> Option<u64> {
        let meta = self.find(user_data, b"meta")?;
        let list = self.find(meta.start.checked_add(4)?..meta.end, b"ilst")?;
        let mut at = list.start;
        while let Some(found) = self.next(at, list.end) {
            at = found.content.end;
            if &found.name == b"----"
                && let Some(name) = self.find(found.content.clone(), b"name")
                && self.go_to(&name, 4).and_then(|()| self.bytes()) == Some(*b"iTunSMPB")
            {
                let data = self.find(found.content, b"data")?;
                let text = self.text(data.start.checked_add(8)?..data.end)?;
                let priming = u64::from_str_radix(text.split_whitespace().nth(1)?, 16).ok()?;
                return Some(priming).filter(|priming| (1..MAX_PRIMING).contains(priming));
            }
        }
        None
    }

    fn text(&mut self, range: Range) -> Option<String> {
        self.go_to(&range, 0)?;
        let bytes: Option<Vec<u8>> =
            (0..(range.end - range.start).min(MAX_ITUNES_TEXT)).map(|_| self.bytes().map(|[byte]| byte)).collect();
        String::from_utf8(bytes?).ok()
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

    /// A file of one track with these edits: durations in milliseconds, and starts in ticks of 1/44100 s.
    fn film(edits: &[(u32, i32)], after: &[u8]) -> Vec<u8> {
        let entries: Vec<u32> = edits.iter().flat_map(|&(duration, start)| [duration, start as u32, 0x10000]).collect();
        let list = framed(b"elst", &[&numbers(&[0, edits.len() as u32]), &numbers(&entries)]);
        let media = framed(b"mdia", &[&framed(b"mdhd", &[&numbers(&[0, 0, 0, 44_100, 0, 0])])]);
        let header = framed(b"tkhd", &[&numbers(&[0, 0, 0, 7, 0, 0])]);
        let track = framed(b"trak", &[&header, &framed(b"edts", &[&list]), &media]);
        let movie = framed(b"moov", &[&framed(b"mvhd", &[&numbers(&[0, 0, 0, 1_000, 0])]), &track, after]);
        [framed(b"ftyp", &[b"isom"]), framed(b"mdat", &[&[0; 100]]), movie].concat()
    }

    fn itunes(text: &[u8]) -> Vec<u8> {
        let value = [
            framed(b"mean", &[b"\0\0\0\0com.apple.iTunes"]),
            framed(b"name", &[b"\0\0\0\0iTunSMPB"]),
            framed(b"data", &[b"\0\0\0\x01\0\0\0\0", text]),
        ];
        let list = framed(b"ilst", &[&framed(b"\xA9nam", &[b"title"]), &framed(b"----", &[&value.concat()])]);
        framed(b"udta", &[&framed(b"meta", &[&[0; 4], &list])])
    }

    fn edits_in(bytes: &[u8], id: u32) -> Option<EditList> {
        edit_list(&MemoryInput::new("", bytes), id)
    }

    fn edit(start: i64, end: i64, shift: i64) -> Edit {
        Edit { start, end: Some(end), shift }
    }

    /// An empty edit at the beginning is ignored.
    #[test]
    fn the_first_edit_with_media_skips_the_delay() {
        let film = film(&[(1_000, -1), (2_500, 1_024)], &[]);
        let list = edits_in(&film, 7).unwrap();
        assert_eq!(list.edits, [edit(1_024, 1_024 + 110_250, 0)]);
        assert_eq!((list.frames_before(0, 44_100), list.frames_before(0, 22_050)), (1_024, 512));
        assert_eq!(list.frames_before(2_000, 44_100), 0);
        assert_eq!([200_000, 100_000].map(|media| list.declared_frames(media, 44_100)), [110_250, 98_976]);
        assert_eq!(edits_in(&film, 8), None);
    }

    #[test]
    fn later_edits_are_shifted() {
        let edits = |edits: &[(u32, i32)]| edits_in(&film(edits, &[]), 7).unwrap().edits;
        // 1 s of the media is cut out.
        let cut = edits(&[(2_000, 0), (2_000, 132_300)]);
        assert_eq!(cut, [edit(0, 88_200, 0), edit(132_300, 220_500, -44_100)]);
        // A pause of 1 s.
        let pause = edits(&[(2_000, 0), (1_000, -1), (2_000, 88_200)]);
        assert_eq!(pause, [edit(0, 88_200, 0), edit(88_200, 176_400, 44_100)]);
        // The later part comes first.
        let swapped = edits(&[(1_000, 44_100), (1_000, 0)]);
        assert_eq!(swapped, [edit(44_100, 88_200, 0), edit(0, 44_100, 88_200)]);
        // The media goes on.
        assert_eq!(edits(&[(2_000, 1_024), (2_000, 89_224)]), [edit(1_024, 177_424, 0)]);
        assert_eq!(edits(&[(2_000, 1_024), (0, 89_230)]), [Edit { start: 1_024, end: None, shift: 0 }]);
    }

    /// iTunes writes the delay, the padding and the length, in hexadecimal.
    #[test]
    fn itunes_declares_the_delay() {
        let text = b" 00000000 00000840 000001CA 00000000003F31F6 00000000";
        let list = edits_in(&film(&[(6_000, 1_024)], &itunes(text)), 7).unwrap();
        assert_eq!((list.priming, list.frames_before(0, 44_100)), (Some(2_112), 2_112));
        let list = edits_in(&film(&[], &itunes(text)), 7).unwrap();
        assert_eq!((list.frames_before(0, 44_100), list.declared_frames(5_000, 44_100)), (2_112, 5_000));
        for text in [&b" 00000000 00000000 0"[..], b" 00000000 00004000 0", b"", b"\xFF"] {
            assert_eq!(edits_in(&film(&[], &itunes(text)), 7), None, "{text:?}");
        }
    }

    #[test]
    fn damaged_files_do_not_panic() {
        let film = film(&[(1_000, -1), (2_500, 1_024), (9, 0)], &itunes(b" 0 840 0 0"));
        for at in 0..film.len() {
            assert_eq!(edits_in(&film[..at], 8), None);
            let mut changed = film.clone();
            changed[at] ^= 0xff;
            edits_in(&changed, 7);
            changed[at] = 0;
            edits_in(&changed, 7);
        }
    }
}
