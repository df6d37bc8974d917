//! Derives positions from the lengths of packets and the granule positions of pages.

/// The packets that end on one page, and its granule position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PageTime {
    /// Frames of all packets, and of the longest one.
    pub frames: u64,
    pub longest: u64,
    /// The granule position: where its last packet ends.
    pub granule: Option<i64>,
    /// Whether it is the last one, so that its packets may include padding.
    pub is_last: bool,
    /// Whether packets were lost before it.
    pub is_after_loss: bool,
}

/// Where the packets of a page lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Directly after the previous ones, less `trim` frames at the end.
    Follows { trim: u64 },
    /// `frames` later, if the next page confirms it.
    Jumps { frames: u64 },
}

/// The longest jump, in seconds, without a loss: the recorder paused.
const LONGEST_PAUSE: u64 = 3_600;

/// The granule positions of a stream so far.
#[derive(Debug)]
pub(super) struct Timestamps {
    rate: u64,
    /// Whether a smaller first granule position trims the beginning, as Vorbis allows.
    may_begin_early: bool,
    /// That of the previous page.
    granule: Option<i64>,
    /// The number of pages whose granule positions match their packets, and whether none contradicts them.
    fitting: u32,
    is_reliable: bool,
}

impl Timestamps {
    pub fn new(rate: u32, may_begin_early: bool) -> Self {
        Self { rate: rate.into(), may_begin_early, granule: None, fitting: 0, is_reliable: true }
    }

    /// Evaluates the next page. A granule position that counts less than the packets hold is wrong.
    pub fn step(&mut self, page: PageTime) -> Step {
        let frames = i64::try_from(page.frames).unwrap_or(i64::MAX);
        let before = self.granule;
        let expected = before.unwrap_or(0).saturating_add(frames);
        let granule = page.granule.unwrap_or(expected);
        self.granule = Some(granule);
        let excess = i128::from(granule) - i128::from(expected);
        let is_first = before.is_none();
        if page.is_after_loss {
            return match u64::try_from(excess) {
                Ok(frames @ 1..) => Step::Jumps { frames },
                _ => Step::Follows { trim: 0 },
            };
        }
        if is_first && !page.is_last {
            // A stream that was cut out of another one begins at any granule position; here it begins at time 0.
            self.is_reliable &= excess >= 0 || self.may_begin_early;
            return Step::Follows { trim: 0 };
        }
        if page.is_last {
            let trim = u64::try_from(-excess).unwrap_or(0);
            return Step::Follows { trim: if self.is_plausible(trim, page) { trim } else { 0 } };
        }
        if excess.unsigned_abs() <= u128::from(self.tolerance()) {
            self.fitting += 1;
            return Step::Follows { trim: 0 };
        }
        match u64::try_from(excess) {
            Ok(frames) if frames <= LONGEST_PAUSE * self.rate => Step::Jumps { frames },
            _ => {
                self.is_reliable = false;
                Step::Follows { trim: 0 }
            }
        }
    }

    /// Whether `next` continues at `granule`, the end of a page after a jump.
    pub fn agrees(&self, granule: Option<i64>, next: PageTime) -> bool {
        let Some((from, to)) = granule.zip(next.granule) else { return false };
        let step = i128::from(to) - i128::from(from);
        let (frames, tolerance) = (i128::from(next.frames), i128::from(self.tolerance()));
        match (next.is_last, next.is_after_loss) {
            (true, _) => step > 0 && step <= frames + tolerance,
            (_, true) => step >= frames - tolerance,
            _ => (step - frames).abs() <= tolerance,
        }
    }

    /// Notes that the next page did not confirm a jump.
    pub fn distrust(&mut self) {
        self.is_reliable = false;
    }

    /// Whether `trim` is plausible. Encoders pad the last packet or two. Where granule positions matched the packets until
    /// then, they may trim more.
    fn is_plausible(&self, trim: u64, page: PageTime) -> bool {
        let padding = (2 * page.longest).max(self.rate / 10);
        self.is_reliable && trim <= page.frames && (self.fitting > 0 || trim <= padding && trim < page.frames)
    }

    fn tolerance(&self) -> u64 {
        self.rate / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(granule: i64) -> PageTime {
        PageTime { frames: 48_000, longest: 2_880, granule: Some(granule), is_last: false, is_after_loss: false }
    }

    fn last(granule: i64) -> PageTime {
        PageTime { is_last: true, ..page(granule) }
    }

    const FOLLOWS: Step = Step::Follows { trim: 0 };

    #[test]
    fn the_last_page_is_trimmed_where_positions_match() {
        let mut time = Timestamps::new(48_000, false);
        assert_eq!([time.step(page(48_000)), time.step(page(96_000))], [FOLLOWS; 2]);
        assert_eq!(time.step(last(100_000)), Step::Follows { trim: 44_000 });
        let single = |granule| Timestamps::new(48_000, false).step(last(granule));
        assert_eq!([single(47_000), single(16_000), single(0)], [Step::Follows { trim: 1_000 }, FOLLOWS, FOLLOWS]);
    }

    #[test]
    fn positions_that_count_too_little_are_ignored() {
        let mut time = Timestamps::new(48_000, false);
        assert_eq!([16_000, 32_000, 48_000].map(|granule| time.step(page(granule))), [FOLLOWS; 3]);
        assert_eq!(time.step(last(60_000)), FOLLOWS);
        let mut zero = Timestamps::new(48_000, false);
        assert_eq!([zero.step(page(0)), zero.step(page(0)), zero.step(last(0))], [FOLLOWS; 3]);
    }

    #[test]
    fn a_loss_and_a_pause_are_jumps() {
        let mut time = Timestamps::new(48_000, false);
        assert_eq!(time.step(page(1_000_000)), FOLLOWS, "cut out of a longer stream");
        let lost = PageTime { is_after_loss: true, ..page(1_144_000) };
        assert_eq!(time.step(lost), Step::Jumps { frames: 96_000 });
        assert!(time.agrees(lost.granule, page(1_192_000)) && !time.agrees(lost.granule, page(1_200_000)));
        assert_eq!(time.step(page(1_192_000)), FOLLOWS);
        assert_eq!(time.step(page(1_336_000)), Step::Jumps { frames: 96_000 });
        assert_eq!(time.step(page(i64::MAX)), FOLLOWS);
        assert_eq!(time.step(page(i64::MIN)), FOLLOWS);
    }
}
