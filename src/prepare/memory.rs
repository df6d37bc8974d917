//! A source that was listened to before: its probabilities, and the segments that were cut from it.

use std::{collections::HashMap, io};

use super::track;
use crate::store::{Known, Segment};

/// What [`Known`] holds, ready for use.
pub(super) struct Memory<'k> {
    pub known: &'k Known,
    pub probabilities: Vec<f32>,
    segments: HashMap<(i64, i64), &'k Segment>,
}

impl<'k> Memory<'k> {
    /// Unpacks what is known. An error means that it cannot be used, and the recording is to be listened to.
    pub fn new(known: &'k Known) -> io::Result<Self> {
        let kept = &known.probabilities;
        if kept.coding != track::CODING {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "they are packed in a way that is unknown here"));
        }
        let probabilities = track::unpack(&kept.data, kept.windows as usize)?;
        let segments = known.segments.iter().map(|s| ((s.start_sample, s.end_sample), s)).collect();
        Ok(Self { known, probabilities, segments })
    }

    /// The segment of just these boundaries.
    pub fn find(&self, start: u64, end: u64) -> Option<&'k Segment> {
        self.segments.get(&(start as i64, end as i64)).copied()
    }

    /// The level of the segment of just these boundaries.
    pub fn level(&self, start: u64, end: u64) -> Option<f64> {
        self.find(start, end)?.level_dbfs
    }
}
