//! Neighbouring segments joined into longer ones, for models that take up to 30 s at once.

use prepare_audio_types::Segment;
use serde_json::json;

/// Longest group, in seconds, from the start of its first segment to the end of its last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaximumGroup(pub f64);

impl MaximumGroup {
    /// Joins neighbours of the same channel, in order, each group taking the next segment as long as it stays within the
    /// maximum. A segment that is longer by itself stays alone. `parts` of a group has the boundaries of its segments, in
    /// samples at 16 kHz.
    ///
    /// A group has no file, level or hash. Its mean probability is that of its segments, weighted by their lengths.
    pub(super) fn join(self, segments: Vec<Segment>) -> Vec<Segment> {
        let mut groups: Vec<Group> = Vec::new();
        for segment in segments {
            // Segments of several channels alternate: the group to go on with is the last one of the same channel.
            let open = groups.iter_mut().rev().find(|group| group.channel() == segment.channel);
            match open {
                Some(group) if segment.end_s - group.start_s() <= self.0 => group.0.push(segment),
                _ => groups.push(Group(vec![segment])),
            }
        }
        groups.into_iter().enumerate().map(|(idx, group)| group.into_segment(idx as u64)).collect()
    }
}

/// The segments of a group; never empty.
struct Group(Vec<Segment>);

impl Group {
    fn channel(&self) -> Option<u16> {
        self.0.first().and_then(|segment| segment.channel)
    }

    fn start_s(&self) -> f64 {
        self.0.first().map_or(0.0, |segment| segment.start_s)
    }

    fn into_segment(self, idx: u64) -> Segment {
        let lengths: Vec<f64> = self.0.iter().map(|segment| segment.end_s - segment.start_s).collect();
        let weighted: f64 =
            self.0.iter().zip(&lengths).map(|(segment, length)| segment.mean_probability * length).sum();
        let total = lengths.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        let parts: Vec<_> = self.0.iter().map(|segment| json!([segment.start_sample, segment.end_sample])).collect();
        let gap_s: f64 = self.0.iter().filter_map(|segment| segment.gap_s).sum();
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return Segment::default() };
        Segment {
            idx,
            channel: first.channel,
            start_sample: first.start_sample,
            end_sample: last.end_sample,
            start_s: first.start_s,
            end_s: last.end_s,
            mean_probability: weighted / total,
            min_probability: self.0.iter().map(|segment| segment.min_probability).fold(1.0, f64::min),
            cut: last.cut.clone(),
            gap_s: (gap_s > 0.0).then_some(gap_s),
            parts: Some(json!(parts).to_string()),
            ..Segment::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(channel: Option<u16>, start: u64, end: u64) -> Segment {
        Segment {
            channel,
            start_sample: start * 16_000,
            end_sample: end * 16_000,
            start_s: start as f64,
            end_s: end as f64,
            mean_probability: 0.5,
            min_probability: 0.25,
            ..Segment::default()
        }
    }

    #[test]
    fn groups_stay_within_the_maximum() {
        let segments = vec![segment(None, 0, 10), segment(None, 12, 30), segment(None, 31, 40), segment(None, 50, 95)];
        let groups = MaximumGroup(30.0).join(segments);
        let bounds: Vec<_> = groups.iter().map(|group| (group.idx, group.start_s, group.end_s)).collect();
        assert_eq!(bounds, [(0, 0.0, 30.0), (1, 31.0, 40.0), (2, 50.0, 95.0)]);
        assert_eq!(groups[0].parts.as_deref(), Some("[[0,160000],[192000,480000]]"));
        assert!(groups.iter().all(|group| group.path.is_none() && group.mean_probability == 0.5));
    }

    #[test]
    fn channels_are_grouped_apart() {
        let segments = vec![segment(Some(1), 0, 2), segment(Some(2), 1, 3), segment(Some(1), 4, 5)];
        let groups = MaximumGroup(30.0).join(segments);
        let bounds: Vec<_> = groups.iter().map(|group| (group.channel, group.start_s, group.end_s)).collect();
        assert_eq!(bounds, [(Some(1), 0.0, 5.0), (Some(2), 1.0, 3.0)]);
    }
}
