//! Corrects the time stamps of a fragmented MP4 file's packets by the time in each fragment (`tfdt`, ISO/IEC 14496-12,
//! 8.8.12).
//!
//! symphonia adds up durations instead. After a missing fragment or a pause of the recorder all its time stamps are too early.

use std::collections::HashMap;

use symphonia::core::{
    errors::{Error, Result, SeekErrorKind},
    formats::{Attachment, FormatInfo, FormatReader, MediaInfo, SeekMode, SeekTo, SeekedTo, Track},
    io::MediaSourceStream,
    meta::{ChapterGroup, Metadata},
    packet::Packet,
    units::Timestamp,
};

/// Differences below this part of a second are rounding.
const TOLERANCE: u32 = 50;

/// A track's part of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// The track's id.
    pub track: u32,
    /// Number of its samples.
    pub samples: u64,
    /// Time of the first sample in ticks of the track.
    pub time: u64,
}

/// A demuxer whose time stamps are corrected.
pub(super) struct FragmentTimes {
    inner: Box<dyn FormatReader>,
    clocks: HashMap<u32, Clock>,
}

/// The position in one track.
#[derive(Default)]
struct Clock {
    /// For each fragment to come, in reverse order: the number of its first sample, and that sample's time.
    starts: Vec<(u64, u64)>,
    samples: u64,
    /// The correction that is added to time stamps.
    shift: i64,
    /// The difference between the first fragment's time and the demuxer's first time stamp. It is not corrected.
    origin: Option<i64>,
    tolerance: i64,
}

impl FragmentTimes {
    /// Corrects the time stamps of `inner`, which reads `fragments` in this order.
    pub fn of(inner: Box<dyn FormatReader>, fragments: &[Fragment]) -> Self {
        let mut clocks: HashMap<u32, Clock> = HashMap::new();
        for &Fragment { track, samples, time } in fragments {
            let clock = clocks.entry(track).or_default();
            clock.starts.push((clock.samples, time));
            clock.samples = clock.samples.saturating_add(samples);
        }
        for (track, clock) in &mut clocks {
            let base = inner.tracks().iter().find(|found| found.id == *track).and_then(|found| found.time_base);
            clock.tolerance = base.map_or(0, |base| i64::from(base.denom.get() / base.numer.get() / TOLERANCE));
            clock.samples = 0;
            clock.starts.reverse();
        }
        Self { inner, clocks }
    }
}

impl Clock {
    /// The corrected time of the next packet, which the demuxer returns with the time stamp `pts`. Fragment times that go
    /// back, or that are all 0 as some recorders write them, are ignored.
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

    /// The clocks count samples from the beginning.
    fn seek(&mut self, _: SeekMode, _: SeekTo) -> Result<SeekedTo> {
        Err(Error::SeekError(SeekErrorKind::Unseekable))
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

    /// Corrected times of ten packets of 100 ticks each, in fragments of two packets with these times.
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
