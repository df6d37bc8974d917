//! Walks the top-level boxes of an MP4 file, of which one may be damaged or longer than the file.
//!
//! symphonia finds the movie and its fragments by skipping the boxes before them. Where this chain is broken, the next box is
//! searched for, and the bytes between are hidden as free space. Tables refer to samples by their offsets in the file, so
//! nothing else is lost. A search begins where the previous one ended, so each byte is inspected once.

use crate::MediaRead;

use super::{ByteOverrides, End};
use crate::decode::{
    file_window::Window,
    mp4_boxes::{Boxes, Found},
};

/// Names of top-level boxes.
const KNOWN: [&[u8; 4]; 16] = [
    b"ftyp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"udta", b"meta", b"uuid", b"sidx", b"styp",
    b"emsg", b"prft", b"mfra", b"pdin",
];

/// The walk over a file's boxes.
pub(in crate::decode) struct Layout {
    window: Window<Box<dyn MediaRead>>,
    len: u64,
    /// The offset of the next box.
    at: u64,
    has_movie: bool,
    has_data: bool,
    /// Whether the file is a sequence of fragments.
    in_fragments: bool,
    /// Whether the data of the latest fragment's table are still to come.
    waits_for_data: bool,
}

impl Layout {
    /// The walk over the boxes of a file of `len` bytes, from `at` on.
    pub fn of(file: Box<dyn MediaRead>, at: u64, len: u64) -> Self {
        let window = Window::of(file, len);
        Self { window, len, at, has_movie: false, has_data: false, in_fragments: false, waits_for_data: false }
    }

    /// The next box. Replacements of damaged boxes are added to `overrides`.
    pub fn next(&mut self, boxes: &mut Boxes, overrides: &mut ByteOverrides) -> Option<Found> {
        while !boxes.are_too_many() {
            let at = self.at;
            if at.saturating_add(8) > self.len {
                return self.end(at < self.len, overrides);
            }
            match boxes.next(at, self.len) {
                Some(found) if self.is_plausible(&found, boxes) => {
                    let found = self.fitted(found, overrides);
                    self.at = found.content.end;
                    self.record(&found, boxes);
                    return Some(found);
                }
                _ => {
                    let Some(next) = self.search(at.saturating_add(8), true) else {
                        self.free(at, self.len, overrides);
                        return self.end(true, overrides);
                    };
                    self.free(at, next, overrides);
                    self.at = next;
                }
            }
        }
        None
    }

    /// Updates the state for a box.
    fn record(&mut self, found: &Found, boxes: &mut Boxes) {
        match &found.name {
            b"moov" => {
                self.has_movie = true;
                self.in_fragments |= boxes.find(found.content.clone(), b"mvex").is_some();
            }
            b"moof" => (self.in_fragments, self.waits_for_data) = (true, true),
            b"mdat" => (self.has_data, self.waits_for_data) = (true, false),
            _ => {}
        }
    }

    /// Ends the walk. `is_broken` says that bytes follow that are not a box: in a fragmented file these may be a lost
    /// fragment, while without fragments the movie's tables show what is missing.
    fn end(&mut self, is_broken: bool, overrides: &mut ByteOverrides) -> Option<Found> {
        if self.waits_for_data || self.in_fragments && is_broken {
            overrides.end = End::CutOff;
        }
        None
    }

    /// Whether a header is that of a box: its name is known, or another box follows it. Only media data and the tags in a movie may be cut off.
    fn is_plausible(&mut self, found: &Found, boxes: &mut Boxes) -> bool {
        let is_known = KNOWN.contains(&&found.name);
        if found.is_cut {
            return &found.name == b"mdat" || &found.name == b"moov" && has_whole_tracks(boxes, found);
        }
        let next = found.content.end;
        is_known || next == self.len || self.window.array::<8>(next).is_some_and(|head| KNOWN.contains(&&name(&head)))
    }

    /// Shortens media data and movies that are longer than the file. Media data end at the movie, if it lies within them.
    fn fitted(&mut self, mut found: Found, overrides: &mut ByteOverrides) -> Found {
        if !found.is_cut {
            return found;
        }
        let next = (&found.name == b"mdat" && (!self.has_movie || self.in_fragments))
            .then(|| self.search(found.content.start, false))
            .flatten();
        found.content.end = next.unwrap_or(self.len);
        let len = found.content.end - found.at;
        match (found.content.start - found.at, u32::try_from(len)) {
            (8, Ok(len)) => overrides.put(found.at, &len.to_be_bytes()),
            _ => overrides.put(found.at + 8, &len.to_be_bytes()),
        };
        found
    }

    /// Hides the bytes from `at` to `end` as free space, or as media data if there are none yet: symphonia refuses a file
    /// without such a box.
    fn free(&mut self, at: u64, end: u64, overrides: &mut ByteOverrides) {
        tracing::debug!(at, end, "damaged MP4 boxes");
        let name = if self.has_data { b"free" } else { b"mdat" };
        self.has_data = true;
        match u32::try_from(end - at) {
            Ok(len) => overrides.put(at, &[&len.to_be_bytes(), &name[..]].concat()),
            Err(_) => overrides.put(at, &[&1u32.to_be_bytes(), &name[..], &(end - at).to_be_bytes()].concat()),
        };
    }

    /// The offset of the next movie, fragment or, with `data`, box of media data, at `from` or later.
    fn search(&mut self, from: u64, data: bool) -> Option<u64> {
        let mut at = from.saturating_add(4);
        loop {
            at = self.window.find(at, self.len, |byte| byte == b'm')?;
            let start = at - 4;
            if self.window.array::<4>(at).is_some_and(|name| [*b"moov", *b"moof", *b"mdat"].contains(&name))
                && self.begins_at(start, data)
            {
                return Some(start);
            }
            at += 1;
        }
    }

    /// Whether a movie, a fragment or media data begin at `at`. The first two are recognised by the name of their first box,
    /// media data by the box that follows them.
    fn begins_at(&mut self, at: u64, data: bool) -> bool {
        let Some(head) = self.window.array::<16>(at) else { return false };
        let [a, b, c, d, ..] = head;
        let len = u64::from(u32::from_be_bytes([a, b, c, d]));
        let stop = at.saturating_add(len);
        match (&name(&head), &head[12..]) {
            (b"moov", b"mvhd") | (b"moof", b"mfhd") => len >= 16 && stop <= self.len,
            (b"mdat", _) if data => {
                len >= 8
                    && (stop == self.len
                        || self.window.array::<8>(stop).is_some_and(|next| KNOWN.contains(&&name(&next))))
            }
            _ => false,
        }
    }
}

/// Whether only tags at the end of a movie are cut off.
fn has_whole_tracks(boxes: &mut Boxes, movie: &Found) -> bool {
    let (mut at, mut tracks) = (movie.content.start, 0);
    while let Some(found) = boxes.next(at, movie.content.end) {
        match &found.name {
            b"mvhd" | b"trak" if found.is_cut => return false,
            b"trak" => tracks += 1,
            _ if at == movie.content.start && &found.name != b"mvhd" => return false,
            _ => {}
        }
        at = found.content.end;
    }
    tracks > 0
}

/// The name in a box's header.
fn name(head: &[u8]) -> [u8; 4] {
    head.get(4..8).and_then(|name| name.first_chunk().copied()).unwrap_or_default()
}
