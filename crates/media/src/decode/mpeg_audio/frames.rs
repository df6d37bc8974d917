//! From bytes to frames: finds them, passes over tags, and resynchronises after damage.

use std::io;

use symphonia::core::io::MediaSourceStream;

use super::{
    frame_header::{Codec, Format, FrameHeader, LONGEST_FRAME, SHORTEST_HEADER, Syntax},
    tags::{self, Tag},
    window::Window,
};

/// Frames in a row that have to agree before their stream is believed.
const AGREEING: usize = 3;

/// Tags whose length turned out to be wrong, after which no long one is believed: each costs a seek.
const MOST_WRONG_TAGS: u32 = 16;

/// The longest frame of MPEG audio, with some to spare.
const LONGEST_MPEG_FRAME: usize = 2_900;

/// A frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub header: FrameHeader,
    /// Its position in the source.
    pub at: u64,
    /// Bytes before it that are neither a frame nor a tag.
    pub skipped: u64,
}

/// Reads frame after frame.
pub(super) struct Frames<'s> {
    window: Window<'s>,
    syntax: Syntax,
    state: State,
    /// Whether the last frame is cut off by the source's end.
    is_cut: bool,
    wrong_tags: u32,
}

/// Where a [`Frames`] is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    position: u64,
    /// Length of the current frame, at `position`.
    current: usize,
    format: Option<Format>,
    /// The one bitrate of all frames since the format began.
    constant_bitrate: Option<u32>,
}

/// What lies at the current position.
enum Found {
    Frame(FrameHeader),
    /// The beginning of a frame that the source's end cuts off.
    Cut,
    Junk,
}

impl<'s> Frames<'s> {
    /// The frames of `source`, which have headers of the given syntax.
    pub fn new(source: MediaSourceStream<'s>, syntax: Syntax) -> Self {
        Self { window: Window::new(source), syntax, state: State::default(), is_cut: false, wrong_tags: 0 }
    }

