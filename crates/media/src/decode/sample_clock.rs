//! Compares the position of decoded samples with the container's time stamps, and returns the silence that is missing
//! between the two.
//!
//! Packets that were lost to damage, or never recorded, leave a jump in the time stamps. Filling it with silence keeps all
//! later samples at their position.

use symphonia::core::units::TimeBase;

/// Time stamps that a container counts in samples are exact but for the rounding of encoders.
const EXACT_TOLERANCE_S: f64 = 0.005;

/// Other time stamps come from a clock during recording. ffmpeg's `aresample=async=1` fills a jump of more than this as well.
const COARSE_TOLERANCE_S: f64 = 0.1;

/// A longer jump counts as a restart of the clock, as where two recordings were joined.
const LONGEST_GAP_S: f64 = 3_600.0;

/// The longest gap before a first packet with a coarse time stamp. Recorders may begin at any time stamp.
const LONGEST_FIRST_GAP_S: f64 = 60.0;

/// A step back by more than this counts as a restart, too.
const LONGEST_STEP_BACK_S: f64 = 1.0;

/// The precision of a container's time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// They count samples.
    Exact,
    /// They come from a clock and have jitter.
    Coarse,
}

/// The beginning and end of a packet, in ticks of its track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PacketTime {
    /// The packet's time stamp.
    pub pts: i64,
    /// The time of its first sample that the decoder returns.
    pub start: i64,
    /// Its end, trimmed samples included.
    pub end: i64,
    /// Whether bytes were skipped near it.
    pub is_near_loss: bool,
}

/// The position of the next sample in one stream, by count and by time stamps.
#[derive(Debug)]
pub(super) struct SampleClock {
    /// Length of a tick; without it, no gap is found.
    time_base: Option<TimeBase>,
    precision: Precision,
    /// The time stamp at position 0, if it is known before the first packet.
    start: Option<i64>,
    /// Frames so far, silence included.
    position: u64,
    /// A time stamp, its position, and the rate of that position.
    anchor: Option<(i64, u64, u32)>,
    /// The difference between time stamp and position of the latest packet, in frames.
    drift: i64,
    /// Whether packets are known to be lost since the latest decoded one.
    is_after_damage: bool,
}

impl SampleClock {
    /// A clock for a stream whose time stamps count ticks of `time_base`.
    pub fn new(time_base: Option<TimeBase>, precision: Precision) -> Self {
        Self { time_base, precision, start: None, position: 0, anchor: None, drift: 0, is_after_damage: false }
    }

    /// The same clock for a stream that begins at the time stamp `start`, so that a later first packet follows a gap. A coarse
    /// first time stamp is only compared with `start` after a loss.
    pub fn starting_at(self, start: Option<i64>) -> Self {
        Self { start, ..self }
    }

    /// Notes that a packet was lost. After it, a jump as short as one packet is a gap.
    pub fn packet_lost(&mut self) {
        self.is_after_damage = true;
    }

    /// The number of frames of silence that belong before the `frames` frames of the packet at `time`. Both are counted as
    /// passed.
    pub fn pass(&mut self, time: PacketTime, rate: u32, frames: u64) -> u64 {
        if self.anchor.is_none() {
            self.anchor = self.start_anchor(time, rate);
        }
        let missing = self.missing(time, rate, frames);
        self.position += missing;
        if self.anchor.is_none_or(|(_, _, of)| of != rate) {
            // The first packet may be trimmed, so that only its end is certain.
            let pts = if self.anchor.is_none() && time.end > time.start { time.end } else { time.start };
            let at = if pts == time.end { self.position + frames } else { self.position };
            self.anchor = Some((pts, at, rate));
            self.drift = 0;
        }
        self.position += frames;
        missing
    }

    /// The beginning of the stream as an anchor, if a gap may lie before the first packet.
    fn start_anchor(&self, time: PacketTime, rate: u32) -> Option<(i64, u64, u32)> {
        let start = self.start?;
        let is_first_gap = match self.precision {
            Precision::Exact => true,
            Precision::Coarse => {
                let gap = self.frames_between(start, time.start, rate)?;
                (self.is_after_damage || time.is_near_loss) && gap <= (LONGEST_FIRST_GAP_S * f64::from(rate)) as i64
            }
        };
        is_first_gap.then_some((start, 0, rate))
    }

