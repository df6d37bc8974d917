//! Which of the decoded frames belong to the recording: encoders need a start-up, and fill their last packet.

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

/// The frames of one track that count, as ffmpeg counts them.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// What the container says of the media's time, where it does.
    edit: Option<Edit>,
    /// Frames to leave out at the beginning.
    skip: u64,
    /// Frames by which a decoder of the whole would be later than the one that is used.
    late: u64,
    /// Packets that begin here or later are whole, whatever the reader takes off their ends.
    whole_from: Option<i64>,
    /// Frames that the last packet has too many.
    padding: u64,
    begun: bool,
}

impl Timeline {
    /// The timeline of `track` in `input`. What only the file can tell is looked up in it.
    pub fn of(track: &Track, params: &AudioCodecParameters, container: &str, input: &dyn MediaInput) -> Self {
        let is_opus = params.codec == CODEC_ID_OPUS;
        let mut timeline = Self::of_stream(params);
        match container {
            "isomp4" => timeline.edit = mp4_edit_list::edit(input, track.id),
            "mp1" | "mp2" | "mp3" => timeline.whole_from = Some(told_end(track)),
            "matroska" if is_opus => {
                let nanoseconds = u128::from(matroska_padding::discard_padding(input, track.id).unwrap_or(0));
                timeline.padding = ((nanoseconds * u128::from(opus::RATE) + 500_000_000) / 1_000_000_000) as u64;
            }
            _ => {}
        }
        timeline
    }

    /// What the codec's own header says, as at the beginning of a chained stream.
    pub fn of_stream(params: &AudioCodecParameters) -> Self {
        let head = params.extra_data.as_deref().filter(|_| params.codec == CODEC_ID_OPUS).and_then(Head::read);
        let core = params.extra_data.as_deref().filter(|_| params.codec == CODEC_ID_AAC).and_then(he_aac::core_of);
        Self {
            skip: head.map_or(0, |head| u64::from(head.pre_skip)),
            late: core.map_or(0, |_| he_aac::CORE_IS_EARLIER),
            ..Self::default()
        }
    }

    /// Whether only the core of HE-AAC is decoded.
    pub fn is_of_core(&self) -> bool {
        self.late > 0
    }

    /// Gives back what the reader should not have taken off.
    pub fn mend(&self, packet: &mut Packet) {
        if self.whole_from.is_some_and(|from| packet.pts.get() >= from) {
            packet.trim_end = 0u64.into();
        }
    }

    /// Takes the padding off the last packet.
    pub fn end_at(&self, packet: &mut Packet) {
        packet.trim_end = packet.trim_end.saturating_add(self.padding.into());
    }

    /// Whether anything of this packet is to be heard.
    pub fn plays(&self, packet: &Packet) -> bool {
        self.edit.as_ref().and_then(|edit| edit.end).is_none_or(|end| packet.pts.get() < end)
    }

    /// How many of the `frames` decoded frames of the packet at `pts` come before the recording's beginning.
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

/// Where MPEG audio ends by its own word, padding included. The reader takes for silence what comes after it: but that is
/// another recording, put behind the first. And where LAME's header is missing, it only guesses where the end will be.
fn told_end(track: &Track) -> i64 {
    let told = track.delay.and(track.num_frames).map(|frames| frames.saturating_add(track.padding.unwrap_or(0).into()));
    told.map_or(i64::MIN, |end| i64::try_from(end).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_of_he_aac_waits_for_the_rest() {
        let edit = Edit { start: 2048, end: None, timescale: 48_000 };
        let mut whole = Timeline { edit: Some(edit.clone()), ..Timeline::default() };
        let mut core = Timeline { edit: Some(edit), late: he_aac::CORE_IS_EARLIER, ..Timeline::default() };
        assert_eq!([whole.skip(0, 24_000, 1024), whole.skip(2048, 24_000, 1024)], [1024, 0]);
        assert_eq!([core.skip(0, 24_000, 1024), core.skip(2048, 24_000, 1024)], [543, 0]);
    }
}
