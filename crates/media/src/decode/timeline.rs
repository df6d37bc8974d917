//! Decides which of the decoded frames belong to the recording: not the encoder's delay at its beginning, and not the
//! padding of the last packet.

use symphonia::core::{
    codecs::audio::{
        AudioCodecParameters,
        well_known::{CODEC_ID_AAC, CODEC_ID_OPUS},
    },
    formats::Track,
    packet::Packet,
    units::Timestamp,
};

use super::{
    he_aac, matroska_padding,
    mp4_edit_list::{self, EditList},
    opus::{self, Head},
};
use crate::MediaInput;

/// Overlaps of edits below this part of a second are rounding.
const TOLERANCE: u32 = 200;

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placement {
    /// A part of it belongs to the recording.
    Play,
    /// It is between two edits, or after the last one.
    Drop,
    /// It is dropped, too, and the next packet is the one at this tick.
    Seek(i64),
}

/// The frames of one track that belong to the recording. They are the same ones that ffmpeg returns.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// The edit list of the container, if it has one.
    edits: Option<EditList>,
    /// The number of the edit to which the next packet belongs.
    current: usize,
    /// Frames so far that belong to the recording.
    position: u64,
    /// Frames that are still to be skipped.
    skip: u64,
    /// Frames by which a complete decoder of HE-AAC is later than the one of its core, which is used here.
    late: u64,
    /// From this time stamp on, what the demuxer trims off the end of packets belongs to the recording.
    whole_from: Option<i64>,
    /// Frames of padding in the last packet.
    padding: u64,
    begun: bool,
}

impl Timeline {
    /// The timeline of `track` in `input`. Values that the demuxer does not return are read from the file.
    pub fn of(track: &Track, params: &AudioCodecParameters, container: &str, input: &dyn MediaInput) -> Self {
        let is_opus = params.codec == CODEC_ID_OPUS;
        let mut timeline = Self::of_stream(params);
        match container {
            "isomp4" => {
                timeline.edits = mp4_edit_list::edit_list(input, track.id);
                // Like ffmpeg: iTunes's metadata describe AAC alone.
                if let Some(list) = timeline.edits.as_mut().filter(|_| params.codec != CODEC_ID_AAC) {
                    list.priming = None;
                }
            }
            "mp1" | "mp2" | "mp3" => timeline.whole_from = Some(declared_end(track)),
            "matroska" if is_opus => {
                let nanoseconds = u128::from(matroska_padding::discard_padding(input, track.id).unwrap_or(0));
                timeline.padding = ((nanoseconds * u128::from(opus::RATE) + 500_000_000) / 1_000_000_000) as u64;
            }
            _ => {}
        }
        timeline
    }

    /// The timeline that the codec's own header declares, as at the beginning of a chained stream.
    pub fn of_stream(params: &AudioCodecParameters) -> Self {
        let head = params.extra_data.as_deref().filter(|_| params.codec == CODEC_ID_OPUS).and_then(Head::read);
        let core = params.extra_data.as_deref().filter(|_| params.codec == CODEC_ID_AAC).and_then(he_aac::core_of);
        Self {
            skip: head.map_or(0, |head| u64::from(head.pre_skip)),
            late: core.map_or(0, |_| he_aac::CORE_IS_EARLIER),
            ..Self::default()
        }
    }

    /// Whether only the core of HE-AAC is decoded, at half the rate.
    pub fn is_of_core(&self) -> bool {
        self.late > 0
    }

    /// Undoes trimming by the demuxer that is wrong.
    pub fn mend(&self, packet: &mut Packet) {
        if self.whole_from.is_some_and(|from| packet.pts.get() >= from) {
            packet.trim_end = 0u64.into();
        }
    }

    /// Trims the padding off the last packet.
    pub fn end_at(&self, packet: &mut Packet) {
        packet.trim_end = packet.trim_end.saturating_add(self.padding.into());
    }

    /// The number of frames at `rate` that the header declares, if it declares `media` frames without the edit list.
    pub fn declared_frames(&self, media: u64, rate: u32) -> u64 {
        self.edits.as_ref().map_or(media, |list| list.declared_frames(media, rate))
    }

    /// Decides whether a part of `packet` belongs to the recording. If so, its time stamp becomes a time of the recording.
    pub fn place(&mut self, packet: &mut Packet) -> Placement {
        let Some(list) = &self.edits else { return Placement::Play };
        let pts = packet.pts.get();
        let length = packet.dur.saturating_add(packet.trim_start).saturating_add(packet.trim_end).get();
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        while let Some(edit) = list.edits.get(self.current)
            && edit.end.is_some_and(|end| pts >= end)
        {
            let Some(next) = list.edits.get(self.current + 1) else { return Placement::Drop };
            self.current += 1;
            if pts.saturating_sub(next.start) > length {
                return Placement::Seek(next.start);
            }
        }
        match list.edits.get(self.current) {
            Some(edit) if self.current > 0 && pts.saturating_add(length) <= edit.start => return Placement::Drop,
            Some(edit) => packet.pts = Timestamp::new(pts.saturating_add(edit.shift)),
            None => {}
        }
        Placement::Play
    }

