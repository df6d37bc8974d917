//! A recording under new parameters, without its audio: where every segment was cut before, its file is taken over.

use std::{io, time::Instant};

use super::{cuts::Cuts, memory::Memory};
use crate::{
    output::Staging,
    vad::{Chunk, Merger, Parameters, Segmenter},
};

/// Cuts what `memory` holds. `None` means that the audio is needed: a segment was never cut before, or its file is gone.
pub(super) fn recall(
    memory: &Memory,
    parameters: &Parameters,
    segmenter: Segmenter,
    staging: impl FnOnce() -> io::Result<Staging>,
) -> io::Result<Option<Cuts>> {
    let start = Instant::now();
    let Some(chunks) = chunks(memory, parameters, segmenter) else { return Ok(None) };
    if chunks.iter().any(|chunk| memory.level(chunk.speech.start, chunk.speech.end).is_none()) {
        return Ok(None);
    }
    let mut cuts = Cuts::new(staging()?, parameters);
    cuts.samples = memory.known.samples as u64;
    cuts.vad_time = start.elapsed();
    for chunk in &chunks {
        if !cuts.reuse(chunk, memory)? {
            return Ok(None);
        }
    }
    Ok(Some(cuts))
}

/// The chunks that the probabilities give; `None` where that depends on the level of a segment that was never cut.
fn chunks(memory: &Memory, parameters: &Parameters, mut segmenter: Segmenter) -> Option<Vec<Chunk>> {
    let (mut segments, mut chunks) = (Vec::new(), Vec::new());
    memory.probabilities.iter().for_each(|probability| segmenter.push(*probability, &mut segments));
    segmenter.finish(memory.known.samples as u64, &mut segments);
    let mut merger = Merger::new(parameters);
    for segment in segments {
        if let Some(least) = parameters.min_dbfs
            && memory.level(segment.start, segment.end)? < least
        {
            continue;
        }
        merger.push(segment, &mut chunks);
    }
    merger.finish(&mut chunks);
    Some(chunks)
}
