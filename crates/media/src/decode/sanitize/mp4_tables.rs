//! Hides the tracks of an MP4 file that are not audio, and its metadata. Limits the size of the audio tracks' tables.
//!
//! symphonia adds up all durations before a sample for each sample. For a recorder that writes a duration for each sample
//! (Android's do) that takes minutes, and for a hostile file days. So a long table is replaced by one with the mean
//! duration. That keeps the times of the first and the last sample.

use super::{ByteOverrides, implausible, mp4_encryption, mp4_layout::Layout};
use crate::{
    AudioError, MediaInput,
    decode::{
        mp4_boxes::{Boxes, Range},
        mp4_fragment_times::Fragment,
    },
};

/// Maximum number of boxes. Files have hundreds, or eight for each fragment of a second or two.
const MAX_BOXES: u32 = 1_000_000;

/// Maximum length in bytes of the tables that symphonia reads into memory. Ten hours of AAC have 7 MB.
const MAX_TABLES: u64 = 24 << 20;

/// Maximum number of additions to compute the times of a track: less than a second.
const MAX_ADDITIONS: u64 = 1_000_000_000;

/// Maximum number of samples in a run of a fragment that has a table.
const MAX_RUN: u64 = 200_000;

/// Handlers of tracks that are not audio.
const NOT_AUDIO: [&[u8; 4]; 11] =
    [b"vide", b"auxv", b"pict", b"sbtl", b"subt", b"text", b"clcp", b"tmcd", b"hint", b"meta", b"sdsm"];

struct Movie<'m> {
    boxes: Boxes,
    overrides: &'m mut ByteOverrides,
    len: u64,
    /// Bytes of the tables so far.
    tables: u64,
    /// Samples of fragments that take no bytes in a table.
    free: u64,
}

/// Inspects the boxes of a file of `len` bytes.
pub(super) fn all(input: &dyn MediaInput, len: u64, overrides: &mut ByteOverrides) -> Result<(), AudioError> {
    let open = || input.open().map_err(|error| AudioError::from_io(error, &input.name()));
    let mut layout = Layout::of(open()?, overrides.start, len);
    let mut movie = Movie { boxes: Boxes::of(open()?, MAX_BOXES), overrides, len, tables: 0, free: 0 };
    while let Some(found) = layout.next(&mut movie.boxes, movie.overrides) {
        match &found.name {
            b"moov" => movie.movie(found.content.clone())?,
            b"moof" => movie.fragment(found.content.clone())?,
            b"meta" | b"udta" => movie.hide(found.at),
            _ => {}
        }
    }
    if movie.boxes.are_too_many() { implausible("a million boxes".into()) } else { Ok(()) }
}

