//! Which segments are kept, by what was measured of them.

use std::collections::BTreeMap;

use prepare_audio_types::Segment;
use serde_json::{Map, Value, json};

/// What segments must meet to be kept. Without values, all are kept.
///
/// Segments are filtered when all of them are cut, joined and measured. A segment whose figure is not known, such as the SNR
/// of one without speech, is dropped, as exports with the same option leave it out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SegmentFilter {
    /// Least signal-to-noise ratio, dB.
    pub min_snr_db: Option<f64>,
    /// Least frequency at which the spectrum ends, Hz.
    pub min_bandwidth_hz: Option<f64>,
    /// Greatest share of samples in runs at full scale, 0 to 1.
    pub max_clipped: Option<f64>,
}

/// Segments that were dropped, by the name of the criterion.
pub(crate) type Dropped = BTreeMap<String, u64>;

impl SegmentFilter {
    /// The first criterion that a segment does not meet.
    pub(crate) fn rejects(&self, segment: &Segment) -> Option<&'static str> {
        let is_below =
            |value: Option<f64>, least: Option<f64>| least.is_some_and(|least| value.is_none_or(|value| value < least));
        if is_below(segment.snr_db, self.min_snr_db) {
            Some("min_snr")
        } else if is_below(segment.bandwidth_hz, self.min_bandwidth_hz) {
            Some("min_bandwidth")
        } else if self.max_clipped.is_some_and(|most| segment.clipped.is_none_or(|clipped| clipped > most)) {
            Some("max_clipped")
        } else {
            None
        }
    }

    /// The criteria for the recipe; `None` without any.
    pub(crate) fn describe(&self) -> Option<Value> {
        let criteria = [
            ("min_snr_db", self.min_snr_db),
            ("min_bandwidth_hz", self.min_bandwidth_hz),
            ("max_clipped", self.max_clipped),
        ];
        let set = criteria.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
        let set: Map<String, Value> = set.collect();
        (!set.is_empty()).then(|| set.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_criterion_that_is_not_met_is_named() {
        let filter = SegmentFilter { min_snr_db: Some(10.0), min_bandwidth_hz: Some(3000.0), max_clipped: Some(0.01) };
        for (snr_db, bandwidth_hz, clipped, rejected) in [
            (Some(10.0), Some(3000.0), Some(0.01), None),
            (Some(9.9), Some(100.0), Some(0.0), Some("min_snr")),
            (Some(30.0), Some(2999.0), Some(0.5), Some("min_bandwidth")),
            (Some(30.0), Some(8000.0), Some(0.011), Some("max_clipped")),
            (None, Some(8000.0), Some(0.0), Some("min_snr")),
            (Some(30.0), None, Some(0.0), Some("min_bandwidth")),
            (Some(30.0), Some(8000.0), None, Some("max_clipped")),
        ] {
            let segment = Segment { snr_db, bandwidth_hz, clipped, ..Segment::default() };
            assert_eq!(filter.rejects(&segment), rejected, "{segment:?}");
            assert_eq!(SegmentFilter::default().rejects(&segment), None);
        }
    }

    #[test]
    fn the_recipe_lists_what_is_set() {
        assert_eq!(SegmentFilter::default().describe(), None);
        let filter = SegmentFilter { min_snr_db: Some(5.0), ..SegmentFilter::default() };
        assert_eq!(filter.describe(), Some(json!({ "min_snr_db": 5.0 })));
    }
}
