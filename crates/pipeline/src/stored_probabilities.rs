//! A source that was analysed before: its probabilities, and the segments that were cut from it.

use std::collections::HashMap;

use prepare_audio_types::{Segment, StoredRecording};
use prepare_audio_vad::{DetectorSpec, SpeechSegment};

use crate::{
    probability_codec::{self, CodecError},
    quality::Quality,
    recipe::Recipe,
};

/// Channel and boundaries of a segment.
type Boundaries = (Option<u16>, u64, u64);

/// A [`StoredRecording`], unpacked and indexed.
pub(crate) struct StoredAnalysis<'k> {
    pub recording: &'k StoredRecording,
    /// The detector that the probabilities are of.
    pub spec: DetectorSpec,
    /// The probabilities of each analysed channel.
    pub channels: Vec<Vec<f32>>,
    segments: HashMap<Boundaries, &'k Segment>,
    /// Those of the segments whose files are as the current recipe would write them.
    files: HashMap<Boundaries, &'k Segment>,
    /// Those that were denoised as the current recipe does it.
    denoised: HashMap<Boundaries, &'k Segment>,
    /// Those of them whose files are as the current recipe would write them.
    denoised_files: HashMap<Boundaries, &'k Segment>,
}

impl<'k> StoredAnalysis<'k> {
    /// Unpacks `recording`, whose probabilities are those of a detector of this specification, for use with `recipe`. The
    /// recording begins with sample `first` of its file: the rows of its segments have the file's times, the analysis those
    /// of the recording.
    ///
    /// # Errors
    /// Where the stored probabilities cannot be used. The recording then has to be analysed again.
    pub fn new(
        recording: &'k StoredRecording,
        spec: DetectorSpec,
        first: u64,
        recipe: &Recipe,
    ) -> Result<Self, CodecError> {
        let packed = &recording.probabilities;
        if packed.coding != probability_codec::CODING {
            return Err(CodecError::UnknownCoding(packed.coding));
        }
        let stored = usize::try_from(packed.windows).map_err(|_| CodecError::WrongCount)?;
        let probabilities = probability_codec::unpack(&packed.data, stored)?;
        let windows = spec.windows(recording.samples) as usize;
        if windows == 0 || probabilities.is_empty() || !probabilities.len().is_multiple_of(windows) {
            return Err(CodecError::WrongCount);
        }
        let channels = probabilities.chunks(windows).map(<[f32]>::to_vec).collect();
        let (mut segments, mut files) = (HashMap::new(), HashMap::new());
        let (mut denoised, mut denoised_files) = (HashMap::new(), HashMap::new());
        for stored in &recording.segments {
            let segment = &stored.segment;
            let position = |sample: u64| sample.saturating_sub(first);
            let boundaries = (segment.channel, position(segment.start_sample), position(segment.end_sample));
            // Rows of earlier versions have fewer figures.
            let is_measured = |segment: &&Segment| segment.peak_dbfs.is_some();
            if is_measured(&segment) || !segments.get(&boundaries).is_some_and(is_measured) {
                segments.insert(boundaries, segment);
            }
            let parameters = stored.parameters.as_deref().unwrap_or_default();
            let has_files = recipe.writes_equal_files(parameters);
            if has_files {
                files.insert(boundaries, segment);
            }
            if recipe.denoises_equally(parameters) {
                denoised.insert(boundaries, segment);
                if has_files {
                    denoised_files.insert(boundaries, segment);
                }
            }
        }
        Ok(Self { recording, spec, channels, segments, files, denoised, denoised_files })
    }

    /// Whether one channel was analysed: the channels were mixed, or all of them are identical.
    pub fn is_single_channel(&self) -> bool {
        self.channels.len() == 1
    }

    /// The row of a segment with exactly these boundaries whose file the current recipe would write in the same way.
    pub fn file(&self, channel: Option<u16>, speech: &SpeechSegment) -> Option<&'k Segment> {
        self.files.get(&(channel, speech.start, speech.end)).copied()
    }

    /// The row of a segment with exactly these boundaries that was denoised by the current recipe's model.
    pub fn denoised(&self, channel: Option<u16>, speech: &SpeechSegment) -> Option<&'k Segment> {
        self.denoised.get(&(channel, speech.start, speech.end)).copied()
    }

    /// The same of a segment whose denoised file the current recipe would write in the same way.
    pub fn denoised_file(&self, channel: Option<u16>, speech: &SpeechSegment) -> Option<&'k Segment> {
        self.denoised_files.get(&(channel, speech.start, speech.end)).copied()
    }

    /// What was measured of the segment with exactly these boundaries.
    pub fn quality(&self, channel: Option<u16>, speech: &SpeechSegment) -> Option<Quality> {
        Quality::of_row(self.segments.get(&(channel, speech.start, speech.end))?)
    }
}
