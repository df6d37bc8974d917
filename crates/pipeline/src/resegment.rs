//! Segments a recording under new parameters without its audio: from stored probabilities, taking over the files of
//! segments that were cut before.

use std::time::Instant;

use prepare_audio_vad::{Chunk, Merger, Parameters, Segmenter, SpeechSegment};

use crate::{
    StagedSegments, WriteError,
    pipeline::{SegmentationSettings, Segmented},
    segment_writer::{FinishedSegment, SegmentFiles, SegmentWriter},
    stored_probabilities::StoredAnalysis,
};

/// Segments what `stored` holds. `None` means that the audio is needed: a segment was never cut before, or its file is
/// gone.
pub(crate) fn resegment<T: StagedSegments>(
    stored: &StoredAnalysis,
    settings: &SegmentationSettings,
    stage: impl FnOnce() -> Result<T, WriteError>,
) -> Result<Option<Segmented<T>>, WriteError> {
    let start = Instant::now();
    let denoises = settings.denoising.is_some();
    let mut segments = Vec::new();
    for (index, probabilities) in stored.channels.iter().enumerate() {
        let channel = settings.channels.number(index);
        let Some(chunks) = chunks(stored, channel, probabilities, settings) else { return Ok(None) };
        for chunk in chunks {
            let Some(quality) = stored.quality(channel, &chunk.speech) else { return Ok(None) };
            if settings.dnsmos.is_some() && quality.dnsmos.is_none() {
                return Ok(None);
            }
            let denoised_snr_db = match (denoises, stored.denoised(channel, &chunk.speech)) {
                (false, _) => None,
                (true, Some(segment)) => segment.denoised_snr_db,
                (true, None) => return Ok(None),
            };
            segments.push(FinishedSegment { chunk, channel, quality, denoised_snr_db });
        }
    }
    let vad_time = start.elapsed();
    let mut writer = SegmentWriter::new(stage()?, settings.parameters.merge_to_s.is_some());
    for finished in &segments {
        let Some(settings) = settings.files else {
            writer.add(finished, SegmentFiles::default());
            continue;
        };
        let files = writer.reuse(finished, stored, settings.format)?;
        if files.raw.is_none() || denoises && files.denoised.is_none() {
            return Ok(None);
        }
        writer.add(finished, files);
    }
    Ok(Some(Segmented { samples: stored.recording.samples, writer, probabilities: Vec::new(), vad_time }))
}

/// The chunks that the probabilities give. `None` where that depends on the level of a segment that was never cut.
fn chunks(
    stored: &StoredAnalysis,
    channel: Option<u16>,
    probabilities: &[f32],
    settings: &SegmentationSettings,
) -> Option<Vec<Chunk>> {
    let level = |segment: &SpeechSegment| stored.quality(channel, segment).map(|quality| quality.level_dbfs).ok_or(());
    segment_probabilities(
        probabilities,
        stored.recording.samples,
        settings.segmenter.clone(),
        &settings.parameters,
        level,
    )
    .ok()
}

/// The chunks that the probabilities of one channel give, whose recording has `samples` samples at 16 kHz. `segmenter` is
/// that of `parameters`, at the start of a recording. `level` is asked for the level of a segment in dB below full scale,
/// only where quiet segments are dropped.
///
/// # Errors
/// The first one of `level`.
pub fn segment_probabilities<E>(
    probabilities: &[f32],
    samples: u64,
    mut segmenter: Segmenter,
    parameters: &Parameters,
    mut level: impl FnMut(&SpeechSegment) -> Result<f64, E>,
) -> Result<Vec<Chunk>, E> {
    let (mut segments, mut chunks) = (Vec::new(), Vec::new());
    probabilities.iter().for_each(|probability| segmenter.push(*probability, &mut segments));
    segmenter.finish(samples, &mut segments);
    let mut merger = Merger::new(parameters, segmenter.spec());
    for segment in segments {
        if let Some(min_dbfs) = parameters.min_dbfs
            && level(&segment)? < min_dbfs
        {
            continue;
        }
        merger.push(segment, &mut chunks);
    }
    merger.finish(&mut chunks);
    Ok(chunks)
}