    /// Goes to the next edit at the end of the media. Returns the tick at which it begins, or `None` if there is no other.
    pub fn next_edit(&mut self) -> Option<i64> {
        let next = self.edits.as_ref()?.edits.get(self.current + 1)?;
        self.current += 1;
        Some(next.start)
    }

    /// How many of the `frames` decoded frames of the packet at `pts` do not belong to the recording: those before its
    /// beginning, and those of a packet that overlaps with the edit before.
    pub fn skip(&mut self, pts: i64, rate: u32, frames: u64) -> u64 {
        if let Some(list) = &self.edits {
            if !self.begun {
                let before = list.frames_before(pts, rate);
                // iTunes counts the frames of a complete decoder of HE-AAC, which are twice as many as those of its core.
                let halves = if list.priming.is_some() && self.late > 0 { 2 } else { 1 };
                self.skip = (before / halves).saturating_sub(self.late);
            } else if list.edits.len() > 1 && self.skip == 0 {
                let expected = list.frames(pts.saturating_sub(list.start()), rate).saturating_add(self.late);
                let early = list.frames(list.start().saturating_sub(pts), rate);
                let overlap = self.position.saturating_add(early).saturating_sub(expected);
                self.skip = if overlap > u64::from(rate / TOLERANCE) { overlap } else { 0 };
            }
        }
        self.begun = true;
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
        self.position += frames - skipped;
        skipped
    }
}

/// The end of MPEG audio that LAME's header declares, padding included. The demuxer trims everything after it, but that is
/// another recording, appended to the first. Without LAME's header the demuxer's end is an estimate, so nothing is trimmed.
fn declared_end(track: &Track) -> i64 {
    let end = track.delay.and(track.num_frames).map(|frames| frames.saturating_add(track.padding.unwrap_or(0).into()));
    end.map_or(i64::MIN, |end| i64::try_from(end).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::mp4_edit_list::Edit;

    #[test]
    fn the_core_of_he_aac_skips_less() {
        let edits = list(&[(2048, None, 0)], None);
        let mut whole = Timeline { edits: Some(edits.clone()), ..Timeline::default() };
        let mut core = Timeline { edits: Some(edits), late: he_aac::CORE_IS_EARLIER, ..Timeline::default() };
        assert_eq!([whole.skip(0, 24_000, 1024), whole.skip(2048, 24_000, 1024)], [1024, 0]);
        assert_eq!([core.skip(0, 24_000, 1024), core.skip(2048, 24_000, 1024)], [543, 0]);
        let mut core = Timeline {
            edits: Some(list(&[(0, None, 0)], Some(2048))),
            late: he_aac::CORE_IS_EARLIER,
            ..Timeline::default()
        };
        assert_eq!([core.skip(0, 24_000, 1024), core.skip(2048, 24_000, 1024)], [543, 0]);
    }

    fn list(edits: &[(i64, Option<i64>, i64)], priming: Option<u64>) -> EditList {
        let edits = edits.iter().map(|&(start, end, shift)| Edit { start, end, shift }).collect();
        EditList { edits, timescale: 48_000, priming }
    }

    /// Places packets of 1,000 ticks, and returns those that are played: their time stamps, and how many frames are skipped.
    fn played(edits: &[(i64, Option<i64>, i64)]) -> Vec<(i64, u64)> {
        let mut timeline = Timeline { edits: Some(list(edits, None)), ..Timeline::default() };
        let (mut next, mut played) = (0, Vec::new());
        while played.len() < 100 {
            let mut packet = Packet::new(0, Timestamp::new(next), 1_000_u64.into(), Vec::new());
            next += 1_000;
            match timeline.place(&mut packet) {
                Placement::Play => {
                    let pts = packet.pts.get();
                    played.push((pts, timeline.skip(pts, 48_000, 1_000)));
                }
                Placement::Seek(to) => next = to / 1_000 * 1_000,
                Placement::Drop => {}
            }
            if next >= 10_000 {
                match timeline.next_edit() {
                    Some(to) => next = to / 1_000 * 1_000,
                    None => break,
                }
            }
        }
        played
    }

    #[test]
    fn edits_are_played_in_their_order() {
        // 500 frames of the encoder's delay.
        assert_eq!(played(&[(500, Some(2_500), 0)]), [(0, 500), (1_000, 0), (2_000, 0)]);
        // A part is cut out. The edits overlap by a half of a packet.
        let cut = played(&[(0, Some(1_500), 0), (7_200, Some(8_500), -5_700)]);
        assert_eq!(cut, [(0, 0), (1_000, 0), (1_300, 700), (2_300, 0)]);
        // The later part comes first.
        let swapped = played(&[(8_000, Some(10_000), 0), (0, Some(2_000), 10_000)]);
        let first = (0..8).map(|n| (n * 1_000, 1_000));
        let rest = [(8_000, 0), (9_000, 0), (10_000, 0), (11_000, 0)];
        assert_eq!(swapped, first.chain(rest).collect::<Vec<_>>());
    }
}
