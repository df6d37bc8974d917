//! The packets of one track that are part of the recording, in order.

use symphonia::core::{
    errors::Error as SymphoniaError,
    formats::{FormatReader, SeekMode, SeekTo},
    packet::Packet,
    units::{Duration, Timestamp},
};

use super::{
    skipped_bytes::skipped_bytes,
    timeline::{Placement, Timeline},
};

/// Packets after a loss was reported for which [`TrackPacket::is_near_loss`] is set. Readers report a loss up to one read-ahead
/// before they come to it.
const NEAR: u32 = 500;

/// A packet of the track.
#[derive(Clone, Debug)]
pub(super) struct TrackPacket {
    pub packet: Packet,
    /// Whether bytes were skipped near it, so that even a small jump of its time stamp is a gap.
    pub is_near_loss: bool,
}

/// A container's reader, and the track that is decoded.
pub(super) struct TrackPackets {
    pub reader: Box<dyn FormatReader>,
    /// The track's id.
    pub track: u32,
    pub timeline: Timeline,
    /// The next packet. Each is held back until another follows: the last one may have to be trimmed, and a time stamp is
    /// checked against the next one.
    held: Option<TrackPacket>,
    /// The number of bytes that the reader has skipped so far.
    skipped: u64,
    /// The number of packets that are still near a loss.
    near_loss: u32,
    /// Time stamp and duration of the packet before `held`.
    latest: Option<(Timestamp, Duration)>,
    /// How the reader ended; reported after the packet in `held`.
    end: Option<Result<(), SymphoniaError>>,
}

impl TrackPackets {
    /// The packets of the track `track`; `timeline` decides which of them are part of the recording.
    pub fn new(reader: Box<dyn FormatReader>, track: u32, timeline: Timeline) -> Self {
        Self { reader, track, timeline, held: None, skipped: 0, near_loss: 0, latest: None, end: None }
    }

    /// Begins another stream of the same file.
    pub fn begin_stream(&mut self, track: u32, timeline: Timeline) {
        (self.track, self.timeline, self.latest) = (track, timeline, None);
    }

    /// The number of bytes that the reader has skipped so far.
    pub fn skipped_bytes(&self) -> u64 {
        skipped_bytes(&*self.reader)
    }

    /// The next packet that is part of the recording.
    pub fn next(&mut self) -> Result<Option<TrackPacket>, SymphoniaError> {
        loop {
            let Some(mut next) = self.next_of_track()? else {
                match self.timeline.next_edit() {
                    Some(start) => self.seek(start)?,
                    None => return Ok(None),
                }
                continue;
            };
            match self.timeline.place(&mut next.packet) {
                Placement::Play => return Ok(Some(next)),
                Placement::Drop => {}
                Placement::Seek(start) => self.seek(start)?,
            }
        }
    }

    /// Continues with the packet at `start`.
    fn seek(&mut self, start: i64) -> Result<(), SymphoniaError> {
        let to = SeekTo::Timestamp { ts: Timestamp::new(start), track_id: self.track };
        self.reader.seek(SeekMode::Accurate, to)?;
        (self.held, self.latest, self.end) = (None, None, None);
        Ok(())
    }

    /// The track's first packet, which is not consumed.
    pub fn peek(&mut self) -> Option<&Packet> {
        while self.held.is_none() && self.end.is_none() {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id != self.track => {}
                Ok(Some(mut packet)) => {
                    self.timeline.mend(&mut packet);
                    self.held = Some(TrackPacket { packet, is_near_loss: false });
                }
                Ok(None) => self.end = Some(Ok(())),
                Err(error) => self.end = Some(Err(error)),
            }
        }
        self.held.as_ref().map(|held| &held.packet)
    }

    /// The track's next packet.
    fn next_of_track(&mut self) -> Result<Option<TrackPacket>, SymphoniaError> {
        while self.end.is_none() {
            match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id != self.track => {}
                Ok(Some(mut packet)) => {
                    self.timeline.mend(&mut packet);
                    let following = packet.pts;
                    let is_near_loss = self.is_near_loss();
                    if let Some(mut before) = self.held.replace(TrackPacket { packet, is_near_loss }) {
                        self.check_time(&mut before.packet, Some(following));
                        return Ok(Some(before));
                    }
                }
                Ok(None) => self.end = Some(Ok(())),
                Err(error) => self.end = Some(Err(error)),
            }
        }
        if let Some(mut last) = self.held.take() {
            if matches!(self.end, Some(Ok(()))) {
                self.timeline.end_at(&mut last.packet);
            }
            self.check_time(&mut last.packet, None);
            return Ok(Some(last));
        }
        self.end.take().unwrap_or(Ok(())).map(|()| None)
    }

    fn is_near_loss(&mut self) -> bool {
        let skipped = self.skipped_bytes();
        if skipped > std::mem::replace(&mut self.skipped, skipped) {
            self.near_loss = NEAR;
        }
        let is_near = self.near_loss > 0;
        self.near_loss = self.near_loss.saturating_sub(1);
        is_near
    }

    /// Replaces a damaged time stamp: one outside of the range of its neighbours, if those are in order.
    fn check_time(&mut self, packet: &mut Packet, following: Option<Timestamp>) {
        if let (Some((before, duration)), Some(following)) = (self.latest, following)
            && before <= following
            && !(before..=following).contains(&packet.pts)
        {
            packet.pts = before.saturating_add(duration).min(following);
        }
        let length = packet.dur.saturating_add(packet.trim_start).saturating_add(packet.trim_end);
        self.latest = Some((packet.pts, length));
    }
}

#[cfg(test)]
mod tests {
    use symphonia::core::packet::PacketBuilder;

    use super::*;
    use crate::decode::open;

    fn packet(pts: i64) -> Packet {
        PacketBuilder::new().track_id(0).pts(Timestamp::new(pts)).dur(Duration::from(10_u64)).data(Vec::new()).build()
    }

    #[test]
    fn a_time_stamp_outside_of_its_neighbours_is_replaced() {
        let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/speech/pauses.wav");
        let mut packets =
            TrackPackets::new(open::open_container(&crate::LocalFile::new(fixture)).unwrap(), 0, Timeline::default());
        let checked = |packets: &mut TrackPackets, pts: i64, following: Option<i64>| {
            let mut packet = packet(pts);
            packets.check_time(&mut packet, following.map(Timestamp::new));
            packet.pts.get()
        };
        // Far ahead, far behind, and a jump that the next time stamp confirms.
        let cases = [(0, 10, 0), (900, 20, 10), (20, 30, 20), (-7, 40, 30), (500, 510, 500), (510, 520, 510)];
        for (pts, following, expected) in cases {
            assert_eq!(checked(&mut packets, pts, Some(following)), expected);
        }
        // A step back is a restart if the next time stamp confirms it.
        assert_eq!(checked(&mut packets, 0, Some(10)), 0);
        assert_eq!(checked(&mut packets, 10, None), 10);
    }
}