impl Movie<'_> {
    fn hide(&mut self, at: u64) {
        self.overrides.put(at + 4, b"free");
    }

    fn movie(&mut self, content: Range) -> Result<(), AudioError> {
        // Each fragment refers to all tracks, so none of them can be hidden.
        let in_fragments = self.boxes.find(content.clone(), b"mvex").is_some();
        let mut at = content.start;
        while let Some(found) = self.boxes.next(at, content.end) {
            at = found.content.end;
            if let Ok(len) = u32::try_from(found.content.end - found.at)
                && found.is_cut
            {
                self.overrides.put(found.at, &len.to_be_bytes());
            }
            match &found.name {
                b"udta" | b"meta" => self.hide(found.at),
                b"trak" if !in_fragments && self.is_not_audio(found.content.clone()) => self.hide(found.at),
                name => {
                    self.tables += found.content.end - found.content.start;
                    if name == b"trak" {
                        self.track(found.content)?;
                    }
                }
            }
        }
        self.hide_rest(at, content.end);
        mp4_encryption::check(&mut self.boxes, &content)?;
        match self.tables {
            tables if tables > MAX_TABLES => implausible(format!("{tables} bytes of tables")),
            _ => Ok(()),
        }
    }

    /// Hides bytes after the movie's last valid box, such as a damaged box of tags.
    fn hide_rest(&mut self, at: u64, end: u64) {
        if let Some(len) = end.checked_sub(at).filter(|&len| len >= 8).and_then(|len| u32::try_from(len).ok()) {
            self.overrides.put(at, &len.to_be_bytes());
            self.overrides.put(at + 4, b"free");
        }
    }

    fn is_not_audio(&mut self, track: Range) -> bool {
        let handler = self.boxes.find(track, b"mdia").and_then(|media| self.boxes.find(media, b"hdlr"));
        let kind = handler.and_then(|handler| self.boxes.go_to(&handler, 8)).and_then(|()| self.boxes.bytes::<4>());
        kind.is_some_and(|kind| NOT_AUDIO.contains(&&kind))
    }

    /// Replaces a track's table of durations if it is too long.
    fn track(&mut self, track: Range) -> Result<(), AudioError> {
        let Some((stts, durations, samples)) = self.counts(track) else { return Ok(()) };
        if durations.saturating_mul(samples) / 2 <= MAX_ADDITIONS {
            return Ok(());
        }
        match self.evened_out(&stts, durations) {
            Some(table) => {
                self.overrides.put(stts.start + 4, &table);
                Ok(())
            }
            None => implausible(format!("{durations} durations for {samples} samples")),
        }
    }

    /// A table of the same total length, with two durations that differ by one tick.
    fn evened_out(&mut self, stts: &Range, durations: u64) -> Option<Vec<u8>> {
        self.boxes.go_to(stts, 8)?;
        let (mut samples, mut ticks) = (0u64, 0u64);
        for _ in 0..durations {
            let (count, each) = (self.boxes.number()?, self.boxes.number()?);
            samples += u64::from(count);
            ticks = ticks.checked_add(u64::from(count) * u64::from(each))?;
        }
        let (each, longer) = (ticks.checked_div(samples)?, ticks % samples);
        let table = [2, longer, each + 1, samples - longer, each];
        let numbers: Result<Vec<u32>, _> = table.into_iter().map(u32::try_from).collect();
        Some(numbers.ok()?.into_iter().flat_map(u32::to_be_bytes).collect())
    }

    /// The table of durations, its number of entries, and the number of samples, both limited by the file's length.
    fn counts(&mut self, track: Range) -> Option<(Range, u64, u64)> {
        let media = self.boxes.find(track, b"mdia")?;
        let info = self.boxes.find(media, b"minf")?;
        let table = self.boxes.find(info, b"stbl")?;
        let stts = self.boxes.find(table.clone(), b"stts")?;
        let room = (stts.end - stts.start) / 8;
        self.boxes.go_to(&stts, 4)?;
        let durations = u64::from(self.boxes.number()?).min(room);
        let stsz = self.boxes.find(table, b"stsz")?;
        let room = (stsz.end - stsz.start) / 4;
        self.boxes.go_to(&stsz, 4)?;
        let (size, count) = (self.boxes.number()?, u64::from(self.boxes.number()?));
        let room = if size == 0 { room } else { self.len / u64::from(size) };
        Some((stts, durations, count.min(room)))
    }

    fn fragment(&mut self, content: Range) -> Result<(), AudioError> {
        let mut at = content.start;
        while let Some(found) = self.boxes.next(at, content.end) {
            if &found.name == b"traf" {
                self.track_fragment(&found.content)?;
            }
            at = found.content.end;
        }
        Ok(())
    }

    /// Inspects a track's part of a fragment.
    fn track_fragment(&mut self, content: &Range) -> Result<(), AudioError> {
        let (mut at, mut samples, mut header) = (content.start, 0u64, None);
        while let Some(found) = self.boxes.next(at, content.end) {
            match &found.name {
                b"trun" => samples = samples.saturating_add(self.run(&found.content)?),
                b"tfhd" => header = self.boxes.go_to(&found.content, 4).and_then(|()| self.boxes.number()),
                _ => {}
            }
            at = found.content.end;
        }
        if let Some((track, time)) = header.zip(self.decode_time(content.clone())) {
            self.overrides.fragments.push(Fragment { track, samples, time });
        }
        Ok(())
    }

    /// The time of a fragment's first sample.
    fn decode_time(&mut self, content: Range) -> Option<u64> {
        let found = self.boxes.find(content, b"tfdt")?;
        self.boxes.go_to(&found, 0)?;
        match self.boxes.bytes::<4>()? {
            [0, ..] => self.boxes.number().map(u64::from),
            _ => self.boxes.bytes().map(u64::from_be_bytes),
        }
    }

    /// The number of samples in a run. If no value is stored for each sample, the run may claim any number of them, and each
    /// takes time.
    fn run(&mut self, run: &Range) -> Result<u64, AudioError> {
        let head =
            self.boxes.go_to(run, 0).and_then(|()| Some((self.boxes.number()?, u64::from(self.boxes.number()?))));
        let Some((flags, count)) = head else { return Ok(0) };
        if flags & 0xF00 == 0 {
            self.free = self.free.saturating_add(count);
        }
        if self.free > self.len || flags & 0xF00 != 0 && count > MAX_RUN {
            return implausible(format!("{count} samples in a fragment"));
        }
        Ok(count)
    }
}
