//! The gaps of a recording: where its audio is missing.

/// Maximum number of gaps that are listed. More are only counted.
const MAX_SPANS: usize = 1_000;

/// Spans of a recording that are silence, because their audio was lost or never recorded. Audio after a gap has the same
/// time as in the undamaged recording.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gaps {
    /// Start and end of each gap in seconds, in order of time; at most the first 1,000.
    spans: Vec<(f64, f64)>,
    /// Number of gaps.
    count: u64,
    /// Total length in seconds.
    lost_s: f64,
}

impl Gaps {
    /// Adds a gap from `start` to `end`, in seconds. It must not start before the end of the previous gap. A gap that
    /// starts there extends the previous one.
    pub fn push(&mut self, start: f64, end: f64) {
        self.lost_s += end - start;
        match self.spans.last_mut() {
            Some(last) if start - last.1 < 1e-6 && self.count <= MAX_SPANS as u64 => last.1 = end,
            _ => {
                self.count += 1;
                if self.spans.len() < MAX_SPANS {
                    self.spans.push((start, end));
                }
            }
        }
    }

    /// The gaps of a row: its list as JSON, and their total length in seconds. Text that is not such a list counts as an
    /// empty list.
    pub fn from_json(spans: Option<&str>, lost_s: f64) -> Self {
        let spans: Vec<(f64, f64)> = spans.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { count: spans.len() as u64, spans, lost_s }
    }

    /// The list as JSON, `[[start, end], ...]` in seconds, rounded to 0.1 ms; `None` if there are no gaps.
    pub fn to_json(&self) -> Option<String> {
        let round = |seconds: f64| (seconds * 1e4).round() / 1e4;
        let spans: Vec<_> = self.spans.iter().map(|&(start, end)| [round(start), round(end)]).collect();
        if spans.is_empty() { None } else { serde_json::to_string(&spans).ok() }
    }

    /// Whether there are no gaps.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of gaps.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Total length in seconds.
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

    /// How many of the seconds from `start` to `end` are in listed gaps.
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
    fn adjacent_gaps_are_one_gap() {
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
    fn overlap_counts_only_the_time_within_the_span() {
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
    fn at_most_1000_gaps_are_listed_and_all_are_counted() {
        let mut gaps = Gaps::default();
        (0..5_000).for_each(|n| gaps.push(f64::from(n), f64::from(n) + 0.5));
        assert_eq!((gaps.count(), gaps.lost_s(), gaps.spans.len()), (5_000, 2_500.0, 1_000));
    }
}
