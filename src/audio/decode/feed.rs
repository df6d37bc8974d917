//! The packets of one track, in their order: those that are to be heard.

use symphonia::core::{errors::Error as SymphoniaError, formats::FormatReader, packet::Packet};

use super::timeline::Timeline;

/// A container's reader, and which of its packets are wanted.
pub(super) struct Feed {
    pub reader: Box<dyn FormatReader>,
    /// The track's id.
    pub track: u32,
    pub timeline: Timeline,
    /// A packet that may be the last one.
    held: Option<Packet>,
}

impl Feed {
    /// The packets of the track `track`, of which `timeline` says what is to be heard.
    pub fn new(reader: Box<dyn FormatReader>, track: u32, timeline: Timeline) -> Self {
        Self { reader, track, timeline, held: None }
    }

    /// The next packet of which something is to be heard.
    pub fn next(&mut self) -> Result<Option<Packet>, SymphoniaError> {
        loop {
            match self.next_of_track()? {
                Some(packet) if !self.timeline.plays(&packet) => {}
                other => return Ok(other),
            }
        }
    }

    /// The track's next packet. Where the last one is to be cut, each is held back until another follows.
    fn next_of_track(&mut self) -> Result<Option<Packet>, SymphoniaError> {
        loop {
            let mut packet = match self.reader.next_packet() {
                Ok(Some(packet)) if packet.track_id != self.track => continue,
                Ok(Some(packet)) => packet,
                Ok(None) => {
                    let mut last = self.held.take();
                    last.iter_mut().for_each(|packet| self.timeline.end_at(packet));
                    return Ok(last);
                }
                // The error comes again at the next call.
                Err(error) => return self.held.take().map_or(Err(error), |packet| Ok(Some(packet))),
            };
            self.timeline.mend(&mut packet);
            if !self.timeline.looks_ahead() {
                return Ok(Some(packet));
            }
            if let Some(before) = self.held.replace(packet) {
                return Ok(Some(before));
            }
        }
    }
}
