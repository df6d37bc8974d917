//! One logical stream: assembles its packets from pages and gives them time stamps.

use std::collections::VecDeque;

use symphonia::core::{
    packet::Packet,
    units::{Duration, Timestamp},
};

use super::{
    mapping::Mapping,
    page::Page,
    timestamps::{PageTime, Step, Timestamps},
};

/// The maximum of bytes of a packet that spans pages. Of comments, which may contain pictures, only the beginning is kept.
const LONGEST_PACKET: usize = 1 << 20;
const COMMENT_START: usize = 64;

/// More frames than any packet has: trims all that an unprimed decoder outputs for it.
const WHOLE_PACKET: u64 = 1 << 20;

/// A stream of a supported codec.
pub(super) struct LogicalStream {
    pub mapping: Mapping,
    serial: u32,
    timestamps: Timestamps,
    /// The beginning of a packet that continues on the next page.
    partial: Option<Vec<u8>>,
    /// The sequence number of the latest page, and the number of pages in order less those out of order.
    sequence: u32,
    order: i32,
    has_ended: bool,
    is_after_loss: bool,
    /// The position of the next packet.
    next: i64,
    /// The packets of a page after a jump, held until the next page confirms it.
    held: Option<(Vec<Packet>, PageTime, u64)>,
}

impl LogicalStream {
    /// The stream that begins with `page`; `None` if its codec is unknown.
    pub fn of(page: &Page) -> Option<Self> {
        let (packet, _) = page.parts().next()?;
        let mapping = Mapping::of(packet)?;
        Some(Self {
            serial: page.serial,
            timestamps: Timestamps::new(mapping.rate(), matches!(mapping, Mapping::Vorbis { .. })),
            partial: None,
            sequence: page.sequence,
            order: 0,
            has_ended: page.is_last,
            is_after_loss: false,
            next: mapping.start(),
            held: None,
            mapping,
        })
    }

    /// Whether its last page has been read.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Appends the packets that end on `page` to `packets`, unless their time depends on the next page.
    pub fn read(&mut self, page: &Page, packets: &mut VecDeque<Packet>) {
        self.has_ended = page.is_last;
        if self.has_lost_pages(page) {
            self.lose();
        }
        if page.is_continued != self.partial.is_some() {
            self.lose();
        }
        // The rest of a packet whose beginning was lost.
        let mut is_rest = page.is_continued && self.partial.is_none();
        let (mut found, mut time) = (Vec::new(), PageTime::default());
        for (part, is_end) in page.parts() {
            if std::mem::take(&mut is_rest) {
                if !is_end {
                    break;
                }
                continue;
            }
            if !is_end {
                self.keep(part);
            } else if let Some(packet) = self.packet(part) {
                time.frames += packet.dur.get();
                time.longest = time.longest.max(packet.dur.get());
                found.push(packet);
            }
        }
        if !found.is_empty() {
            time.granule = page.granule;
            time.is_last = page.is_last;
            time.is_after_loss = std::mem::take(&mut self.is_after_loss);
            self.place(found, time, packets);
        }
    }

    /// Whether pages are missing before `page`. Where the sequence numbers are mostly wrong, skipped bytes decide.
    fn has_lost_pages(&mut self, page: &Page) -> bool {
        let is_next = page.sequence == self.sequence.wrapping_add(1);
        self.sequence = page.sequence;
        let has_order = self.order >= 0;
        self.order = (self.order + if is_next { 1 } else { -1 }).min(1_000);
        if has_order { !is_next } else { page.follows_gap }
    }

    fn lose(&mut self) {
        self.partial = None;
        self.is_after_loss = true;
        self.mapping.lose();
    }

    /// Keeps a part of a packet that continues, up to the limit: a longer packet is not decoded.
    fn keep(&mut self, part: &[u8]) {
        let partial = self.partial.get_or_insert_default();
        let longest = if self.mapping.is_comment(partial) { COMMENT_START } else { LONGEST_PACKET };
        let room = longest.saturating_sub(partial.len());
        partial.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// The packet that ends with `part`, if it is audio. Its time is not set yet.
    fn packet(&mut self, part: &[u8]) -> Option<Packet> {
        let data = match self.partial.take() {
            Some(partial) => [&partial, part].concat(),
            None => part.to_vec(),
        };
        let length = self.mapping.read(&data)?;
        let mut packet = Packet::new(self.serial, Timestamp::ZERO, Duration::from(length.frames), data);
        packet.trim_start = Duration::from(if length.is_unprimed { WHOLE_PACKET } else { 0 });
        Some(packet)
    }

    fn place(&mut self, found: Vec<Packet>, time: PageTime, packets: &mut VecDeque<Packet>) {
        if let Some((held, before, jump)) = self.held.take() {
            let is_right = self.timestamps.agrees(before.granule, time);
            if !is_right {
                self.timestamps.distrust();
            }
            self.send(held, if is_right { jump } else { 0 }, 0, packets);
        }
        match self.timestamps.step(time) {
            Step::Follows { trim } => self.send(found, 0, trim, packets),
            Step::Jumps { frames } => self.held = Some((found, time, frames)),
        }
    }

    /// Ends the stream. A jump after a loss is accepted without another page that confirms it.
    pub fn finish(&mut self, packets: &mut VecDeque<Packet>) {
        if let Some((held, time, jump)) = self.held.take() {
            self.send(held, if time.is_after_loss { jump } else { 0 }, 0, packets);
        }
    }

    /// Sends the packets `found` with their time stamps, `jump` frames after the previous ones, less `trim` frames at their
    /// end.
    fn send(&mut self, mut found: Vec<Packet>, jump: u64, mut trim: u64, packets: &mut VecDeque<Packet>) {
        self.next = self.next.saturating_add(i64::try_from(jump).unwrap_or(i64::MAX));
        for packet in &mut found {
            packet.pts = Timestamp::from(self.next);
            packet.dts = packet.pts;
            self.next = self.next.saturating_add(i64::try_from(packet.dur.get()).unwrap_or(i64::MAX));
        }
        for packet in found.iter_mut().rev() {
            let frames = trim.min(packet.dur.get());
            packet.trim_end = Duration::from(frames);
            packet.dur = packet.dur.saturating_sub(packet.trim_end);
            trim -= frames;
        }
        packets.extend(found);
    }
}