    /// The current frame's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.window.bytes().get(..self.state.current).unwrap_or_default()
    }

    /// Mean length of frames, of some at so many places from the current frame to the end, and the bytes up to there. `None`
    /// where the source cannot seek.
    pub fn mean_len(&mut self, places: u64) -> io::Result<Option<(f64, u64)>> {
        let Some((here, end)) = self.save().zip(self.window.source_len()) else { return Ok(None) };
        let left = end.saturating_sub(here.position);
        let (mut frames, mut bytes) = (0, 0);
        for place in 0..places {
            self.window.jump(here.position + left / places * place)?;
            self.window.fill(self.lookahead())?;
            let (count, len) = self.frames_in_memory();
            (frames, bytes) = (frames + count, bytes + len);
        }
        self.restore(here)?;
        Ok((frames > 0).then(|| (bytes as f64 / frames as f64, left)))
    }

    /// Frames in a row in memory, and their bytes.
    fn frames_in_memory(&self) -> (u64, u64) {
        let begin = self.find(0..self.lookahead()).unwrap_or(usize::MAX);
        let (mut at, mut count) = (begin, 0);
        let parse = |at: usize| self.window.bytes().get(at..).and_then(|bytes| self.syntax.parse(bytes));
        while let Some(header) = parse(at) {
            (at, count) = (at + header.len, count + 1);
        }
        (count, at.saturating_sub(begin) as u64)
    }

    /// Whether the source ended within a frame.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Where the frames are, to come back with [`Frames::restore`]; `None` where the source cannot seek.
    pub fn save(&self) -> Option<State> {
        self.window.source_len()?;
        Some(State { position: self.window.position(), ..self.state })
    }

    pub fn restore(&mut self, state: State) -> io::Result<()> {
        self.window.jump(state.position)?;
        self.window.fill(self.lookahead())?;
        (self.state, self.is_cut) = (state, false);
        Ok(())
    }

    pub fn into_inner(self) -> MediaSourceStream<'s> {
        self.window.into_inner()
    }

    fn lookahead(&self) -> usize {
        let longest = if self.syntax == Syntax::Adts { LONGEST_FRAME } else { LONGEST_MPEG_FRAME };
        AGREEING * longest + SHORTEST_HEADER
    }

    /// The next frame; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Frame>> {
        self.window.consume(self.state.current);
        self.state.current = 0;
        let (mut skipped, mut is_behind_tag) = (0, false);
        loop {
            self.window.fill(self.lookahead())?;
            if self.window.bytes().is_empty() {
                return Ok(None);
            }
            if self.pass_tag(&mut skipped)? {
                is_behind_tag = true;
                continue;
            }
            match self.look() {
                Found::Frame(header) => return Ok(Some(self.enter(header, skipped))),
                Found::Cut => {
                    self.is_cut = true;
                    return Ok(None);
                }
                Found::Junk => skipped += self.resynchronise(is_behind_tag)?,
            }
            is_behind_tag = false;
        }
    }

    fn enter(&mut self, header: FrameHeader, skipped: u64) -> Frame {
        let is_new = self.state.format != Some(header.format);
        let state = &mut self.state;
        state.constant_bitrate =
            if is_new { Some(header.bitrate) } else { state.constant_bitrate.filter(|&rate| rate == header.bitrate) };
        (state.format, state.current) = (Some(header.format), header.len);
        Frame { header, at: self.window.position(), skipped }
    }

    fn look(&self) -> Found {
        let bytes = self.window.bytes();
        let Some(header) = self.syntax.parse(bytes) else { return Found::Junk };
        let is_known = self.state.format == Some(header.format);
        if bytes.len() < header.len {
            let is_cut = is_known && self.find(1..bytes.len()).is_none();
            return if is_cut { Found::Cut } else { Found::Junk };
        }
        let is_followed = is_known && self.continues(header.len) || self.begins_stream(0);
        let is_usual = is_known && self.state.constant_bitrate.is_none_or(|rate| rate == header.bitrate);
        let is_frame = match (is_followed, is_usual) {
            (true, true) => true,
            // A damaged header has a length that may reach over good frames, even to the beginning of one.
            (true, false) | (false, true) => self.find(1..header.len).is_none(),
            (false, false) => false,
        };
        if is_frame { Found::Frame(header) } else { Found::Junk }
    }

    /// Whether the stream goes on at `at`: with a frame of the same format, a tag, or the end.
    fn continues(&self, at: usize) -> bool {
        let bytes = self.window.bytes().get(at..).unwrap_or_default();
        match self.syntax.parse(bytes) {
            Some(next) => self.state.format == Some(next.format),
            None => bytes.is_empty() || tags::tag(bytes).is_some(),
        }
    }

    fn begins_stream(&self, at: usize) -> bool {
        let bytes = self.window.bytes().get(at..).unwrap_or_default();
        begins_stream(self.syntax, self.state.format, bytes)
    }

    /// The first place within `range` where a stream begins, or a tag.
    fn find(&self, range: std::ops::Range<usize>) -> Option<usize> {
        let bytes = self.window.bytes();
        let mut from = range.start;
        loop {
            let rest = bytes.get(from..range.end.min(bytes.len()))?;
            from += rest.iter().position(|&byte| matches!(byte, 0xFF | b'I' | b'A'))?;
            let here = bytes.get(from..).unwrap_or_default();
            let is_tag = !here.starts_with(&[0xFF]) && tags::tag(here).is_some();
            if is_tag || begins_stream(self.syntax, self.state.format, here) {
                return Some(from);
            }
            from += 1;
        }
    }

    /// Moves to the next place where a stream begins, or a tag. Returns the bytes in between, unless they belong to a tag.
    fn resynchronise(&mut self, is_behind_tag: bool) -> io::Result<u64> {
        let are_lyrics = tags::are_lyrics(self.window.bytes());
        let (mut skipped, mut is_zero, mut from) = (0, true, 1);
        loop {
            self.window.fill(2 * self.lookahead())?;
            let len = self.window.bytes().len();
            let end = if self.window.is_at_end() { len } else { len.saturating_sub(self.lookahead()) };
            let found = self.find(from..end);
            let passed = found.unwrap_or(end);
            is_zero &= self.window.bytes().iter().take(passed).all(|&byte| byte == 0);
            self.window.consume(passed);
            skipped += passed as u64;
            from = 0;
            if found.is_some() || end == len {
                // Some programs leave zeros behind their tags.
                return Ok(if are_lyrics || is_behind_tag && is_zero { 0 } else { skipped });
            }
        }
    }

    /// Passes over a tag; `false` where there is none.
    fn pass_tag(&mut self, skipped: &mut u64) -> io::Result<bool> {
        match tags::tag(self.window.bytes()) {
            None => Ok(false),
            Some(Tag::Behind(before, len)) => {
                *skipped = skipped.saturating_sub(before);
                self.window.consume(len as usize);
                Ok(true)
            }
            Some(Tag::Ahead(len)) if len <= self.window.bytes().len() as u64 => {
                self.window.consume(len as usize);
                Ok(true)
            }
            Some(Tag::Ahead(len)) => self.pass_long_tag(len),
        }
    }

    /// The length of a long tag is only believed where audio, another tag or the end is behind it.
    fn pass_long_tag(&mut self, len: u64) -> io::Result<bool> {
        let (position, end) = (self.window.position(), self.window.position().saturating_add(len));
        let Some(source_len) = self.window.source_len() else {
            let at_end = self.window.is_at_end();
            return if at_end { Ok(false) } else { self.window.jump(end).map(|()| true) };
        };
        if end > source_len || self.wrong_tags >= MOST_WRONG_TAGS {
            return Ok(false);
        }
        self.window.jump(end)?;
        self.window.fill(self.lookahead())?;
        let bytes = self.window.bytes();
        if bytes.is_empty() || tags::tag(bytes).is_some() || self.find(0..self.lookahead()).is_some() {
            return Ok(true);
        }
        self.wrong_tags += 1;
        self.window.jump(position)?;
        self.window.fill(self.lookahead())?;
        Ok(false)
    }
}

/// Whether a stream begins with `bytes`: frames in a row of one format, as many as fit. Nearer to the end, or to a tag, fewer
/// are enough where they go on in the format `known`.
pub(super) fn begins_stream(syntax: Syntax, known: Option<Format>, bytes: &[u8]) -> bool {
    let Some(first) = syntax.parse(bytes) else { return false };
    let is_known = known == Some(first.format);
    let mut at = first.len;
    for count in 1..AGREEING {
        let rest = bytes.get(at..).unwrap_or_default();
        match syntax.parse(rest) {
            Some(next) if next.format == first.format => at += next.len,
            Some(_) => return false,
            None if at == bytes.len() || tags::tag(rest).is_some() => return is_known || count > 1,
            None => return count > 1 && rest.len() < SHORTEST_HEADER && (is_known || known.is_none()),
        }
    }
    true
}

impl Codec {
    /// Whether frames may differ in length in ways that their headers do not announce.
    pub fn is_aac(self) -> bool {
        matches!(self, Self::Aac(_))
    }
}