    fn missing(&mut self, time: PacketTime, rate: u32, frames: u64) -> u64 {
        let was_damaged = std::mem::take(&mut self.is_after_damage);
        let Some((pts, at, _)) = self.anchor.filter(|&(_, _, of)| of == rate) else { return 0 };
        let Some(drift) = self.frames_between(pts, time.start, rate).and_then(|frames| {
            i64::try_from(at).ok()?.checked_add(frames)?.checked_sub(i64::try_from(self.position).ok()?)
        }) else {
            return 0;
        };
        let in_frames = |seconds: f64| (seconds * f64::from(rate)) as i64;
        let jump = drift.saturating_sub(self.drift);
        if jump > in_frames(LONGEST_GAP_S) || drift < -in_frames(LONGEST_STEP_BACK_S) {
            self.anchor = Some((time.start, self.position, rate));
            self.drift = 0;
            return 0;
        }
        let is_exact = self.precision == Precision::Exact;
        let (exact, coarse) = (in_frames(EXACT_TOLERANCE_S), in_frames(COARSE_TOLERANCE_S));
        let tolerance = match time.is_near_loss {
            _ if is_exact || was_damaged => exact,
            // Jitter may be half a packet. A lost packet is a whole one.
            true => i64::try_from(frames / 4 * 3).unwrap_or(coarse).clamp(exact, coarse),
            false => coarse,
        };
        // If the clock of the time stamps is slower than that of the samples, only the jump is a gap.
        let missing = if is_exact { drift } else { drift.min(jump) };
        let missing = if missing > tolerance { missing } else { 0 };
        self.drift = drift - missing;
        missing.unsigned_abs()
    }

