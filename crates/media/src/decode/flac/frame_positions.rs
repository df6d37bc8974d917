//! From the numbers of frames to their time.

use super::{
    frame_header::{FrameHeader, Number},
    stream_info::StreamInfo,
};

/// A frame has at least so many bytes: a jump that more frames would fill than fit into what was passed over is none.
const SHORTEST_FRAME: u64 = 10;

/// Frames that may be missing without a byte that was passed over, in seconds: recorders leave some out.
const LONGEST_PAUSE: u64 = 3_600;

/// Where the next frame is expected.
#[derive(Clone, Debug, Default)]
pub(super) struct FramePositions {
    /// In samples of each channel from the beginning of this part on.
    next: u64,
    /// The number that it should have; unknown before the first frame.
    number: Option<Number>,
    /// The longest block so far, which is the length of all where frames are counted.
    block: u32,
}

impl FramePositions {
    /// Where the part ends that was seen so far.
    pub fn end(&self) -> u64 {
        self.next
    }

    /// Begins a part in another format, whose frames go on counting.
    pub fn restart(&mut self) {
        self.next = 0;
    }

    /// The position of the frame with `header`, before which `skipped` bytes were passed over since the frame before.
    pub fn place(&mut self, header: &FrameHeader, info: &StreamInfo, skipped: u64) -> u64 {
        self.block = self.block.max(header.block);
        let each = u64::from(info.fixed_block.unwrap_or(self.block));
        let lost = match (header.number, self.number) {
            (Number::Frame(this), Some(Number::Frame(next))) => this.saturating_sub(next).saturating_mul(each),
            (Number::Sample(this), Some(Number::Sample(next))) => this.saturating_sub(next),
            // A stream that was cut out of another begins with a number other than 0, and at time 0.
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
    fn a_jump_is_what_fits_into_the_bytes_passed_over() {
        let (info, mut positions) = (info(0), FramePositions::default());
        assert_eq!((info.rate, info.channels, info.bits, info.samples), (8_000, 1, 16, None));
        let mut place = |number, skipped| positions.place(&header(Number::Frame(number)), &info, skipped);
        assert_eq!([place(0, 0), place(1, 0), place(4, 50), place(5, 0)], [0, 100, 400, 500]);
        // More than fits, and a number that went back.
        assert_eq!([place(1_000_000, 50), place(1_000_001, 0), place(0, 0), place(2, 9)], [600, 700, 800, 1_000]);
    }

    #[test]
    fn the_first_frame_is_at_zero_unless_bytes_were_passed_over() {
        let place = |skipped| FramePositions::default().place(&header(Number::Sample(300)), &info(0), skipped);
        assert_eq!([place(0), place(80)], [0, 300]);
        let short = FramePositions::default().place(&header(Number::Sample(300)), &info(200), 8_000);
        assert_eq!(short, 0, "behind the end of the stream");
    }
}
