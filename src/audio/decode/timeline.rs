//! Which of the decoded frames belong to the recording: encoders need a start-up, and fill their last packet.

use std::path::Path;

use symphonia::core::{
    codecs::audio::{AudioCodecParameters, well_known::CODEC_ID_OPUS},
    formats::Track,
    packet::Packet,
};

use super::{
    mkv,
    mp4::{self, Edit},
    opus::{self, Head},
};

/// The frames of one track that count, as ffmpeg counts them.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// What the container says of the media's time, where it does.
    edit: Option<Edit>,
    /// Frames to leave out at the beginning.
    skip: u64,
    /// Frames that the last packet has too many.
    padding: u64,
    begun: bool,
}

impl Timeline {
    /// The timeline of `track` in the file at `path`. What only the file can tell is looked up in it.
    pub fn of(track: &Track, params: &AudioCodecParameters, container: &str, path: &Path) -> Self {
        let is_opus = params.codec == CODEC_ID_OPUS;
        let mut timeline = Self::of_stream(params);
        match container {
            "isomp4" => timeline.edit = mp4::edit(path, track.id),
            "matroska" if is_opus => {
                let nanoseconds = u128::from(mkv::discard_padding(path, track.id).unwrap_or(0));
                timeline.padding = ((nanoseconds * u128::from(opus::RATE) + 500_000_000) / 1_000_000_000) as u64;
            }
            _ => {}
        }
        timeline
    }

    /// What the codec's own header says, as at the beginning of a chained stream.
    pub fn of_stream(params: &AudioCodecParameters) -> Self {
        let head = params.extra_data.as_deref().filter(|_| params.codec == CODEC_ID_OPUS).and_then(Head::read);
        Self { skip: head.map_or(0, |head| u64::from(head.pre_skip)), ..Self::default() }
    }

    /// Whether the last packet must be known to be the last.
    pub fn looks_ahead(&self) -> bool {
        self.padding > 0
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
    pub fn skip(&mut self, pts: i64, rate: u32, frames: usize) -> usize {
        if !self.begun {
            self.begun = true;
            if let Some(edit) = &self.edit {
                self.skip = edit.frames_before(pts, rate);
            }
        }
        let skipped = self.skip.min(frames as u64);
        self.skip -= skipped;
        skipped as usize
    }
}
