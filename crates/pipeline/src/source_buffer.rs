//! The frames that segments are cut from, where these are not the samples that the detector receives.

use std::{borrow::Cow, io, path::PathBuf};

use prepare_audio_media::{SegmentSpec, to_pcm16, to_pcm24};
use prepare_audio_vad::SAMPLE_RATE;

use crate::sample_buffer::SampleBuffer;

/// Frames of one or more channels at any rate, addressed by positions at 16 kHz.
pub(crate) struct SourceBuffer {
    buffer: SampleBuffer<i32>,
    spec: SegmentSpec,
}

impl SourceBuffer {
    /// A buffer for frames of `spec` that keeps about `bytes` bytes in memory and the rest in a file within `folder`.
    pub fn new(spec: SegmentSpec, folder: PathBuf, bytes: usize) -> Self {
        Self { buffer: SampleBuffer::new(folder, bytes), spec }
    }

    /// Rate, channels and depth of its frames.
    pub fn spec(&self) -> &SegmentSpec {
        &self.spec
    }

    /// Appends frames, given as one slice of samples for each channel.
    pub fn push(&mut self, channels: &[Vec<f32>]) -> io::Result<()> {
        let quantize = |sample: f32| if self.spec.bits > 16 { to_pcm24(sample) } else { i32::from(to_pcm16(sample)) };
        let frames = channels.iter().map(Vec::len).min().unwrap_or(0);
        match channels {
            [mono] => self.buffer.push(mono.iter().copied().map(quantize)),
            _ => {
                let interleaved = (0..frames).flat_map(|n| channels.iter().map(move |channel| quantize(channel[n])));
                self.buffer.push(interleaved)
            }
        }
    }

    /// Whether all frames before the sample `end` (at 16 kHz) have been pushed.
    pub fn reaches(&self, end: u64) -> bool {
        self.position(end) <= self.buffer.end()
    }

    /// The frames of the samples from `start` to before `end` (at 16 kHz): their number, and their interleaved samples. At
    /// the recording's end there may be one frame less than the samples call for.
    pub fn read(&self, start: u64, end: u64) -> (u64, impl Iterator<Item = io::Result<Cow<'_, [i32]>>>) {
        let end = self.position(end).min(self.buffer.end());
        let start = self.position(start).min(end);
        ((end - start) / u64::from(self.spec.channels), self.buffer.read(start, end))
    }

    /// Discards what lies before this sample (at 16 kHz); it is not read again.
    pub fn discard_before(&mut self, sample: u64) {
        let position = self.position(sample).min(self.buffer.end());
        self.buffer.discard_before(position);
    }

    /// The position in the buffer of the frame that is nearest to a sample at 16 kHz.
    fn position(&self, sample: u64) -> u64 {
        nearest_frame(sample, self.spec.rate) * u64::from(self.spec.channels)
    }
}

/// The frame at `rate` that is nearest to a sample at 16 kHz.
fn nearest_frame(sample: u64, rate: u32) -> u64 {
    let (scaled, base) = (u128::from(sample) * u128::from(rate), u128::from(SAMPLE_RATE));
    ((scaled + base / 2) / base) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use prepare_audio_media::SegmentFormat;

    #[test]
    fn maps_samples_to_the_nearest_frames() {
        for (sample, rate, frame) in [
            (0, 44_100, 0),
            (16_000, 44_100, 44_100),
            (512, 44_100, 1_411),
            (1, 48_000, 3),
            (3, 8_000, 2),
            (2, 8_000, 1),
        ] {
            assert_eq!(nearest_frame(sample, rate), frame, "{sample} at {rate} Hz");
        }
    }

    #[test]
    fn reads_frames_as_they_were_pushed() {
        let spec =
            SegmentSpec { rate: 32_000, channels: 2, bits: 24, ..SegmentSpec::analysis(SegmentFormat::Wav, None) };
        let mut buffer = SourceBuffer::new(spec, std::env::temp_dir(), 1_000);
        let left: Vec<f32> = (0..1_000).map(|n| n as f32 / 8_388_608.0).collect();
        let right: Vec<f32> = left.iter().map(|sample| -sample).collect();
        buffer.push(&[left, right]).unwrap();
        assert!(buffer.reaches(500) && !buffer.reaches(501));
        buffer.discard_before(100);
        let (frames, blocks) = buffer.read(100, 200);
        let read: Vec<i32> = blocks.flat_map(|block| block.unwrap().into_owned()).collect();
        assert_eq!(frames, 200);
        assert!(read.into_iter().eq((200..400).flat_map(|n| [n, -n])));
        assert_eq!(buffer.read(499, 501).0, 2, "no more than there is");
    }
}
