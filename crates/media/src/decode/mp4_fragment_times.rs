//! The times of a fragmented MP4 file's packets, by what each fragment says of itself (`tfdt`, ISO/IEC 14496-12, 8.8.12).
//!
//! symphonia adds up durations instead. Where a fragment is missing, or a recorder paused, all later packets would be early.

use std::collections::HashMap;

use symphonia::core::{
    errors::Result,
    formats::{Attachment, FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track},
    io::MediaSourceStream,
    meta::{ChapterGroup, Metadata},
    packet::Packet,
    units::Timestamp,
};

/// Differences that are rounding, as a part of a second.
const TOLERATED: u32 = 50;

/// A track's part of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// The track's id.
    pub track: u32,
    /// Its samples.
    pub samples: u64,
    /// Time of the first sample, in the track's own ticks.
    pub time: u64,
}

/// A reader, and the fragments that it reads.
pub(super) struct FragmentTimes {
    inner: Box<dyn FormatReader>,
    clocks: HashMap<u32, Clock>,
}

/// Where a track is.
#[derive(Default)]
struct Clock {
    /// For each fragment that is to come: the number of its first sample, and that sample's time. The next one is the last.
    starts: Vec<(u64, u64)>,
    samples: u64,
    /// How much later the packets are than the reader has them, the first one aside.
    shift: i64,
    /// What the first packet's time is above the reader's.
    origin: Option<i64>,
    tolerance: i64,
}

impl FragmentTimes {
    /// `fragments` are those that `inner` reads, in their order.
    pub fn of(inner: Box<dyn FormatReader>, fragments: &[Fragment]) -> Self {
        let mut clocks: HashMap<u32, Clock> = HashMap::new();
        for &Fragment { track, samples, time } in fragments {
            let clock = clocks.entry(track).or_default();
            clock.starts.push((clock.samples, time));
            clock.samples = clock.samples.saturating_add(samples);
        }
        for (track, clock) in &mut clocks {
            let base = inner.tracks().iter().find(|found| found.id == *track).and_then(|found| found.time_base);
            clock.tolerance = base.map_or(0, |base| i64::from(base.denom.get() / base.numer.get() / TOLERATED));
            clock.samples = 0;
            clock.starts.reverse();
        }
        Self { inner, clocks }
    }
}

impl Clock {
    /// The time of the next packet, which the reader has at `pts`. Time stamps that go back, or are all 0 as some recorders
    /// write them, change nothing.
    fn time(&mut self, pts: i64) -> i64 {
        let mut time = None;
        while let Some(&(first, start)) = self.starts.last().filter(|(first, _)| *first <= self.samples) {
            self.starts.pop();
            time = (first == self.samples).then_some(start);
        }
        self.samples += 1;
        if let Some(ahead) = time.and_then(|time| i64::try_from(time).ok()).and_then(|time| time.checked_sub(pts)) {
            let origin = *self.origin.get_or_insert(ahead);
            let shift = ahead.saturating_sub(origin);
            if shift.saturating_sub(self.shift) > self.tolerance {
                self.shift = shift;
            }
        }
        pts.saturating_add(self.shift)
    }
}

impl FormatReader for FragmentTimes {
    fn next_packet(&mut self) -> Result<Option<Packet>> {
        let mut packet = self.inner.next_packet()?;
        if let Some(packet) = &mut packet
            && let Some(clock) = self.clocks.get_mut(&packet.track_id)
        {
            packet.pts = Timestamp::new(clock.time(packet.pts.get()));
        }
        Ok(packet)
    }

    fn format_info(&self) -> &FormatInfo {
        self.inner.format_info()
    }

    fn media_info(&self) -> &MediaInfo {
        self.inner.media_info()
    }

    fn attachments(&self) -> &[Attachment] {
        self.inner.attachments()
    }

    fn chapters(&self) -> Option<&ChapterGroup> {
        self.inner.chapters()
    }

    fn metadata(&mut self) -> Metadata<'_> {
        self.inner.metadata()
    }

    fn seek(&mut self, mode: SeekMode, to: SeekTo) -> Result<SeekedTo> {
        self.inner.seek(mode, to)
    }

    fn tracks(&self) -> &[Track] {
        self.inner.tracks()
    }

    fn into_inner<'s>(self: Box<Self>) -> MediaSourceStream<'s>
    where
        Self: 's,
    {
        self.inner.into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times of ten packets of 100 ticks each, in fragments of two.
    fn times(starts: [u64; 5]) -> Vec<i64> {
        let mut starts: Vec<_> = (0..).step_by(2).zip(starts).collect();
        starts.reverse();
        let mut clock = Clock { starts, tolerance: 5, ..Clock::default() };
        (0..10).map(|n| clock.time(n * 100)).collect()
    }

    #[test]
    fn a_missing_fragment_is_a_jump() {
        assert_eq!(times([0, 200, 600, 800, 1003]), [0, 100, 200, 300, 600, 700, 800, 900, 1000, 1100]);
        assert_eq!(times([7_000, 7_200, 7_400, 7_900, 8_100])[4..], [400, 500, 900, 1000, 1100, 1200]);
        assert_eq!(times([0; 5])[8..], [800, 900]);
        assert_eq!(times([0, u64::MAX, 400, 600, 800])[8..], [800, 900]);
    }
}
