//! Finds frames, skips tags, and resynchronises after damage.

use std::io;

use symphonia::core::io::MediaSourceStream;

use super::{
    frame_header::{Codec, Format, FrameHeader, LONGEST_FRAME, SHORTEST_HEADER, Syntax},
    tags::{self, Tag},
    window::Window,
};

/// The number of consecutive frames of one format that prove a stream.
const AGREEING: usize = 3;

/// The number of tags with a wrong length after which long tags are ignored: each costs a seek.
const MOST_WRONG_TAGS: u32 = 16;

/// An upper limit of the length of an MPEG audio frame.
const LONGEST_MPEG_FRAME: usize = 2_900;

/// A frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub header: FrameHeader,
    /// Its position in the source.
    pub at: u64,
    /// Bytes before it that are neither frames nor tags.
    pub skipped: u64,
}

/// Reads frame after frame.
pub(super) struct Frames<'s> {
    window: Window<'s>,
    syntax: Syntax,
    state: State,
    /// Whether the source ends within the last frame.
    is_cut: bool,
    wrong_tags: u32,
}

/// The position of a [`Frames`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct State {
    position: u64,
    /// Length of the current frame, at `position`.
    current: usize,
    format: Option<Format>,
    /// The bitrate, if all frames of the format have the same.
    constant_bitrate: Option<u32>,
    /// Bytes so far that are neither frames nor tags.
    skipped: u64,
}

/// What was found at the current position.
enum Found {
    Frame(FrameHeader),
    /// The beginning of a frame that the end of the source cuts off.
    Cut,
    Other,
}

impl<'s> Frames<'s> {
    /// Reads the frames of `source`, whose headers have the given syntax.
    pub fn new(source: MediaSourceStream<'s>, syntax: Syntax) -> Self {
        Self { window: Window::new(source), syntax, state: State::default(), is_cut: false, wrong_tags: 0 }
    }

    /// The current frame's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.window.bytes().get(..self.state.current).unwrap_or_default()
    }

    /// The mean length of frames, sampled at `places` places between the current frame and the end, and the number of bytes
    /// up to the end. `None` if the source cannot seek.
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

    /// The number of consecutive frames in memory, and their bytes.
    fn frames_in_memory(&self) -> (u64, u64) {
        let begin = self.find(0..self.lookahead()).unwrap_or(usize::MAX);
        let (mut at, mut count) = (begin, 0);
        let parse = |at: usize| self.window.bytes().get(at..).and_then(|bytes| self.syntax.parse(bytes));
        while let Some(header) = parse(at) {
            (at, count) = (at + header.len, count + 1);
        }
        (count, at.saturating_sub(begin) as u64)
    }

    /// The number of bytes up to the current position that are neither frames nor tags.
    pub fn skipped(&self) -> u64 {
        self.state.skipped
    }

    /// Whether the source ended within a frame.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The current position, for [`Frames::restore`]; `None` if the source cannot seek.
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
                self.state.skipped += skipped;
                return Ok(None);
            }
            if self.pass_tag(&mut skipped)? {
                is_behind_tag = true;
                continue;
            }
            match self.look() {
                Found::Frame(header) => return Ok(Some(self.enter(header, skipped))),
                Found::Cut => {
                    self.state.skipped += skipped;
                    self.is_cut = true;
                    return Ok(None);
                }
                Found::Other => skipped += self.resynchronise(is_behind_tag)?,
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
        state.skipped += skipped;
        Frame { header, at: self.window.position(), skipped }
    }

    fn look(&self) -> Found {
        let bytes = self.window.bytes();
        let Some(header) = self.syntax.parse(bytes) else { return Found::Other };
        let is_known = self.state.format == Some(header.format);
        if bytes.len() < header.len {
            let is_cut = is_known && self.find(1..bytes.len()).is_none();
            return if is_cut { Found::Cut } else { Found::Other };
        }
        let is_followed = is_known && self.continues(header.len) || self.begins_stream(0);
        let is_usual = is_known && self.state.constant_bitrate.is_none_or(|rate| rate == header.bitrate);
        let is_frame = match (is_followed, is_usual) {
            (true, true) => true,
            // The length in a damaged header may span intact frames, and even end at the beginning of one.
            (true, false) | (false, true) => self.find(1..header.len).is_none(),
            (false, false) => false,
        };
        if is_frame { Found::Frame(header) } else { Found::Other }
    }

    /// Whether the stream continues at `at`: with a frame of the same format, a tag, or the end.
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

    /// The first position within `range` where a stream or a tag begins.
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

    /// Moves to the next position where a stream or a tag begins. Returns the number of skipped bytes, 0 if they belong to a
    /// tag.
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
                // Some programs pad their tags with zeros.
                return Ok(if are_lyrics || is_behind_tag && is_zero { 0 } else { skipped });
            }
        }
    }

    /// Skips a tag; `false` if there is none.
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

    /// Skips a long tag. Its length is accepted only if audio, another tag or the end follows it.
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

/// Whether a stream begins with `bytes`: [`AGREEING`] consecutive frames of one format. Near the end or a tag, fewer are
/// enough if they have the format `known`.
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
    /// Whether this is AAC.
    pub fn is_aac(self) -> bool {
        matches!(self, Self::Aac(_))
    }
}
