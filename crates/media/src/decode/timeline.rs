//! Decides which of the decoded frames belong to the recording: not the encoder's delay at its beginning, and not the
//! padding of the last packet.

use symphonia::core::{
    codecs::audio::{
        AudioCodecParameters,
        well_known::{CODEC_ID_AAC, CODEC_ID_OPUS},
    },
    formats::Track,
    packet::Packet,
};

use super::{
    he_aac, matroska_padding,
    mp4_edit_list::{self, Edit},
    opus::{self, Head},
};
use crate::MediaInput;

/// The frames of one track that belong to the recording. They are the same ones that ffmpeg returns.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// The edit list of the container, if it has one.
    edit: Option<Edit>,
    /// Frames that are still to be skipped at the beginning.
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
            "isomp4" => timeline.edit = mp4_edit_list::edit(input, track.id),
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

    /// Whether a part of this packet belongs to the recording.
    pub fn plays(&self, packet: &Packet) -> bool {
        self.edit.as_ref().and_then(|edit| edit.end).is_none_or(|end| packet.pts.get() < end)
    }

    /// How many of the `frames` decoded frames of the packet at `pts` lie before the recording's beginning.
    pub fn skip(&mut self, pts: i64, rate: u32, frames: u64) -> u64 {
        if !self.begun {
            self.begun = true;
            if let Some(edit) = &self.edit {
                self.skip = edit.frames_before(pts, rate).saturating_sub(self.late);
            }
        }
        let skipped = self.skip.min(frames);
        self.skip -= skipped;
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

    #[test]
    fn the_core_of_he_aac_skips_less() {
        let edit = Edit { start: 2048, end: None, timescale: 48_000 };
        let mut whole = Timeline { edit: Some(edit.clone()), ..Timeline::default() };
        let mut core = Timeline { edit: Some(edit), late: he_aac::CORE_IS_EARLIER, ..Timeline::default() };
        assert_eq!([whole.skip(0, 24_000, 1024), whole.skip(2048, 24_000, 1024)], [1024, 0]);
        assert_eq!([core.skip(0, 24_000, 1024), core.skip(2048, 24_000, 1024)], [543, 0]);
    }
}