    /// The number of frames between two time stamps.
    fn frames_between(&self, from: i64, to: i64, rate: u32) -> Option<i64> {
        let base = self.time_base?;
        let ticks = i128::from(to) - i128::from(from);
        let (numer, denom) = (i128::from(base.numer.get()), i128::from(base.denom.get()));
        let frames = ticks.checked_mul(numer)?.checked_mul(i128::from(rate))?.checked_div(denom)?;
        i64::try_from(frames).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clock(precision: Precision, ticks: u32) -> SampleClock {
        SampleClock::new(TimeBase::try_new(1, ticks), precision)
    }

    fn at(start: i64, len: i64) -> PacketTime {
        PacketTime { pts: start, start, end: start + len, is_near_loss: false }
    }

    /// The gaps that `clock` finds before packets of `len` frames with these starts and ticks.
    fn missing(mut clock: SampleClock, rate: u32, len: u64, starts: &[(i64, i64)]) -> Vec<u64> {
        starts.iter().map(|&(start, ticks)| clock.pass(at(start, ticks), rate, len)).collect()
    }

    #[test]
    fn a_jump_of_exact_time_stamps_is_a_gap() {
        let starts = [0, 1_000, 2_000, 5_000, 6_000].map(|start| (start, 1_000));
        assert_eq!(missing(clock(Precision::Exact, 48_000), 48_000, 1_000, &starts), [0, 0, 0, 2_000, 0]);
    }

    #[test]
    fn a_trimmed_first_packet_is_no_gap() {
        let mut clock = clock(Precision::Exact, 44_100);
        // 1,105 frames of encoder delay, of which the decoder returns none.
        assert_eq!(clock.pass(PacketTime { pts: -1_105, start: 0, end: 47, is_near_loss: false }, 44_100, 47), 0);
        assert_eq!(clock.pass(at(47, 1_152), 44_100, 1_152), 0);
        // A decoder that ignores the trimming.
        let mut clock = self::clock(Precision::Exact, 48_000);
        assert_eq!(clock.pass(PacketTime { pts: -312, start: 0, end: 648, is_near_loss: false }, 48_000, 960), 0);
        assert_eq!(clock.pass(at(648, 960), 48_000, 960), 0);
    }

    #[test]
    fn milliseconds_jitter_without_gaps() {
        let starts = [0, 23, 46, 70, 93, 116, 139, 163].map(|start| (start, 23));
        assert!(missing(clock(Precision::Coarse, 1_000), 44_100, 1_024, &starts).iter().all(|&gap| gap == 0));
        // 2 s in which nothing was recorded.
        let paused = [0, 20, 40, 2_060, 2_080].map(|start| (start, 20));
        assert_eq!(missing(clock(Precision::Coarse, 1_000), 48_000, 960, &paused), [0, 0, 0, 96_000, 0]);
    }

    #[test]
    fn late_time_stamps_are_filled_once() {
        // Every third packet is 150 ms late by its time stamp.
        let starts: Vec<_> = (0..30).map(|n| (n * 20 + if n % 3 == 2 { 150 } else { 0 }, 20)).collect();
        let gaps = missing(clock(Precision::Coarse, 1_000), 48_000, 960, &starts);
        assert_eq!(gaps.iter().sum::<u64>(), 7_200, "{gaps:?}");
    }

    #[test]
    fn a_slow_clock_is_no_gap() {
        // 1 ms too much in each packet of 20 ms.
        let starts: Vec<_> = (0..1_000).map(|n| (n * 21, 20)).collect();
        assert!(missing(clock(Precision::Coarse, 1_000), 48_000, 960, &starts).iter().all(|&gap| gap == 0));
    }

    #[test]
    fn a_lost_packet_is_filled_where_time_stamps_are_coarse() {
        let mut clock = clock(Precision::Coarse, 1_000);
        assert_eq!(clock.pass(at(0, 20), 48_000, 960), 0);
        clock.packet_lost();
        assert_eq!(clock.pass(at(40, 20), 48_000, 960), 960);
        assert_eq!(clock.pass(at(60, 20), 48_000, 960), 0);
    }

    #[test]
    fn a_lost_beginning_is_a_gap() {
        let clock = |precision| clock(precision, 1_000).starting_at(Some(0));
        assert_eq!(clock(Precision::Exact).pass(at(500, 20), 48_000, 960), 24_000);
        assert_eq!(clock(Precision::Exact).pass(at(0, 20), 48_000, 960), 0);
        assert_eq!(clock(Precision::Coarse).pass(at(500, 20), 48_000, 960), 0, "without a loss");
        let near_loss = |start| PacketTime { is_near_loss: true, ..at(start, 20) };
        assert_eq!(clock(Precision::Coarse).pass(near_loss(500), 48_000, 960), 24_000);
        assert_eq!(clock(Precision::Coarse).pass(near_loss(500_000), 48_000, 960), 0, "the recorder's own time");
        let mut damaged = clock(Precision::Coarse);
        damaged.packet_lost();
        assert_eq!(damaged.pass(at(20, 20), 48_000, 960), 960);
    }

    #[test]
    fn small_losses_are_filled_where_bytes_were_skipped() {
        let mut clock = clock(Precision::Coarse, 1_000);
        let time = |start| PacketTime { is_near_loss: true, ..at(start, 20) };
        let gaps = [0, 20, 60, 80, 140, 170, 180].map(|start| clock.pass(time(start), 48_000, 960));
        assert_eq!(gaps, [0, 0, 960, 0, 1_920, 0, 0], "the last two jitter");
    }

    #[test]
    fn a_restarted_clock_is_followed() {
        let starts = [0, 1_000, 0, 1_000, 900_000_000, 900_001_000, 900_003_000].map(|start| (start, 1_000));
        let gaps = missing(clock(Precision::Exact, 16_000), 16_000, 1_000, &starts);
        assert_eq!(gaps, [0, 0, 0, 0, 0, 0, 1_000]);
    }

    #[test]
    fn without_a_time_base_there_are_no_gaps() {
        let clock = SampleClock::new(None, Precision::Exact);
        assert_eq!(missing(clock, 16_000, 1_000, &[(0, 1_000), (90_000, 1_000)]), [0, 0]);
    }

    proptest! {
        /// Positions follow exact time stamps, and arbitrary ones do not overflow.
        #[test]
        fn positions_follow_exact_time_stamps(
            lost in proptest::collection::vec(0_u64..50, 1..40),
            wild in proptest::collection::vec(any::<(i64, i64)>(), 0..20),
        ) {
            let mut exact = clock(Precision::Exact, 16_000);
            exact.pass(at(0, 512), 16_000, 512);
            let (mut time, mut position) = (512, 512);
            for lost in lost {
                time += lost * 512;
                position += exact.pass(at(time as i64, 512), 16_000, 512);
                prop_assert_eq!(position, time);
                time += 512;
                position += 512;
            }
            let mut coarse = clock(Precision::Coarse, 7);
            for (pts, end) in wild {
                let gap = coarse.pass(PacketTime { pts, start: pts, end, is_near_loss: false }, 48_000, 960);
                prop_assert!(gap <= 3_600 * 48_000);
            }
        }
    }
}
