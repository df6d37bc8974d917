//! Where a recording's audio is missing.

/// Spans that are listed. Of a recording with more of them, the rest is only counted.
const MOST_SPANS: usize = 1_000;

/// Spans of a recording that hold silence, because their audio was lost or never recorded. What follows a gap is where it
/// is in the undamaged recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gaps {
    /// Start and end of each gap in seconds, in order of time: the first 1,000.
    spans: Vec<(f64, f64)>,
    /// Number of gaps.
    count: u64,
    /// Their length in seconds, all together.
    lost_s: f64,
}

impl Gaps {
    /// Adds a gap, in seconds, which begins where the one before it ends or later. Gaps that touch are one gap.
    pub fn push(&mut self, start: f64, end: f64) {
        self.lost_s += end - start;
        match self.spans.last_mut() {
            Some(last) if start - last.1 < 1e-6 && self.count <= MOST_SPANS as u64 => last.1 = end,
            _ => {
                self.count += 1;
                if self.spans.len() < MOST_SPANS {
                    self.spans.push((start, end));
                }
            }
        }
    }

    /// The gaps that a row holds: its list as JSON, and their length. Text that is no such list counts as none.
    pub fn from_json(spans: Option<&str>, lost_s: f64) -> Self {
        let spans: Vec<(f64, f64)> = spans.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { count: spans.len() as u64, spans, lost_s }
    }

    /// The list as JSON, `[[start, end], ...]` in seconds, to the tenth of a millisecond; `None` where there are no gaps.
    pub fn to_json(&self) -> Option<String> {
        let round = |seconds: f64| (seconds * 1e4).round() / 1e4;
        let spans: Vec<_> = self.spans.iter().map(|&(start, end)| [round(start), round(end)]).collect();
        if spans.is_empty() { None } else { serde_json::to_string(&spans).ok() }
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of gaps.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their length in seconds, all together.
    pub fn lost_s(&self) -> f64 {
        self.lost_s
    }

    /// What lies between `start` and `end`, in seconds.
    pub fn within(&self, start: f64, end: f64) -> Self {
        let mut within = Self::default();
        for &(from, to) in self.spans.iter().filter(|span| span.1 > start && span.0 < end) {
            within.push(from.max(start), to.min(end));
        }
        within
    }

    /// The seconds between `start` and `end` that lie in listed gaps.
    pub fn overlap(&self, start: f64, end: f64) -> f64 {
        let from = self.spans.partition_point(|span| span.1 <= start);
        let spans = self.spans[from..].iter().take_while(|span| span.0 < end);
        spans.map(|span| span.1.min(end) - span.0.max(start)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_that_touch_are_one() {
        let mut gaps = Gaps::default();
        assert_eq!((gaps.is_empty(), gaps.to_json()), (true, None));
        for (start, end) in [(1.0, 1.5), (1.5, 2.0), (4.0, 4.25)] {
            gaps.push(start, end);
        }
        assert_eq!((gaps.count(), gaps.lost_s()), (2, 1.25));
        assert_eq!(gaps.to_json().as_deref(), Some("[[1.0,2.0],[4.0,4.25]]"));
        assert_eq!(Gaps::from_json(gaps.to_json().as_deref(), 1.25), gaps);
        assert_eq!(Gaps::from_json(Some("none"), 0.0), Gaps::default());
    }

    #[test]
    fn overlap_counts_only_what_lies_within() {
        let gaps = Gaps::from_json(Some("[[1,2],[4,5],[8,9]]"), 3.0);
        let cases =
            [(0.0, 1.0, 0.0), (0.5, 1.5, 0.5), (1.25, 4.5, 1.25), (2.0, 4.0, 0.0), (0.0, 10.0, 3.0), (8.25, 8.5, 0.25)];
        for (start, end, overlap) in cases {
            assert!((gaps.overlap(start, end) - overlap).abs() < 1e-12, "{start} to {end}");
        }
    }

    #[test]
    fn a_part_has_the_gaps_within_it() {
        let gaps = Gaps::from_json(Some("[[1,2],[4,5],[8,9]]"), 3.0);
        let within = gaps.within(1.5, 8.0);
        assert_eq!((within.to_json().as_deref(), within.lost_s()), (Some("[[1.5,2.0],[4.0,5.0]]"), 1.5));
        assert_eq!(gaps.within(2.0, 4.0), Gaps::default());
    }

    #[test]
    fn thousands_of_gaps_are_counted_and_not_listed() {
        let mut gaps = Gaps::default();
        (0..5_000).for_each(|n| gaps.push(f64::from(n), f64::from(n) + 0.5));
        assert_eq!((gaps.count(), gaps.lost_s(), gaps.spans.len()), (5_000, 2_500.0, 1_000));
    }
}
