//! Masks damaged regions of a Matroska or WebM file as `Void` elements, so that symphonia's reader continues after them.
//!
//! symphonia's reader follows element sizes. After one damaged size, the rest of the file is lost. This walk stays ahead of
//! the reader and checks each element of the Segment and of its Clusters. Where the chain of elements breaks, it searches for
//! the next plausible element. The bytes between are masked as one `Void` element, which the reader skips, and no byte moves.
//! Time stamps stay right, because those of Clusters are absolute.
//!
//! Each byte is searched once: a search begins where the previous one ended.

use std::{
    io::{Read, Seek},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use super::file_window::{Header, Window};

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1F43_B675;
const TIMESTAMP: u32 = 0xE7;
const SIMPLE_BLOCK: u32 = 0xA3;
const BLOCK_GROUP: u32 = 0xA0;
const BLOCK: u32 = 0xA1;
const TRACKS: u32 = 0x1654_AE6B;
const TRACK_ENTRY: u32 = 0xAE;
const TRACK_NUMBER: u32 = 0xD7;
const INFO: u32 = 0x1549_A966;
const VOID: u32 = 0xEC;
const CRC32: u32 = 0xBF;

/// Children of the Segment, except for Clusters: seek head, info, tracks, cues, tags, chapters, attachments.
const TOP: [u32; 7] = [0x114D_9B74, INFO, TRACKS, 0x1C53_BB6B, 0x1254_C367, 0x1043_A770, 0x1941_A469];

/// Other children of a Cluster: position, previous size, encrypted block, silent tracks.
const OTHER_CHILDREN: [u32; 6] = [VOID, CRC32, 0xA7, 0xAB, 0xAF, 0x5854];

/// The maximum of damaged regions that are masked. After that the file is passed on unchanged.
const MOST_MASKS: usize = 20_000;

/// The number of consecutive plausible elements that a search requires.
const CHAIN: usize = 3;

/// The longest usual step between Clusters, in ticks: a minute, as a tick is usually a millisecond.
const LONG_STEP: u64 = 60_000;

/// The maximum of children of a block group, and of elements of `Tracks`, that are read.
const MOST_CHILDREN: usize = 1_000;

/// Bytes that replace those of the file.
struct Mask {
    at: u64,
    bytes: [u8; 9],
    len: usize,
}

/// The walk through one file.
pub(super) struct MatroskaResync<R> {
    window: Window<R>,
    /// End of the Segment, or of the file where that comes first.
    end: u64,
    /// Everything before this position has been checked.
    at: u64,
    cluster: Option<Cluster>,
    /// The latest Cluster's time stamp.
    latest: u64,
    /// The numbers of the tracks; empty while they are unknown.
    tracks: Vec<u64>,
    masks: Vec<Mask>,
    /// Whether the Segment or the latest Cluster is longer than the file.
    is_cut: bool,
    report: Arc<ResyncReport>,
}

/// A Cluster that the walk is in.
#[derive(Clone, Copy)]
struct Cluster {
    /// Where it ends, if its size is known and leads to another element.
    end: Option<u64>,
}

/// What the walk has found so far, shared with the reader.
#[derive(Debug, Default)]
pub(super) struct ResyncReport {
    /// Bytes in the masked regions.
    pub bytes: AtomicU64,
    /// Whether the walk came to the end of the file, and that is where the last element ends.
    pub is_whole: AtomicBool,
}

impl<R: Read + Seek> MatroskaResync<R> {
    /// The walk through `input`, whose EBML header begins at `start`. `None` where no Segment follows it.
    pub fn of(input: R, start: u64, len: u64) -> Option<Self> {
        let mut window = Window::of(input, len);
        let ebml = window.header(start).filter(|header| header.id == EBML)?;
        let segment = window.header(ebml.stop()?).filter(|header| header.id == SEGMENT)?;
        Some(Self {
            window,
            end: segment.stop().map_or(len, |stop| stop.min(len)),
            at: segment.content,
            cluster: None,
            latest: 0,
            tracks: Vec::new(),
            masks: Vec::new(),
            is_cut: segment.stop().is_some_and(|stop| stop > len),
            report: Arc::default(),
        })
    }

    /// Checks what a read of `len` bytes at `at` returns. Returns how many of them may be read at once, one at least.
    pub fn check(&mut self, at: u64, len: usize) -> usize {
        let until = at.saturating_add(len as u64);
        while self.at < until && self.at < self.end && self.masks.len() < MOST_MASKS {
            let before = self.at;
            self.step();
            if self.at <= before {
                self.at = u64::MAX; // not reached: each step moves forward
            }
        }
        if self.at == self.end && !self.is_cut {
            self.report.is_whole.store(true, Relaxed);
        }
        match self.at.checked_sub(at) {
            Some(checked @ 1..) if self.at < self.end => checked.min(len as u64) as usize,
            _ => len,
        }
    }

    /// Masks the damaged regions in `bytes`, which were read at `at`.
    pub fn apply(&self, at: u64, bytes: &mut [u8]) {
        let end = at + bytes.len() as u64;
        let from = self.masks.partition_point(|mask| mask.at + mask.len as u64 <= at);
        for mask in self.masks[from..].iter().take_while(|mask| mask.at < end) {
            for (place, replacement) in (mask.at..).zip(&mask.bytes[..mask.len]) {
                if let Some(byte) = place.checked_sub(at).and_then(|offset| bytes.get_mut(offset as usize)) {
                    *byte = *replacement;
                }
            }
        }
    }

    /// The report, which is updated as the walk continues.
    pub fn report(&self) -> Arc<ResyncReport> {
        self.report.clone()
    }

    /// Checks one element.
    fn step(&mut self) {
        let at = self.at;
        if self.cluster.is_some_and(|cluster| cluster.end.is_some_and(|end| at >= end)) {
            self.cluster = None;
        }
        let header = self.window.header(at);
        match (self.cluster, header) {
            (None, Some(header)) => self.top(header),
            (Some(cluster), Some(header)) => self.child(cluster, header),
            (_, None) => self.resync(),
        }
    }

    /// Checks a child of the Segment.
    fn top(&mut self, header: Header) {
        match header.id {
            CLUSTER => self.enter(header),
            // Another file behind this one.
            EBML | SEGMENT => self.at = self.end,
            id => {
                if id == TRACKS {
                    self.tracks = self.track_numbers(&header);
                }
                match header.stop() {
                    Some(stop) if stop == self.end || stop < self.end && self.is_top(stop) => self.at = stop,
                    // Their content is needed, even if the element after it is damaged.
                    Some(stop) if stop < self.end && (id == TRACKS || id == INFO) => self.at = stop,
                    _ => self.resync(),
                }
            }
        }
    }

    /// Enters a Cluster. A size after which no element follows is masked as unknown. A time stamp out of order is masked, so
    /// that the reader skips the Cluster's blocks.
    fn enter(&mut self, header: Header) {
        let end = header.stop().filter(|&stop| stop == self.end || stop < self.end && self.is_top(stop));
        if end.is_none() && header.size.is_some() {
            let (from, width) = (header.size_at, (header.content - header.size_at) as usize);
            let mut bytes = [0xFF; 9];
            bytes[0] = ((1u16 << (9 - width)) - 1) as u8;
            self.mask(from, &bytes[..width]);
            self.is_cut |= header.stop().is_none_or(|stop| stop > self.end);
        }
        let limit = end.unwrap_or(self.end);
        if let Some((timestamp, value)) = self.timestamp(header.content, limit) {
            match self.next_time(&header, end, value) {
                Some(next) if self.latest <= next && !(self.latest..=next).contains(&value) => {
                    self.mask(timestamp, &[VOID as u8]);
                    // The reader skips the blocks of the Cluster.
                    self.count(end.map_or(1, |end| end - timestamp));
                }
                _ => self.latest = value,
            }
        }
        self.at = header.content;
        self.cluster = Some(Cluster { end });
    }

    /// The time stamp of the Cluster after this one. If this one's size does not lead to it, it is searched for, but only if
    /// this one's time stamp is doubtful.
    fn next_time(&mut self, header: &Header, end: Option<u64>, value: u64) -> Option<u64> {
        let is_doubtful = header.size.is_some() || value.checked_sub(self.latest).is_none_or(|step| step > LONG_STEP);
        let next = match end {
            Some(end) => Some(end),
            None if is_doubtful => self.search(header.content, self.end),
            None => None,
        };
        let next = self.window.header(next?).filter(|next| next.id == CLUSTER)?;
        self.timestamp(next.content, self.end).map(|(_, value)| value)
    }

    /// Checks a child of a Cluster.
    fn child(&mut self, cluster: Cluster, header: Header) {
        let limit = cluster.end.unwrap_or(self.end);
        match self.end_of_child(&header, limit) {
            Some(stop) => self.at = stop,
            None if cluster.end.is_none() && self.is_top_header(&header) => self.leave(),
            None => self.resync(),
        }
    }

    /// Where the child of a Cluster ends, if it is plausible and ends before `limit`.
    fn end_of_child(&mut self, header: &Header, limit: u64) -> Option<u64> {
        let stop = header.stop().filter(|&stop| stop <= limit)?;
        let content = header.content..stop;
        let is_plausible = match header.id {
            SIMPLE_BLOCK => self.is_block(&content),
            BLOCK_GROUP => self.is_group(content),
            TIMESTAMP => (1..=8).contains(&(stop - header.content)),
            id if OTHER_CHILDREN.contains(&id) => true,
            // An element of a later version of the format: accepted if a known one follows.
            id if id != CLUSTER && !TOP.contains(&id) => {
                stop == limit || self.window.header(stop).is_some_and(|next| is_known_child(next.id))
            }
            _ => false,
        };
        is_plausible.then_some(stop)
    }

    fn is_block(&mut self, content: &Range<u64>) -> bool {
        let track = self.window.number(content.start).filter(|&(_, at)| at + 3 <= content.end);
        track.is_some_and(|(track, _)| self.tracks.is_empty() || self.tracks.contains(&track))
    }

    /// Whether a block group's children fill it and hold a block.
    fn is_group(&mut self, content: Range<u64>) -> bool {
        let (mut at, mut has_block) = (content.start, false);
        for _ in 0..MOST_CHILDREN {
            if at == content.end {
                return has_block;
            }
            let Some(child) = self.window.header(at) else { return false };
            let Some(stop) = child.stop().filter(|&stop| stop <= content.end) else { return false };
            if child.id == BLOCK {
                if !self.is_block(&(child.content..stop)) {
                    return false;
                }
                has_block = true;
            }
            at = stop;
        }
        false
    }

    /// Whether a child of the Segment begins at `at`.
    fn is_top(&mut self, at: u64) -> bool {
        self.window
            .header(at)
            .is_some_and(|header| self.is_top_header(&header) || [EBML, VOID, CRC32].contains(&header.id))
    }

    fn is_top_header(&mut self, header: &Header) -> bool {
        match header.id {
            CLUSTER => self.window.header(header.content).is_some_and(|child| is_known_child(child.id)),
            id => TOP.contains(&id) && header.size.is_some(),
        }
    }

    /// The Cluster's time stamp: where its element begins, and its value. It is one of the first children.
    fn timestamp(&mut self, mut at: u64, limit: u64) -> Option<(u64, u64)> {
        for _ in 0..4 {
            let child = self.window.header(at)?;
            let stop = child.stop().filter(|&stop| stop <= limit)?;
            if child.id == TIMESTAMP {
                return Some((at, self.window.unsigned(&(child.content..stop))?));
            }
            at = stop;
        }
        None
    }

    /// The numbers in the element `Tracks`.
    fn track_numbers(&mut self, tracks: &Header) -> Vec<u64> {
        let limit = tracks.stop().unwrap_or(self.end).min(self.end);
        let (mut at, mut numbers) = (tracks.content, Vec::new());
        for _ in 0..MOST_CHILDREN {
            let Some(child) = self.window.header(at) else { break };
            let Some(stop) = child.stop().filter(|&stop| stop <= limit) else { break };
            if child.id == TRACK_NUMBER {
                numbers.extend(self.window.unsigned(&(child.content..stop)));
            }
            at = if child.id == TRACK_ENTRY { child.content } else { stop };
        }
        numbers
    }

    /// Masks the bytes between the current position and the next plausible element.
    fn resync(&mut self) {
        let (from, limit) = (self.at, self.cluster.and_then(|cluster| cluster.end));
        let found = self.search(from.saturating_add(2), limit.unwrap_or(self.end)).or(limit);
        let Some(found) = found.filter(|&found| found >= from + 2) else {
            // Cut off, or damaged up to its end: the reader detects that.
            self.at = limit.unwrap_or(u64::MAX).max(from + 1);
            return;
        };
        tracing::debug!(from, found, "damaged Matroska elements");
        let len = found - from;
        match len - 2 {
            short @ 0..127 => self.mask(from, &[VOID as u8, 0x80 | short as u8]),
            _ => {
                let mut void = [0; 9];
                void[1..].copy_from_slice(&((len - 9) | 1 << 56).to_be_bytes());
                void[0] = VOID as u8;
                self.mask(from, &void);
            }
        }
        self.count(len);
        if limit.is_none() {
            self.leave();
        }
        self.at = found;
    }

    /// Leaves a Cluster of unknown size. As another element follows, the file is not cut off in it.
    fn leave(&mut self) {
        if self.cluster.take().is_some() {
            self.is_cut = false;
        }
    }

    fn count(&self, bytes: u64) {
        self.report.bytes.fetch_add(bytes, Relaxed);
    }

    fn mask(&mut self, at: u64, replacement: &[u8]) {
        let mut mask = Mask { at, bytes: [0; 9], len: replacement.len().min(9) };
        mask.bytes[..mask.len].copy_from_slice(&replacement[..mask.len]);
        self.masks.push(mask);
    }

    /// The first plausible element at `from` or later. Blocks count only within a Cluster whose end is known: elsewhere the
    /// header of a Cluster may be in the damaged region, and the block's time would be relative to the wrong one.
    fn search(&mut self, from: u64, limit: u64) -> Option<u64> {
        let in_cluster = self.cluster.is_some_and(|cluster| cluster.end.is_some());
        let mut at = from;
        loop {
            at = self.window.find(at, limit, |first| match first {
                0x1F | 0x1C | 0x19 | 0x16 | 0x15 | 0x12 | 0x11 | 0x10 => true,
                0xA3 | 0xA0 => in_cluster,
                _ => false,
            })?;
            if let Some(header) = self.window.header(at) {
                let is_found = match header.id {
                    SIMPLE_BLOCK | BLOCK_GROUP => in_cluster && self.is_chain(at, limit),
                    CLUSTER => self.is_top_header(&header),
                    id => TOP.contains(&id) && header.stop().is_some_and(|stop| stop == self.end || self.is_top(stop)),
                };
                if is_found {
                    return Some(at);
                }
            }
            at += 1;
        }
    }

    /// Whether consecutive children of a Cluster begin at `at`: [`CHAIN`] of them, or all up to its end at `limit`.
    fn is_chain(&mut self, mut at: u64, limit: u64) -> bool {
        for _ in 0..CHAIN {
            if at == limit {
                break;
            }
            let Some(header) = self.window.header(at).filter(|header| is_known_child(header.id)) else { return false };
            let Some(stop) = self.end_of_child(&header, limit) else { return false };
            at = stop;
        }
        true
    }
}

fn is_known_child(id: u32) -> bool {
    [TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP].contains(&id) || OTHER_CHILDREN.contains(&id)
}
