//! The part of the source that a segment may still need, where segments are not cut from what is listened to.

use std::{io, path::PathBuf};

use super::tape::Tape;
use crate::{
    audio::{Spec, to_pcm16, to_pcm24},
    vad::SAMPLE_RATE,
};

/// One stream of frames, whose timeline is that of what is listened to.
pub(super) struct SourceTape {
    tape: Tape<i32>,
    spec: Spec,
}

impl SourceTape {
    /// For frames as `spec` has them, about so many bytes of them in memory, the rest in a file within `folder`.
    pub fn new(spec: Spec, folder: PathBuf, bytes: usize) -> Self {
        Self { tape: Tape::new(folder, bytes), spec }
    }

    /// What its frames are.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Records the next frames: as many samples of each channel.
    pub fn record(&mut self, channels: &[Vec<f32>]) -> io::Result<()> {
        let depth = |sample: f32| if self.spec.bits > 16 { to_pcm24(sample) } else { i32::from(to_pcm16(sample)) };
        let frames = channels.iter().map(Vec::len).min().unwrap_or(0);
        match channels {
            [mono] => self.tape.record(mono.iter().copied().map(depth)),
            _ => self.tape.record((0..frames).flat_map(|n| channels.iter().map(move |channel| depth(channel[n])))),
        }
    }

    /// Whether all frames before the sample `end` (at 16 kHz) are here.
    pub fn reaches(&self, end: u64) -> bool {
        self.position(end) <= self.tape.end()
    }

    /// The frames that belong to the samples from `start` to before `end` (at 16 kHz): how many, and they themselves. At
    /// the recording's end there may be one less than the samples promise.
    pub fn play(&self, start: u64, end: u64) -> (u64, impl Iterator<Item = io::Result<std::borrow::Cow<'_, [i32]>>>) {
        let end = self.position(end).min(self.tape.end());
        let start = self.position(start).min(end);
        ((end - start) / self.spec.channels as u64, self.tape.play(start, end))
    }

    /// No sample before this one (at 16 kHz) is asked for any more.
    pub fn forget_before(&mut self, sample: u64) {
        let position = self.position(sample).min(self.tape.end());
        self.tape.forget_before(position);
    }

    /// Where on the tape the frame lies that is nearest to a sample at 16 kHz.
    fn position(&self, sample: u64) -> u64 {
        nearest(sample, self.spec.rate) * self.spec.channels as u64
    }
}

/// The frame at `rate` that is nearest to a sample at 16 kHz.
fn nearest(sample: u64, rate: u32) -> u64 {
    let (scaled, heard) = (u128::from(sample) * u128::from(rate), u128::from(SAMPLE_RATE));
    ((scaled + heard / 2) / heard) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::SegmentFormat;

    #[test]
    fn samples_have_their_frames() {
        for (sample, rate, frame) in [
            (0, 44_100, 0),
            (16_000, 44_100, 44_100),
            (512, 44_100, 1_411),
            (1, 48_000, 3),
            (3, 8_000, 2),
            (2, 8_000, 1),
        ] {
            assert_eq!(nearest(sample, rate), frame, "{sample} at {rate} Hz");
        }
    }

    #[test]
    fn frames_are_played_as_they_came() {
        let spec = Spec { rate: 32_000, channels: 2, bits: 24, ..Spec::heard(SegmentFormat::Wav, None) };
        let mut tape = SourceTape::new(spec, std::env::temp_dir(), 1_000);
        let left: Vec<f32> = (0..1_000).map(|n| n as f32 / 8_388_608.0).collect();
        let right: Vec<f32> = left.iter().map(|sample| -sample).collect();
        tape.record(&[left, right]).unwrap();
        assert!(tape.reaches(500) && !tape.reaches(501));
        tape.forget_before(100);
        let (frames, blocks) = tape.play(100, 200);
        let played: Vec<i32> = blocks.flat_map(|block| block.unwrap().into_owned()).collect();
        assert_eq!(frames, 200);
        assert!(played.into_iter().eq((200..400).flat_map(|n| [n, -n])));
        assert_eq!(tape.play(499, 501).0, 2, "no more than there is");
    }
}
