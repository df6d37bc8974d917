//! A source that was listened to before: its probabilities, and the segments that were cut from it.

use std::{collections::HashMap, io};

use super::track;
use crate::{
    recipe::Recipe,
    store::{Known, Segment},
    vad::{SpeechSegment, WINDOW},
};

/// Channel and boundaries of a segment.
type Place = (Option<i64>, i64, i64);

/// What [`Known`] holds, ready for use.
pub(super) struct Memory<'k> {
    pub known: &'k Known,
    /// The probabilities that each ear gave.
    pub tracks: Vec<Vec<f32>>,
    segments: HashMap<Place, &'k Segment>,
    /// Those of them whose files are as they are wanted now.
    files: HashMap<Place, &'k Segment>,
}

impl<'k> Memory<'k> {
    /// Unpacks what is known, for use with `recipe`. An error means that it cannot be used, and the recording is to be
    /// listened to.
    pub fn new(known: &'k Known, recipe: &Recipe) -> io::Result<Self> {
        let unusable = |why| io::Error::new(io::ErrorKind::InvalidData, why);
        let kept = &known.probabilities;
        if kept.coding != track::CODING {
            return Err(unusable("they are packed in a way that is unknown here"));
        }
        let probabilities = track::unpack(&kept.data, kept.windows as usize)?;
        let windows = (known.samples as u64).div_ceil(WINDOW as u64) as usize;
        if windows == 0 || probabilities.is_empty() || !probabilities.len().is_multiple_of(windows) {
            return Err(unusable("they are not those of so many samples"));
        }
        let tracks = probabilities.chunks(windows).map(<[f32]>::to_vec).collect();
        let (mut segments, mut files) = (HashMap::new(), HashMap::new());
        for one in &known.segments {
            let segment = &one.segment;
            let place = (segment.channel, segment.start_sample, segment.end_sample);
            segments.insert(place, segment);
            if one.parameters.as_deref().is_some_and(|parameters| recipe.writes_like(parameters)) {
                files.insert(place, segment);
            }
        }
        Ok(Self { known, tracks, segments, files })
    }

    /// Whether just one ear was needed: channels were mixed, or are all the same.
    pub fn is_of_one_ear(&self) -> bool {
        self.tracks.len() == 1
    }

    /// The row of a segment of just these boundaries whose file is as it is wanted.
    pub fn file(&self, channel: Option<i64>, speech: &SpeechSegment) -> Option<&'k Segment> {
        self.files.get(&(channel, speech.start as i64, speech.end as i64)).copied()
    }

    /// The level of the segment of just these boundaries.
    pub fn level(&self, channel: Option<i64>, speech: &SpeechSegment) -> Option<f64> {
        self.segments.get(&(channel, speech.start as i64, speech.end as i64))?.level_dbfs
    }
}
