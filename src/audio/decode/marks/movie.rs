//! MP4: the tracks that are no sound, and what is said of the film. The tables of the sound are held to what is affordable.
//!
//! symphonia adds up all durations before a sample for each sample. A recorder that writes a duration for each (Android's do)
//! would make it add for minutes, and a liar for days; so a long table is seen as one of the mean duration. Only where the
//! first and the last samples lie matters here, and there it is right.

use std::fs::File;

use super::{Marks, implausible};
use crate::audio::{
    AudioError,
    decode::boxes::{Boxes, Range},
};

/// Boxes that are looked at, at most: files have hundreds, or eight for each fragment of a second or two.
const MOST_BOXES: u32 = 1_000_000;

/// Bytes of the tables that are read whole. Ten hours of AAC have 7 MB.
const MOST_TABLES: u64 = 24 << 20;

/// Additions that the times of a track may take: less than a second.
const MOST_ADDITIONS: u64 = 1_000_000_000;

/// Samples of a fragment with a table.
const MOST_OF_A_RUN: u64 = 200_000;

/// Tracks of these kinds are no sound.
const OTHERS: [&[u8; 4]; 11] =
    [b"vide", b"auxv", b"pict", b"sbtl", b"subt", b"text", b"clcp", b"tmcd", b"hint", b"meta", b"sdsm"];

struct Movie<'m> {
    boxes: Boxes,
    marks: &'m mut Marks,
    len: u64,
    /// Bytes of tables that are read.
    tables: u64,
    /// Samples of fragments that have no bytes in a table.
    free: u64,
}

/// Looks at the boxes of a file of `len` bytes.
pub(super) fn all(file: File, len: u64, marks: &mut Marks) -> Result<(), AudioError> {
    let mut movie = Movie { boxes: Boxes::of(file, MOST_BOXES), marks, len, tables: 0, free: 0 };
    let mut at = movie.marks.start;
    while let Some(found) = movie.boxes.next(at, len) {
        match &found.name {
            b"moov" => movie.movie(found.content.clone())?,
            b"moof" => movie.fragment(found.content.clone())?,
            b"meta" | b"udta" => movie.hide(found.at),
            _ => {}
        }
        at = found.content.end;
    }
    if movie.boxes.are_too_many() { implausible("a million boxes".into()) } else { Ok(()) }
}

impl Movie<'_> {
    fn hide(&mut self, at: u64) {
        self.marks.put(at + 4, b"free");
    }

    fn movie(&mut self, content: Range) -> Result<(), AudioError> {
        // Fragments have a part for each track, so that none can be hidden.
        let in_fragments = self.boxes.find(content.clone(), b"mvex").is_some();
        let mut at = content.start;
        while let Some(found) = self.boxes.next(at, content.end) {
            at = found.content.end;
            match &found.name {
                b"udta" | b"meta" => self.hide(found.at),
                b"trak" if !in_fragments && self.is_no_sound(found.content.clone()) => self.hide(found.at),
                name => {
                    self.tables += found.content.end - found.content.start;
                    if name == b"trak" {
                        self.track(found.content)?;
                    }
                }
            }
        }
        match self.tables {
            tables if tables > MOST_TABLES => implausible(format!("{tables} bytes of tables")),
            _ => Ok(()),
        }
    }

    fn is_no_sound(&mut self, track: Range) -> bool {
        let handler = self.boxes.find(track, b"mdia").and_then(|media| self.boxes.find(media, b"hdlr"));
        let kind = handler.and_then(|handler| self.boxes.go_to(&handler, 8)).and_then(|()| self.boxes.bytes::<4>());
        kind.is_some_and(|kind| OTHERS.contains(&&kind))
    }

    /// Holds a track's table of durations to its samples.
    fn track(&mut self, track: Range) -> Result<(), AudioError> {
        let Some((stts, durations, samples)) = self.counts(track) else { return Ok(()) };
        if durations.saturating_mul(samples) / 2 <= MOST_ADDITIONS {
            return Ok(());
        }
        match self.evened_out(&stts, durations) {
            Some(table) => {
                self.marks.put(stts.start + 4, &table);
                Ok(())
            }
            None => implausible(format!("{durations} durations for {samples} samples")),
        }
    }

    /// A table of the same length, of one duration and one that is a tick longer.
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

    /// The table of durations, and how many of them and of samples there are, at most.
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
                let mut at = found.content.start;
                while let Some(run) = self.boxes.next(at, found.content.end) {
                    if &run.name == b"trun" {
                        self.run(&run.content)?;
                    }
                    at = run.content.end;
                }
            }
            at = found.content.end;
        }
        Ok(())
    }

    /// A run of samples: their count is a promise where nothing is said of each, and takes time all the same.
    fn run(&mut self, run: &Range) -> Result<(), AudioError> {
        let head =
            self.boxes.go_to(run, 0).and_then(|()| Some((self.boxes.number()?, u64::from(self.boxes.number()?))));
        let Some((flags, count)) = head else { return Ok(()) };
        if flags & 0xF00 == 0 {
            self.free = self.free.saturating_add(count);
        }
        if self.free > self.len || flags & 0xF00 != 0 && count > MOST_OF_A_RUN {
            return implausible(format!("{count} samples in a fragment"));
        }
        Ok(())
    }
}
