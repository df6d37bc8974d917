//! The excerpts of one channel at the source's rate, as long as an open segment may need them.

use std::{borrow::Cow, io, path::PathBuf};

use prepare_audio_media::Excerpt;

use crate::sample_buffer::SampleBuffer;

/// Excerpts, addressed by positions at 16 kHz.
pub(crate) struct ExcerptBuffer {
    buffer: SampleBuffer<i16>,
    /// Rate of the source, and where the first excerpt begins. `None` without excerpts.
    first: Option<(u32, u64)>,
}

/// The excerpts that lie in a segment.
pub(crate) struct SegmentExcerpts<'b> {
    buffer: &'b SampleBuffer<i16>,
    /// Rate of the source, Hz.
    pub rate: u32,
    /// Numbers of the excerpts in the buffer.
    numbers: std::ops::Range<u64>,
}

impl ExcerptBuffer {
    /// A buffer that keeps about `bytes` bytes in memory and the rest in a file within `folder`.
    pub fn new(folder: PathBuf, bytes: usize) -> Self {
        Self { buffer: SampleBuffer::new(folder, bytes), first: None }
    }

    /// Appends the samples of a channel of each excerpt. All follow each other in the recording.
    pub fn push(&mut self, excerpts: &[Excerpt], channel: usize) -> io::Result<()> {
        for Excerpt { start, rate, channels } in excerpts {
            self.first.get_or_insert((*rate, *start));
            // Of a slice, which is copied at once.
            self.buffer.push(channels.get(channel).map_or(&[][..], Vec::as_slice).iter().copied())?;
        }
        Ok(())
    }

    /// The excerpts that lie between the samples `start` and `end` (at 16 kHz). `None` without any.
    pub fn read(&self, start: u64, end: u64) -> Option<SegmentExcerpts<'_>> {
        let (rate, first) = self.first?;
        let kept = self.buffer.end() / Excerpt::len_at(rate) as u64;
        let begins_before = |sample: u64| sample.saturating_sub(first).div_ceil(Excerpt::PERIOD).min(kept);
        let numbers = begins_before(start)..begins_before((end + 1).saturating_sub(Excerpt::SPAN));
        (!numbers.is_empty()).then_some(SegmentExcerpts { buffer: &self.buffer, rate, numbers })
    }

    /// Discards what begins before this sample (at 16 kHz); it is not read again.
    pub fn discard_before(&mut self, sample: u64) {
        let Some((rate, first)) = self.first else { return };
        let number = sample.saturating_sub(first).div_ceil(Excerpt::PERIOD);
        self.buffer.discard_before((number * Excerpt::len_at(rate) as u64).min(self.buffer.end()));
    }
}

impl<'b> SegmentExcerpts<'b> {
    /// Evenly spread excerpts, at least `number` and less than twice as many, or all if there are fewer. Each is an iterator
    /// over its parts.
    pub fn spread(&self, number: u64) -> impl Iterator<Item = impl Iterator<Item = io::Result<Cow<'b, [i16]>>>> {
        let (buffer, len) = (self.buffer, Excerpt::len_at(self.rate) as u64);
        let every = ((self.numbers.end - self.numbers.start) / number).max(1);
        self.numbers.clone().step_by(every as usize).map(move |number| buffer.read(number * len, (number + 1) * len))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rate of the source: excerpts of 512 samples.
    const RATE: u32 = 16_001;

    /// The excerpt that begins at a sample has the number of its period in every place.
    fn excerpt(start: u64) -> Excerpt {
        Excerpt { start, rate: RATE, channels: vec![vec![0; 512], vec![(start / 2_000) as i16; 512]] }
    }

    fn read(buffer: &ExcerptBuffer, start: u64, end: u64, number: u64) -> Vec<i16> {
        let mut found = Vec::new();
        for parts in buffer.read(start, end).iter().flat_map(|excerpts| excerpts.spread(number)) {
            let samples: Vec<i16> = parts.flat_map(|part| part.unwrap().into_owned()).collect();
            assert_eq!(samples, [samples[0]; 512]);
            found.push(samples[0]);
        }
        found
    }

    #[test]
    fn segments_have_the_excerpts_that_lie_in_them() {
        let mut buffer = ExcerptBuffer::new(std::env::temp_dir(), 1 << 20);
        assert!(buffer.read(0, 90_000).is_none());
        // The first one of a part of a recording begins anywhere.
        buffer.push(&(0..40).map(|n| excerpt(300 + 2_000 * n)).collect::<Vec<_>>(), 1).unwrap();
        for (start, end, number, expected) in [
            (0, 4_812, 24, vec![0, 1, 2]),
            (0, 4_811, 24, vec![0, 1]),
            (301, 4_812, 24, vec![1, 2]),
            (300, 811, 24, vec![]),
            (300, 812, 24, vec![0]),
            (0, 0, 24, vec![]),
            (1_000, 30_000, 7, vec![1, 3, 5, 7, 9, 11, 13]),
            (76_000, 1_000_000, 24, vec![38, 39]),
        ] {
            assert_eq!(read(&buffer, start, end, number), expected, "{start} to {end}");
        }
    }

    proptest! {
        /// Wherever excerpts are kept, and whatever was discarded, a segment has the same.
        #[test]
        fn memory_makes_no_difference(
            pieces in prop::collection::vec(1u64..30, 1..12),
            in_memory in 1_000usize..40_000,
            number in 1u64..30,
        ) {
            let (mut small, mut large) = [in_memory, 1 << 30].map(|bytes| ExcerptBuffer::new(std::env::temp_dir(), bytes)).into();
            let mut next = 0;
            for piece in pieces {
                let excerpts: Vec<_> = (next..next + piece).map(|n| excerpt(2_000 * n)).collect();
                next += piece;
                small.push(&excerpts, 1).unwrap();
                large.push(&excerpts, 1).unwrap();
                let start = 2_000 * (next - piece) + 77;
                small.discard_before(start);
                for end in [start, start + 9_000, 2_000 * next] {
                    prop_assert_eq!(read(&small, start, end, number), read(&large, start, end, number));
                }
            }
        }
    }
}
