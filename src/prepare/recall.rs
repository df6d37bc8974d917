//! A recording under new parameters, without its audio: where every segment was cut before, its file is taken over.

use std::{io, time::Instant};

use super::{
    cuts::{Cuts, Piece},
    memory::Memory,
    session::{Done, Manner},
};
use crate::{
    output::Staging,
    vad::{Chunk, Merger},
};

/// Cuts what `memory` holds. `None` means that the audio is needed: a segment was never cut before, or its file is gone.
pub(super) fn recall(
    memory: &Memory,
    manner: &Manner,
    staging: impl FnOnce() -> io::Result<Staging>,
) -> io::Result<Option<Done>> {
    let start = Instant::now();
    let mut pieces = Vec::new();
    for (ear, track) in memory.tracks.iter().enumerate() {
        let channel = manner.channels.number(ear);
        let Some(chunks) = chunks(memory, channel, track, manner) else { return Ok(None) };
        for chunk in chunks {
            let Some(level_dbfs) = memory.level(channel, &chunk.speech) else { return Ok(None) };
            pieces.push(Piece { chunk, channel, level_dbfs });
        }
    }
    let vad_time = start.elapsed();
    let mut cuts = Cuts::new(staging()?, manner.parameters.merge_to_s.is_some());
    for piece in &pieces {
        match manner.files {
            None => cuts.note(piece),
            Some(files) if cuts.reuse(&piece.chunk, piece.channel, memory, files.format.name())? => {}
            Some(_) => return Ok(None),
        }
    }
    Ok(Some(Done { samples: memory.known.samples as u64, cuts, heard: Vec::new(), vad_time }))
}

/// The chunks that the probabilities give; `None` where that depends on the level of a segment that was never cut.
fn chunks(memory: &Memory, channel: Option<i64>, track: &[f32], manner: &Manner) -> Option<Vec<Chunk>> {
    let (mut segments, mut chunks) = (Vec::new(), Vec::new());
    let mut segmenter = manner.segmenter.clone();
    track.iter().for_each(|probability| segmenter.push(*probability, &mut segments));
    segmenter.finish(memory.known.samples as u64, &mut segments);
    let mut merger = Merger::new(&manner.parameters);
    for segment in segments {
        if let Some(least) = manner.parameters.min_dbfs
            && memory.level(channel, &segment)? < least
        {
            continue;
        }
        merger.push(segment, &mut chunks);
    }
    merger.finish(&mut chunks);
    Some(chunks)
}
