//! Converts frame numbers to positions in the recording.

use super::{
    frame_header::{FrameHeader, Number},
    stream_info::StreamInfo,
};

/// The minimum of bytes of a frame. A jump of frame numbers is refused if the skipped bytes could not hold that many frames.
const SHORTEST_FRAME: u64 = 10;

/// The longest jump, in seconds, where no byte was skipped: some recorders leave frames out.
const LONGEST_PAUSE: u64 = 3_600;

/// The expected position of the next frame.
#[derive(Clone, Debug, Default)]
pub(super) struct FramePositions {
    /// Samples of each channel since the beginning of this part.
    next: u64,
    /// The expected number; unknown before the first frame.
    number: Option<Number>,
    /// The longest block so far. Where frames are numbered, all blocks but the last have this length.
    block: u32,
}

impl FramePositions {
    /// The end of the last frame of this part.
    pub fn end(&self) -> u64 {
        self.next
    }

    /// Begins a part in another format. Frame numbers continue.
    pub fn restart(&mut self) {
        self.next = 0;
    }

    /// The position of the frame with `header`. `skipped` bytes lie between it and the previous frame.
    pub fn place(&mut self, header: &FrameHeader, info: &StreamInfo, skipped: u64) -> u64 {
        self.block = self.block.max(header.block);
        let each = u64::from(info.fixed_block.unwrap_or(self.block));
        let lost = match (header.number, self.number) {
            (Number::Frame(this), Some(Number::Frame(next))) => this.saturating_sub(next).saturating_mul(each),
            (Number::Sample(this), Some(Number::Sample(next))) => this.saturating_sub(next),
            // A stream that was cut out of another one begins with a number other than 0, but at time 0.
            (_, None) if skipped == 0 => 0,
            (Number::Frame(this), None) => this.saturating_mul(each),
            (Number::Sample(this), None) => this,
            _ => 0,
        };
        let at = self.next + if self.is_plausible(lost, header, info, skipped) { lost } else { 0 };
        self.next = at + u64::from(header.block);
        self.number = Some(match header.number {
            Number::Frame(this) => Number::Frame(this + 1),
            Number::Sample(this) => Number::Sample(this + u64::from(header.block)),
        });
        at
    }

    fn is_plausible(&self, lost: u64, header: &FrameHeader, info: &StreamInfo, skipped: u64) -> bool {
        let end = self.next.saturating_add(lost).saturating_add(header.block.into());
        let longest = u64::from(info.longest_block.max(self.block));
        match info.samples {
            Some(samples) => end <= samples,
            None if skipped == 0 => lost <= LONGEST_PAUSE * u64::from(info.rate),
            None => lost <= (skipped / SHORTEST_FRAME + 2).saturating_mul(longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(number: Number) -> FrameHeader {
        FrameHeader { len: 6, number, block: 100, rate: None, channels: 1, side: None, bits: None }
    }

    fn info(samples: u8) -> StreamInfo {
        let mut bytes = [0; StreamInfo::LEN];
        bytes[..4].copy_from_slice(&[0, 100, 0, 100]);
        bytes[10..14].copy_from_slice(&[0x01, 0xF4, 0x00, 0xF0]); // 8 kHz, mono, 16 bits
        bytes[17] = samples;
        StreamInfo::read(&bytes)
    }

    #[test]
    fn a_jump_is_limited_by_the_skipped_bytes() {
        let (info, mut positions) = (info(0), FramePositions::default());
        assert_eq!((info.rate, info.channels, info.bits, info.samples), (8_000, 1, 16, None));
        let mut place = |number, skipped| positions.place(&header(Number::Frame(number)), &info, skipped);
        assert_eq!([place(0, 0), place(1, 0), place(4, 50), place(5, 0)], [0, 100, 400, 500]);
        // A jump that does not fit, and a number that goes back.
        assert_eq!([place(1_000_000, 50), place(1_000_001, 0), place(0, 0), place(2, 9)], [600, 700, 800, 1_000]);
    }

    #[test]
    fn the_first_frame_is_at_zero_unless_bytes_were_skipped() {
        let place = |skipped| FramePositions::default().place(&header(Number::Sample(300)), &info(0), skipped);
        assert_eq!([place(0), place(80)], [0, 300]);
        let short = FramePositions::default().place(&header(Number::Sample(300)), &info(200), 8_000);
        assert_eq!(short, 0, "beyond the end of the stream");
    }
}
