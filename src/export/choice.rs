//! Which recordings and segments an export has.

use std::collections::{BinaryHeap, HashSet};

use prepare_audio_types::Segment;
use sha2::{Digest, Sha256};

use super::{Condition, Recording};

/// Which segments an export has: all that meet every criterion.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Least length, in seconds.
    pub min_duration: Option<f64>,
    /// Greatest length, in seconds.
    pub max_duration: Option<f64>,
    /// Least mean speech probability.
    pub min_probability: Option<f64>,
    /// Least level, dB below full scale. A segment whose level is unknown does not meet it.
    pub min_dbfs: Option<f64>,
    /// Least signal-to-noise ratio, dB. A segment whose ratio is unknown does not meet it.
    pub min_snr: Option<f64>,
    /// What must be true of a segment or its recording.
    pub conditions: Vec<Condition>,
    /// Prepared at or after this time, in milliseconds since 1970.
    pub since: Option<i64>,
    /// The beginning of the recipe.
    pub recipe: Option<String>,
    /// Segments that a query of the user's returned.
    pub queried: Option<Queried>,
    /// Segments that were drawn: `(recording_id, idx)`.
    pub drawn: Option<HashSet<(i64, u64)>>,
}

impl Choice {
    /// Whether this segment is chosen.
    pub fn has(&self, recording: &Recording, segment: &Segment) -> bool {
        let duration = segment.end_s - segment.start_s;
        let is_drawn = |drawn: &HashSet<_>| drawn.contains(&(recording.recording_id, segment.idx));
        self.has_recording(recording)
            && self.min_duration.is_none_or(|least| duration >= least)
            && self.max_duration.is_none_or(|greatest| duration <= greatest)
            && self.min_probability.is_none_or(|least| segment.mean_probability >= least)
            && self.min_dbfs.is_none_or(|least| segment.level_dbfs.is_some_and(|level| level >= least))
            && self.min_snr.is_none_or(|least| segment.snr_db.is_some_and(|snr| snr >= least))
            && self.conditions.iter().all(|condition| condition.is_true(recording, segment))
            && self.queried.as_ref().is_none_or(|queried| queried.has(recording.recording_id, segment.idx))
            && self.drawn.as_ref().is_none_or(is_drawn)
    }

    /// Whether a recording may be part of the export at all.
    pub fn has_recording(&self, recording: &Recording) -> bool {
        self.since.is_none_or(|since| recording.finished_at >= since)
            && self.recipe.as_deref().is_none_or(|recipe| recording.recipe.starts_with(recipe))
    }
}

/// What a query of the user's named.
#[derive(Clone, Debug, Default)]
pub struct Queried {
    /// All segments of these recordings.
    recordings: HashSet<i64>,
    /// `(recording_id, idx)`.
    segments: HashSet<(i64, u64)>,
}

impl Queried {
    /// All segments of a recording are chosen.
    pub fn add_recording(&mut self, recording_id: i64) {
        self.recordings.insert(recording_id);
    }

    /// This segment is chosen.
    pub fn add_segment(&mut self, recording_id: i64, idx: u64) {
        self.segments.insert((recording_id, idx));
    }

    fn has(&self, recording_id: i64, idx: u64) -> bool {
        self.recordings.contains(&recording_id) || self.segments.contains(&(recording_id, idx))
    }
}

/// Draws a number of segments by chance. The same seed draws the same segments, also when others are added: each segment's
/// rank is a hash of its source, recipe, position and the seed, and those of least rank are drawn.
#[derive(Debug)]
pub struct Sample {
    size: usize,
    seed: u64,
    /// The least ranks so far, the greatest of them on top.
    least: BinaryHeap<([u8; 16], i64, u64)>,
}

impl Sample {
    /// Draws up to `size` segments.
    pub fn new(size: usize, seed: u64) -> Self {
        Self { size, seed, least: BinaryHeap::new() }
    }

    /// Offers a segment.
    pub fn offer(&mut self, recording: &Recording, segment: &Segment) {
        let mut digest = Sha256::new();
        digest.update(self.seed.to_le_bytes());
        digest.update(segment.idx.to_le_bytes());
        digest.update(&recording.recipe);
        digest.update([0]);
        digest.update(&recording.source);
        let mut rank = [0; 16];
        rank.copy_from_slice(&digest.finalize()[..16]);
        self.least.push((rank, recording.recording_id, segment.idx));
        if self.least.len() > self.size {
            self.least.pop();
        }
    }

    /// The segments that were drawn: `(recording_id, idx)`.
    pub fn drawn(self) -> HashSet<(i64, u64)> {
        self.least.into_iter().map(|(_, recording, idx)| (recording, idx)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(idx: u64, length: f64, probability: f64, level: Option<f64>) -> Segment {
        Segment { idx, end_s: length, mean_probability: probability, level_dbfs: level, ..Segment::default() }
    }

    #[test]
    fn every_criterion_must_be_met() {
        let recording = Recording { finished_at: 1000, recipe: "abcd".into(), ..Recording::default() };
        let segment = Segment { snr_db: Some(15.0), ..segment(0, 2.0, 0.8, Some(-30.0)) };
        let all = Choice::default();
        assert!(all.has(&recording, &segment));
        for (choice, is_chosen) in [
            (Choice { min_duration: Some(2.0), max_duration: Some(2.0), ..all.clone() }, true),
            (Choice { min_duration: Some(2.1), ..all.clone() }, false),
            (Choice { max_duration: Some(1.9), ..all.clone() }, false),
            (Choice { min_probability: Some(0.81), ..all.clone() }, false),
            (Choice { min_dbfs: Some(-30.0), ..all.clone() }, true),
            (Choice { min_dbfs: Some(-29.0), ..all.clone() }, false),
            (Choice { min_snr: Some(15.0), ..all.clone() }, true),
            (Choice { min_snr: Some(15.1), ..all.clone() }, false),
            (Choice { since: Some(1000), ..all.clone() }, true),
            (Choice { since: Some(1001), ..all.clone() }, false),
            (Choice { recipe: Some("ab".into()), ..all.clone() }, true),
            (Choice { recipe: Some("b".into()), ..all }, false),
        ] {
            assert_eq!(choice.has(&recording, &segment), is_chosen, "{choice:?}");
        }
    }

    #[test]
    fn a_sample_stays_when_segments_are_added() {
        let draw = |segments: u64, seed| {
            let mut sample = Sample::new(20, seed);
            for idx in 0..segments {
                sample.offer(&Recording::default(), &segment(idx, 1.0, 1.0, None));
            }
            sample.drawn()
        };
        let few = draw(1000, 7);
        assert_eq!((few.len(), draw(5, 7).len()), (20, 5));
        assert_eq!(draw(1000, 7), few);
        assert_ne!(draw(1000, 8), few);
        // What leaves the sample was displaced by something new, not by another of the first thousand.
        assert!(draw(2000, 7).iter().filter(|(_, idx)| *idx < 1000).all(|drawn| few.contains(drawn)));
    }
}
